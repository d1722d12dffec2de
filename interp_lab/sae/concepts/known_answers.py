"""Rows of `interp-lab verify`: a planted concept is found, an absent one is not, true features are learnt."""

from dataclasses import replace
from functools import partial

import torch

from interp_lab.claims import Split
from interp_lab.experiment import KnownAnswer
from interp_lab.sae.concepts.config import ConceptsConfig
from interp_lab.sae.concepts.judged import Judged
from interp_lab.sae.concepts.measuring import measure_concepts
from interp_lab.sae.concepts.planted import HOOK, Planted, planted
from interp_lab.sae.concepts.sides import Kind
from interp_lab.sae.concepts.synthetic import SyntheticSource, recovery, synthetic_model
from interp_lab.sae.training import SaeConfig, TrainingConfig, train_saes
from interp_lab.sae.training.architectures import TopKSae

FEATURE = 3
LEAST_MCC, MOST_MCC_BY_CHANCE = 0.9, 0.6
_CONFIG = ConceptsConfig(n_random=3, n_shuffled=5, k=(1,))


def rows() -> list[KnownAnswer]:
    """Return the rows of this folder."""
    return [
        KnownAnswer(
            "best feature of a planted concept",
            f"feature {FEATURE}, clearly above random dictionaries, shuffled labels and the best coordinate, also on "
            "held-out templates",
            finds_planted,
            partial(finds_planted, feature=None),
        ),
        KnownAnswer(
            "best feature of a concept that is not there",
            "not found: its score on texts that did not choose it is no more than chance",
            finds_nothing,
            partial(finds_nothing, reported_on=Split.SELECT),
        ),
        KnownAnswer(
            "autoencoder trained on known features",
            f"mean cosine with the true directions >= {LEAST_MCC}, of random directions <= {MOST_MCC_BY_CHANCE}",
            learns_true_features,
            partial(learns_true_features, n_tokens=1024),
        ),
    ]


def finds_planted(*, feature: int | None = FEATURE) -> tuple[bool, str]:
    """Whether the feature that is the concept is chosen, and holds on other texts and templates.

    Args:
        feature: that is the concept; `None`, no feature is, is a sabotage.
    """
    one = judged(planted(feature=feature))
    again, beside = one.is_found(Split.HELD_OUT), one.beyond(Kind.COORDINATE)
    ok = one.measured.feature == FEATURE and one.is_found() and again and beside.low > 0
    told = f"feature {one.measured.feature}, score {one.score(Kind.FEATURE)}, beyond the best coordinate {beside}"
    return ok, told


def finds_nothing(*, reported_on: Split = Split.REPORT) -> tuple[bool, str]:
    """Whether the best of many features that have nothing to do with a concept is not called found.

    Args:
        reported_on: texts that scores are taken on; those that chose are a sabotage.
    """
    data = planted(feature=None, n_latents=128, n_documents=48)
    if reported_on is Split.SELECT:
        parts = {**data.tokens.parts, Split.REPORT: data.tokens.parts[Split.SELECT]}
        data = replace(data, tokens=replace(data.tokens, parts=parts))
    one = judged(data)
    score = one.score(Kind.FEATURE)
    told = f"chosen at {one.measured.chosen[0]:.3f}, score {score}, shuffled {one.beyond_chance('shuffled')}"
    return not one.is_found() and score.low <= 0.5, told


def judged(data: Planted) -> Judged:
    """Measure what was planted."""
    (measured,) = measure_concepts(data.tokens, data.x, hook=HOOK, codec=data.codec, config=_CONFIG)
    return Judged(measured, _CONFIG)


def learns_true_features(*, n_tokens: int = 153_600) -> tuple[bool, str]:
    """Whether our training finds the directions of a synthetic model of SAE Lens.

    Args:
        n_tokens: activations to train on; a single batch is a sabotage.
    """
    source = SyntheticSource(synthetic_model())
    truth = source.truth.feature_dict.feature_vectors
    sae = SaeConfig(architecture=TopKSae(k=2), width=2 * len(truth), learning_rate=3e-3)
    config = TrainingConfig(saes={"sae": sae}, n_tokens=n_tokens, batch_size=1024, n_first=1, device="cpu")
    learnt = train_saes(source, config)["sae"].sae.W_dec.detach()
    drawn = torch.randn(learnt.shape, generator=torch.Generator().manual_seed(17))
    found, chance = recovery(learnt, truth), recovery(drawn, truth)
    return found >= LEAST_MCC and chance <= MOST_MCC_BY_CHANCE, f"{found:.3f}, random directions {chance:.3f}"
