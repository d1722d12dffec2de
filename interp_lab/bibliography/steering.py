"""Steering."""

from interp_lab.bibliography.source import Source

ARAD_2025 = Source(
    key="arad2025steering",
    title="SAEs Are Good for Steering -- If You Select the Right Features",
    authors="Dana Arad and Aaron Mueller and Yonatan Belinkov",
    year=2025,
    url="https://arxiv.org/abs/2505.20063",
)
PANICKSSERY_2023 = Source(
    key="panickssery2023caa",
    title="Steering Llama 2 via Contrastive Activation Addition",
    authors="Nina Panickssery and Nick Gabrieli and Julian Schulz and Meg Tong and Evan Hubinger and "
    "Alexander Matt Turner",
    year=2023,
    url="https://arxiv.org/abs/2312.06681",
)
TURNER_2023 = Source(
    key="turner2023actadd",
    title="Steering Language Models With Activation Engineering",
    authors="Alexander Matt Turner and Lisa Thiergart and Gavin Leech and David Udell and Juan J. Vazquez and "
    "Ulisse Mini and Monte MacDiarmid",
    year=2023,
    url="https://arxiv.org/abs/2308.10248",
)
ZOU_2023 = Source(
    key="zou2023representation",
    title="Representation Engineering: A Top-Down Approach to AI Transparency",
    authors="Andy Zou and Long Phan and Sarah Chen and James Campbell and others",
    year=2023,
    url="https://arxiv.org/abs/2310.01405",
)
JORGENSEN_2023 = Source(
    key="jorgensen2023centring",
    title="Improving Activation Steering in Language Models with Mean-Centring",
    authors="Ole Jorgensen and Dylan Cope and Nandi Schoots and Murray Shanahan",
    year=2023,
    url="https://arxiv.org/abs/2312.03813",
)
ARDITI_2024 = Source(
    key="arditi2024refusal",
    title="Refusal in Language Models Is Mediated by a Single Direction",
    authors="Andy Arditi and others",
    year=2024,
    url="https://arxiv.org/abs/2406.11717",
)
TAN_2024 = Source(
    key="tan2024reliability",
    title="Analyzing the Generalization and Reliability of Steering Vectors",
    authors="Daniel Tan and David Chanin and Aengus Lynch and Dimitrios Kanoulas and Brooks Paige and "
    "Adria Garriga-Alonso and Robert Kirk",
    year=2024,
    url="https://arxiv.org/abs/2407.12404",
)
WU_2025 = Source(
    key="wu2025axbench",
    title="AxBench: Steering LLMs? Even Simple Baselines Outperform Sparse Autoencoders",
    authors="Zhengxuan Wu and others",
    year=2025,
    url="https://arxiv.org/abs/2501.17148",
)
