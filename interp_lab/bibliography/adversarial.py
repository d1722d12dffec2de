"""Searches for inputs that make a model do something."""

from interp_lab.bibliography.source import Source

EBRAHIMI_2018 = Source(
    key="ebrahimi2018hotflip",
    title="HotFlip: White-Box Adversarial Examples for Text Classification",
    authors="Javid Ebrahimi and Anyi Rao and Daniel Lowd and Dejing Dou",
    year=2018,
    url="https://arxiv.org/abs/1712.06751",
)
ZOU_2023_GCG = Source(
    key="zou2023universal",
    title="Universal and Transferable Adversarial Attacks on Aligned Language Models",
    authors="Andy Zou and Zifan Wang and Nicholas Carlini and Milad Nasr and J. Zico Kolter and Matt Fredrikson",
    year=2023,
    url="https://arxiv.org/abs/2307.15043",
)
THOMPSON_2024 = Source(
    key="thompson2024fluent",
    title="Fluent Dreaming for Language Models",
    authors="T. Ben Thompson and Zygimantas Straznickas and Michael Sklar",
    year=2024,
    url="https://arxiv.org/abs/2402.01702",
)
