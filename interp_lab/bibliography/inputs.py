"""Attribution to the input."""

from interp_lab.bibliography.source import Source

SUNDARARAJAN_2017 = Source(
    key="sundararajan2017axiomatic",
    title="Axiomatic Attribution for Deep Networks",
    authors="Mukund Sundararajan and Ankur Taly and Qiqi Yan",
    year=2017,
    url="https://arxiv.org/abs/1703.01365",
)
ABNAR_2020 = Source(
    key="abnar2020rollout",
    title="Quantifying Attention Flow in Transformers",
    authors="Samira Abnar and Willem Zuidema",
    year=2020,
    url="https://arxiv.org/abs/2005.00928",
)
ADEBAYO_2018 = Source(
    key="adebayo2018sanity",
    title="Sanity Checks for Saliency Maps",
    authors="Julius Adebayo and others",
    year=2018,
    url="https://arxiv.org/abs/1810.03292",
)
DEYOUNG_2020 = Source(
    key="deyoung2020eraser",
    title="ERASER: A Benchmark to Evaluate Rationalized NLP Models",
    authors="Jay DeYoung and others",
    year=2020,
    url="https://arxiv.org/abs/1911.03429",
)
LUNDBERG_2017 = Source(
    key="lundberg2017shap",
    title="A Unified Approach to Interpreting Model Predictions",
    authors="Scott M. Lundberg and Su-In Lee",
    year=2017,
    url="https://arxiv.org/abs/1705.07874",
)
COHEN_WANG_2024 = Source(
    key="cohenwang2024contextcite",
    title="ContextCite: Attributing Model Generation to Context",
    authors="Benjamin Cohen-Wang and Harshay Shah and Kristian Georgiev and Aleksander Madry",
    year=2024,
    url="https://arxiv.org/abs/2409.00729",
)
YEH_2019 = Source(
    key="yeh2019infidelity",
    title="On the (In)fidelity and Sensitivity of Explanations",
    authors="Chih-Kuan Yeh and others",
    year=2019,
    url="https://arxiv.org/abs/1901.09392",
)
KUSNER_2017 = Source(
    key="kusner2017counterfactual",
    title="Counterfactual Fairness",
    authors="Matt J. Kusner and Joshua R. Loftus and Chris Russell and Ricardo Silva",
    year=2017,
    url="https://arxiv.org/abs/1703.06856",
)
DATTA_2016 = Source(
    key="datta2016transparency",
    title="Algorithmic Transparency via Quantitative Input Influence",
    authors="Anupam Datta and Shayak Sen and Yair Zick",
    year=2016,
    url="https://doi.org/10.1109/SP.2016.42",
)
WACHTER_2018 = Source(
    key="wachter2018counterfactual",
    title="Counterfactual Explanations Without Opening the Black Box: Automated Decisions and the GDPR",
    authors="Sandra Wachter and Brent Mittelstadt and Chris Russell",
    year=2018,
    url="https://arxiv.org/abs/1711.00399",
)
