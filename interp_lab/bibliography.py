"""What the methods stand on: every publication once, for docstrings to name and `interp-lab cite` to print."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A publication that a method or a number comes from."""

    key: str
    """Citation key, such as `olsson2022induction`."""
    title: str
    authors: str
    year: int
    url: str
    """Where to read it; an arXiv address where there is one."""

    def bibtex(self) -> str:
        """Return a BibTeX entry."""
        entries = {"title": self.title, "author": self.authors, "year": self.year, "url": self.url}
        return "\n".join([f"@misc{{{self.key},", *(f"  {name} = {{{value}}}," for name, value in entries.items()), "}"])


BENJAMINI_1995 = Source(
    key="benjamini1995fdr",
    title="Controlling the False Discovery Rate: A Practical and Powerful Approach to Multiple Testing",
    authors="Yoav Benjamini and Yosef Hochberg",
    year=1995,
    url="https://doi.org/10.1111/j.2517-6161.1995.tb02031.x",
)
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
RIPPEL_2014 = Source(
    key="rippel2014nested",
    title="Learning Ordered Representations with Nested Dropout",
    authors="Oren Rippel and Michael A. Gelbart and Ryan P. Adams",
    year=2014,
    url="https://arxiv.org/abs/1402.0915",
)
VASWANI_2017 = Source(
    key="vaswani2017attention",
    title="Attention Is All You Need",
    authors="Ashish Vaswani and others",
    year=2017,
    url="https://arxiv.org/abs/1706.03762",
)
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
SUNDARARAJAN_2017 = Source(
    key="sundararajan2017axiomatic",
    title="Axiomatic Attribution for Deep Networks",
    authors="Mukund Sundararajan and Ankur Taly and Qiqi Yan",
    year=2017,
    url="https://arxiv.org/abs/1703.01365",
)
SYED_2023 = Source(
    key="syed2023attribution",
    title="Attribution Patching Outperforms Automated Circuit Discovery",
    authors="Aaquib Syed and Can Rager and Arthur Conmy",
    year=2023,
    url="https://arxiv.org/abs/2310.10348",
)
WANG_2022 = Source(
    key="wang2022ioi",
    title="Interpretability in the Wild: a Circuit for Indirect Object Identification in GPT-2 small",
    authors="Kevin Wang and Alexandre Variengien and Arthur Conmy and Buck Shlegeris and Jacob Steinhardt",
    year=2022,
    url="https://arxiv.org/abs/2211.00593",
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
BELROSE_2023 = Source(
    key="belrose2023tuned",
    title="Eliciting Latent Predictions from Transformers with the Tuned Lens",
    authors="Nora Belrose and others",
    year=2023,
    url="https://arxiv.org/abs/2303.08112",
)
GHANDEHARIOUN_2024 = Source(
    key="ghandeharioun2024patchscopes",
    title="Patchscopes: A Unifying Framework for Inspecting Hidden Representations of Language Models",
    authors="Asma Ghandeharioun and Avi Caciularu and Adam Pearce and Lucas Dixon and Mor Geva",
    year=2024,
    url="https://arxiv.org/abs/2401.06102",
)
NOSTALGEBRAIST_2020 = Source(
    key="nostalgebraist2020logit",
    title="interpreting GPT: the logit lens",
    authors="nostalgebraist",
    year=2020,
    url="https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru/interpreting-gpt-the-logit-lens",
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
ALAIN_2017 = Source(
    key="alain2017probes",
    title="Understanding intermediate layers using linear classifier probes",
    authors="Guillaume Alain and Yoshua Bengio",
    year=2017,
    url="https://arxiv.org/abs/1610.01644",
)
GUO_2017 = Source(
    key="guo2017calibration",
    title="On Calibration of Modern Neural Networks",
    authors="Chuan Guo and Geoff Pleiss and Yu Sun and Kilian Q. Weinberger",
    year=2017,
    url="https://arxiv.org/abs/1706.04599",
)
HEWITT_2019 = Source(
    key="hewitt2019control",
    title="Designing and Interpreting Probes with Control Tasks",
    authors="John Hewitt and Percy Liang",
    year=2019,
    url="https://arxiv.org/abs/1909.03368",
)
MARKS_2024 = Source(
    key="marks2024truth",
    title="The Geometry of Truth: Emergent Linear Structure in Large Language Model Representations of "
    "True/False Datasets",
    authors="Samuel Marks and Max Tegmark",
    year=2024,
    url="https://arxiv.org/abs/2310.06824",
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
YEH_2019 = Source(
    key="yeh2019infidelity",
    title="On the (In)fidelity and Sensitivity of Explanations",
    authors="Chih-Kuan Yeh and others",
    year=2019,
    url="https://arxiv.org/abs/1901.09392",
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
SONG_2012 = Source(
    key="song2012feature",
    title="Feature Selection via Dependence Maximization",
    authors="Le Song and Alex Smola and Arthur Gretton and Justin Bedo and Karsten Borgwardt",
    year=2012,
    url="https://jmlr.org/papers/v13/song12a.html",
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
DELONG_1988 = Source(
    key="delong1988roc",
    title="Comparing the Areas under Two or More Correlated Receiver Operating Characteristic Curves: A Nonparametric "
    "Approach",
    authors="Elizabeth R. DeLong and David M. DeLong and Daniel L. Clarke-Pearson",
    year=1988,
    url="https://doi.org/10.2307/2531595",
)
GURNEE_2023 = Source(
    key="gurnee2023haystack",
    title="Finding Neurons in a Haystack: Case Studies with Sparse Probing",
    authors="Wes Gurnee and Neel Nanda and Matthew Pauly and Katherine Harvey and Dmitrii Troitskii and "
    "Dimitris Bertsimas",
    year=2023,
    url="https://arxiv.org/abs/2305.01610",
)
ARAD_2025 = Source(
    key="arad2025steering",
    title="SAEs Are Good for Steering -- If You Select the Right Features",
    authors="Dana Arad and Aaron Mueller and Yonatan Belinkov",
    year=2025,
    url="https://arxiv.org/abs/2505.20063",
)
MARKS_2024_CIRCUITS = Source(
    key="marks2024sparse",
    title="Sparse Feature Circuits: Discovering and Editing Interpretable Causal Graphs in Language Models",
    authors="Samuel Marks and Can Rager and Eric J. Michaud and Yonatan Belinkov and David Bau and Aaron Mueller",
    year=2024,
    url="https://arxiv.org/abs/2403.19647",
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
    authors="Alexander Matt Turner and others",
    year=2023,
    url="https://arxiv.org/abs/2308.10248",
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
