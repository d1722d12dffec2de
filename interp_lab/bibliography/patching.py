"""Patching, attribution and circuits."""

from interp_lab.bibliography.source import Source

HANNA_2024 = Source(
    key="hanna2024faith",
    title="Have Faith in Faithfulness: Going Beyond Circuit Overlap When Finding Model Mechanisms",
    authors="Michael Hanna and Sandro Pezzelle and Yonatan Belinkov",
    year=2024,
    url="https://arxiv.org/abs/2403.17806",
)
KRAMAR_2024 = Source(
    key="kramar2024atp",
    title="AtP*: An efficient and scalable method for localizing LLM behaviour to components",
    authors="János Kramár and Tom Lieberum and Rohin Shah and Neel Nanda",
    year=2024,
    url="https://arxiv.org/abs/2403.00745",
)
NANDA_2023 = Source(
    key="nanda2023attribution",
    title="Attribution Patching: Activation Patching At Industrial Scale",
    authors="Neel Nanda",
    year=2023,
    url="https://www.neelnanda.io/mechanistic-interpretability/attribution-patching",
)
SYED_2023 = Source(
    key="syed2023attribution",
    title="Attribution Patching Outperforms Automated Circuit Discovery",
    authors="Aaquib Syed and Can Rager and Arthur Conmy",
    year=2023,
    url="https://arxiv.org/abs/2310.10348",
)
ZHANG_2024 = Source(
    key="zhang2024best",
    title="Towards Best Practices of Activation Patching in Language Models: Metrics and Methods",
    authors="Fred Zhang and Neel Nanda",
    year=2024,
    url="https://arxiv.org/abs/2309.16042",
)
HEIMERSHEIM_2024 = Source(
    key="heimersheim2024patching",
    title="How to use and interpret activation patching",
    authors="Stefan Heimersheim and Neel Nanda",
    year=2024,
    url="https://arxiv.org/abs/2404.15255",
)
CONMY_2023 = Source(
    key="conmy2023acdc",
    title="Towards Automated Circuit Discovery for Mechanistic Interpretability",
    authors="Arthur Conmy and Augustine Mavor-Parker and Aengus Lynch and Stefan Heimersheim and Adria Garriga-Alonso",
    year=2023,
    url="https://arxiv.org/abs/2304.14997",
)
MILLER_2024 = Source(
    key="miller2024faithfulness",
    title="Transformer Circuit Faithfulness Metrics are not Robust",
    authors="Joseph Miller and Bilal Chughtai and William Saunders",
    year=2024,
    url="https://arxiv.org/abs/2407.08734",
)
MUELLER_2025 = Source(
    key="mueller2025mib",
    title="MIB: A Mechanistic Interpretability Benchmark",
    authors="Aaron Mueller and Atticus Geiger and Sarah Wiegreffe and others",
    year=2025,
    url="https://arxiv.org/abs/2504.13151",
)
SHI_2024 = Source(
    key="shi2024hypothesis",
    title="Hypothesis Testing the Circuit Hypothesis in LLMs",
    authors="Claudia Shi and Nicolas Beltran-Velez and Achille Nazaret and others",
    year=2024,
    url="https://arxiv.org/abs/2410.13032",
)
MELOUX_2025 = Source(
    key="meloux2025circuits",
    title="Mechanistic Interpretability as Statistical Estimation: A Variance Analysis",
    authors="Maxime Meloux and Francois Portet and Maxime Peyrard",
    year=2025,
    url="https://arxiv.org/abs/2510.00845",
)
