"""Transformers, and how they and other models are trained."""

from interp_lab.bibliography.source import Source

ELHAGE_2021 = Source(
    key="elhage2021framework",
    title="A Mathematical Framework for Transformer Circuits",
    authors="Nelson Elhage and others",
    year=2021,
    url="https://transformer-circuits.pub/2021/framework/index.html",
)
LOSHCHILOV_2019 = Source(
    key="loshchilov2019adamw",
    title="Decoupled Weight Decay Regularization",
    authors="Ilya Loshchilov and Frank Hutter",
    year=2019,
    url="https://arxiv.org/abs/1711.05101",
)
OLSSON_2022 = Source(
    key="olsson2022induction",
    title="In-context Learning and Induction Heads",
    authors="Catherine Olsson and others",
    year=2022,
    url="https://arxiv.org/abs/2209.11895",
)
VASWANI_2017 = Source(
    key="vaswani2017attention",
    title="Attention Is All You Need",
    authors="Ashish Vaswani and others",
    year=2017,
    url="https://arxiv.org/abs/1706.03762",
)
HANNA_2023 = Source(
    key="hanna2023greater",
    title="How does GPT-2 compute greater-than?: Interpreting mathematical abilities in a pre-trained language model",
    authors="Michael Hanna and Ollie Liu and Alexandre Variengien",
    year=2023,
    url="https://arxiv.org/abs/2305.00586",
)
HEIMERSHEIM_2023 = Source(
    key="heimersheim2023docstring",
    title="A circuit for Python docstrings in a 4-layer attention-only transformer",
    authors="Stefan Heimersheim and Jett Janiak",
    year=2023,
    url="https://www.alignmentforum.org/posts/u6KXXmKFbXfWzoAXn",
)
WANG_2022 = Source(
    key="wang2022ioi",
    title="Interpretability in the Wild: a Circuit for Indirect Object Identification in GPT-2 small",
    authors="Kevin Wang and Alexandre Variengien and Arthur Conmy and Buck Shlegeris and Jacob Steinhardt",
    year=2022,
    url="https://arxiv.org/abs/2211.00593",
)
WATANABE_2023 = Source(
    key="watanabe2023pedanova",
    title="PED-ANOVA: Efficiently Quantifying Hyperparameter Importance in Arbitrary Subspaces",
    authors="Shuhei Watanabe and Archit Bansal and Frank Hutter",
    year=2023,
    url="https://arxiv.org/abs/2304.10255",
)
