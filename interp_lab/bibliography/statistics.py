"""Statistics."""

from interp_lab.bibliography.source import Source

BENJAMINI_1995 = Source(
    key="benjamini1995fdr",
    title="Controlling the False Discovery Rate: A Practical and Powerful Approach to Multiple Testing",
    authors="Yoav Benjamini and Yosef Hochberg",
    year=1995,
    url="https://doi.org/10.1111/j.2517-6161.1995.tb02031.x",
)
DELONG_1988 = Source(
    key="delong1988roc",
    title="Comparing the Areas under Two or More Correlated Receiver Operating Characteristic Curves: A Nonparametric "
    "Approach",
    authors="Elizabeth R. DeLong and David M. DeLong and Daniel L. Clarke-Pearson",
    year=1988,
    url="https://doi.org/10.2307/2531595",
)
GEIFMAN_2017 = Source(
    key="geifman2017selective",
    title="Selective Classification for Deep Neural Networks",
    authors="Yonatan Geifman and Ran El-Yaniv",
    year=2017,
    url="https://arxiv.org/abs/1705.08500",
)
GEIFMAN_2019 = Source(
    key="geifman2019bias",
    title="Bias-Reduced Uncertainty Estimation for Deep Neural Classifiers",
    authors="Yonatan Geifman and Guy Uziel and Ran El-Yaniv",
    year=2019,
    url="https://arxiv.org/abs/1805.08206",
)
SONG_2012 = Source(
    key="song2012feature",
    title="Feature Selection via Dependence Maximization",
    authors="Le Song and Alex Smola and Arthur Gretton and Justin Bedo and Karsten Borgwardt",
    year=2012,
    url="https://jmlr.org/papers/v13/song12a.html",
)
KORNBLITH_2019 = Source(
    key="kornblith2019cka",
    title="Similarity of Neural Network Representations Revisited",
    authors="Simon Kornblith and Mohammad Norouzi and Honglak Lee and Geoffrey Hinton",
    year=2019,
    url="https://arxiv.org/abs/1905.00414",
)
NGUYEN_2021 = Source(
    key="nguyen2021wide",
    title="Do Wide and Deep Networks Learn the Same Things? Uncovering How Neural Network Representations Vary with "
    "Width and Depth",
    authors="Thao Nguyen and Maithra Raghu and Simon Kornblith",
    year=2021,
    url="https://arxiv.org/abs/2010.15327",
)
