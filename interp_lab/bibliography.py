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
