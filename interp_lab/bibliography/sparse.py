"""Sparse dictionaries, and what they are for."""

from interp_lab.bibliography.source import Source

RIPPEL_2014 = Source(
    key="rippel2014nested",
    title="Learning Ordered Representations with Nested Dropout",
    authors="Oren Rippel and Michael A. Gelbart and Ryan P. Adams",
    year=2014,
    url="https://arxiv.org/abs/1402.0915",
)
ELHAGE_2022 = Source(
    key="elhage2022superposition",
    title="Toy Models of Superposition",
    authors="Nelson Elhage and others",
    year=2022,
    url="https://arxiv.org/abs/2209.10652",
)
KORZNIKOV_2026 = Source(
    key="korznikov2026sanity",
    title="Sanity Checks for Sparse Autoencoders: Do SAEs Beat Random Baselines?",
    authors="Anton Korznikov and Andrey Galichin and Alexey Dontsov and Oleg Rogov and Ivan Oseledets and "
    "Elena Tutubalina",
    year=2026,
    url="https://arxiv.org/abs/2602.14111",
)
RAJAMANOHARAN_2024 = Source(
    key="rajamanoharan2024gated",
    title="Improving Dictionary Learning with Gated Sparse Autoencoders",
    authors="Senthooran Rajamanoharan and Arthur Conmy and Lewis Smith and others",
    year=2024,
    url="https://arxiv.org/abs/2404.16014",
)
BLOOM_2024 = Source(
    key="bloom2024saetrainingcodebase",
    title="SAELens",
    authors="Joseph Bloom and Curt Tigges and Anthony Duong and David Chanin",
    year=2024,
    url="https://github.com/decoderesearch/SAELens",
)
BRICKEN_2023 = Source(
    key="bricken2023monosemanticity",
    title="Towards Monosemanticity: Decomposing Language Models With Dictionary Learning",
    authors="Trenton Bricken and Adly Templeton and Joshua Batson and others",
    year=2023,
    url="https://transformer-circuits.pub/2023/monosemantic-features/index.html",
)
BUSSMANN_2024 = Source(
    key="bussmann2024batchtopk",
    title="BatchTopK Sparse Autoencoders",
    authors="Bart Bussmann and Patrick Leask and Neel Nanda",
    year=2024,
    url="https://arxiv.org/abs/2412.06410",
)
BUSSMANN_2025 = Source(
    key="bussmann2025matryoshka",
    title="Learning Multi-Level Features with Matryoshka Sparse Autoencoders",
    authors="Bart Bussmann and Noa Nabeshima and Adam Karvonen and Neel Nanda",
    year=2025,
    url="https://arxiv.org/abs/2503.17547",
)
COSTA_2025 = Source(
    key="costa2025matching",
    title="From Flat to Hierarchical: Extracting Sparse Representations with Matching Pursuit",
    authors="Valérie Costa and Thomas Fel and Ekdeep Singh Lubana and Bahareh Tolooshams and Demba Ba",
    year=2025,
    url="https://arxiv.org/abs/2506.03093",
)
CUNNINGHAM_2023 = Source(
    key="cunningham2023sparse",
    title="Sparse Autoencoders Find Highly Interpretable Features in Language Models",
    authors="Hoagy Cunningham and Aidan Ewart and Logan Riggs and Robert Huben and Lee Sharkey",
    year=2023,
    url="https://arxiv.org/abs/2309.08600",
)
GAO_2024 = Source(
    key="gao2024scaling",
    title="Scaling and evaluating sparse autoencoders",
    authors="Leo Gao and Tom Dupré la Tour and Henk Tillman and Gabriel Goh and Rajan Troll and Alec Radford and "
    "Ilya Sutskever and Jan Leike and Jeffrey Wu",
    year=2024,
    url="https://arxiv.org/abs/2406.04093",
)
RAJAMANOHARAN_2024_JUMPRELU = Source(
    key="rajamanoharan2024jumprelu",
    title="Jumping Ahead: Improving Reconstruction Fidelity with JumpReLU Sparse Autoencoders",
    authors="Senthooran Rajamanoharan and Tom Lieberum and Nicolas Sonnerat and Arthur Conmy and Vikrant Varma and "
    "János Kramár and Neel Nanda",
    year=2024,
    url="https://arxiv.org/abs/2407.14435",
)
MARKS_2024_CIRCUITS = Source(
    key="marks2024sparse",
    title="Sparse Feature Circuits: Discovering and Editing Interpretable Causal Graphs in Language Models",
    authors="Samuel Marks and Can Rager and Eric J. Michaud and Yonatan Belinkov and David Bau and Aaron Mueller",
    year=2024,
    url="https://arxiv.org/abs/2403.19647",
)
