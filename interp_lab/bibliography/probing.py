"""Probes and lenses."""

from interp_lab.bibliography.source import Source

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
GURNEE_2023 = Source(
    key="gurnee2023haystack",
    title="Finding Neurons in a Haystack: Case Studies with Sparse Probing",
    authors="Wes Gurnee and Neel Nanda and Matthew Pauly and Katherine Harvey and Dmitrii Troitskii and "
    "Dimitris Bertsimas",
    year=2023,
    url="https://arxiv.org/abs/2305.01610",
)
