"""Rows of `interp-lab verify`: a planted direction is found, its sign with it, and read off the token that is meant."""

from functools import partial
from typing import Any

import torch
from torch import Tensor

from interp_lab.directions import ContrastActivations, Read, contrast_activations, directions_of, shuffled
from interp_lab.experiment import KnownAnswer
from interp_lab.identity import ModelIdentity, WeightProcessing
from interp_lab.models import load_model
from interp_lab.tasks.contrast import Contrast

LEAST_COSINE, LEAST_SORTED = 0.99, 0.95
"""Of what is found with what was planted; of held-out texts on their own side (share)."""
_D, _N = 32, 4096


def rows() -> list[KnownAnswer]:
    """Return the rows about finding directions."""
    return [
        KnownAnswer(
            "direction of a planted contrast, uneven noise",
            f"mean difference: cosine with the planted direction >= {LEAST_COSINE}",
            partial(finds_planted, ("mean_difference",), uneven=True),
            partial(finds_planted, ("mean_difference",), uneven=True, shuffle=True),
        ),
        KnownAnswer(
            "direction of a planted contrast, even noise",
            f"logistic, LDA and PCA: cosine with the planted direction >= {LEAST_COSINE}",
            partial(finds_planted, ("logistic", "lda", "pca")),
            partial(finds_planted, ("logistic", "lda"), shuffle=True),
        ),
        KnownAnswer(
            "side that a direction points to",
            f"every method: of texts that it has not seen, >= {LEAST_SORTED} lie on their own side",
            points_to_positive,
            partial(points_to_positive, factor=-1.0),
        ),
        KnownAnswer(
            "token that a direction is read at, organism",
            "where words enter the model, of two texts that end with different words: the difference of their vectors",
            reads_last_word,
            partial(reads_last_word, read="all"),
        ),
    ]


def finds_planted(methods: tuple[str, ...], *, uneven: bool = False, shuffle: bool = False) -> tuple[bool, str]:
    """Whether methods find the direction along which two sides differ.

    Args:
        uneven: make the noise 50 times as strong along some axes as along others.
        shuffle: swap the partners of half of the pairs; a sabotage.
    """
    found, planted = planted_contrast(uneven=uneven)
    made = [
        shuffled(found, 1, seed=0, method=method)[0] if shuffle else directions_of(found, method) for method in methods
    ]
    cosines = [float(torch.cosine_similarity(one.vectors[0], planted, dim=0)) for one in made]
    told = ", ".join(f"{method} {cosine:.4f}" for method, cosine in zip(methods, cosines, strict=True))
    return min(cosines) >= LEAST_COSINE, f"cosine: {told}"


def points_to_positive(*, factor: float = 1.0) -> tuple[bool, str]:
    """Whether directions point from the negative to the positive side.

    Args:
        factor: of the direction; anything below 0 is a sabotage.
    """
    found, _ = planted_contrast(background=True)
    half = range(_N // 2)
    rest = found.rows(range(_N // 2, _N))
    shares = {}
    for method in ("mean_difference", "pca", "logistic", "lda", "mean_centred"):
        vector = directions_of(found.rows(half), method).times(factor).vectors[0]
        shares[method] = float(((rest.positive[0] - rest.negative[0]) @ vector > 0).double().mean())
    told = ", ".join(f"{method} {share:.3f}" for method, share in shares.items())
    return min(shares.values()) >= LEAST_SORTED, f"share: {told}"


def reads_last_word(*, read: Read = "last") -> tuple[bool, str]:
    """Whether what is read of a text is its last token.

    Args:
        read: anything but the last token is a sabotage.
    """
    model: Any = load_model("organism", device="cpu")
    words = ("loved", "hated")
    starts = ("it was one they simply", "Ben found it")
    positive, negative = (tuple(f"{start} {word}" for start in starts) for word in words)
    contrast = Contrast("words", positive, negative, starts, starts, paired=True)
    found = directions_of(contrast_activations(model, contrast, ["hook_embed"], read=read)).vectors[0]
    first, second = (model.tokenizer(word, add_special_tokens=False)["input_ids"][-1] for word in words)
    true: Tensor = (model.W_E[first] - model.W_E[second]).detach()
    off = float((found - true).norm() / true.norm())
    return off < 1e-5, f"off by {off:.2g} of the difference's length"


def planted_contrast(
    *, uneven: bool = False, background: bool = False, distance: float = 3.0, seed: int = 0
) -> tuple[ContrastActivations, Tensor]:
    """Return activations of two sides that differ along one direction, and that direction, of length one.

    Args:
        distance: of the two means, in standard deviations of (even) noise.
        background: stand half-way between the two.
    """
    generator = torch.Generator().manual_seed(seed)
    planted = torch.nn.functional.normalize(torch.randn(_D, generator=generator), dim=0)
    scales = torch.logspace(-1.2, 0.5, _D) if uneven else torch.ones(_D)
    negative = torch.randn(1, _N, _D, generator=generator) * scales
    positive = torch.randn(1, _N, _D, generator=generator) * scales + distance * planted
    found = ContrastActivations(
        positive=positive,
        negative=negative,
        hooks=("blocks.0.hook_resid_post",),
        model=ModelIdentity("planted", WeightProcessing(), 1, _D, 1),
        name="planted",
        paired=True,
        positive_templates=("drawn",) * _N,
        negative_templates=("drawn",) * _N,
        background=distance / 2 * planted[None] if background else None,
    )
    return found, planted
