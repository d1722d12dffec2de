"""Measure one label on one model: probes at every site, everything that is needed to judge them, and their use."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.claims import Split
from interp_lab.effects.confirming import places_of
from interp_lab.linear import FoldedFit, centroids_in_folds
from interp_lab.models.untrained import untrained_copies
from interp_lab.probes.baselines import majority_hits, token_hits, word_hits
from interp_lab.probes.config import ProbesConfig
from interp_lab.probes.drawn import TRAIN, Drawn, draw
from interp_lab.probes.examples import ProbeExamples
from interp_lab.probes.extras import calibration, contrast, transfer
from interp_lab.probes.features import hooks_of, read_features
from interp_lab.probes.fitting import fit_probes, labelling_of
from interp_lab.probes.measured import Probed, SplitScores, sites_named
from interp_lab.probes.scoring import hits, to_tensor
from interp_lab.probes.use import Direct, directions_used
from interp_lab.tasks.labels import LabelName
from interp_lab.types import HookedModel


def measure_label(model: HookedModel, name: LabelName, config: ProbesConfig) -> Probed:
    """Fit and score probes of one label at every site, beside all controls.

    Raises: ValueError, as `draw`, `hooks_of`, `stated_site` and the fits.
    """
    drawn, hooks = draw(model, name, config), hooks_of(model, config.sites)
    x = read_features(model, drawn.examples, hooks, batch_size=config.batch_size)
    fit = fitted(x, drawn, config)
    bare = untrained_hits(model, hooks, drawn, config)
    scores = {split: split_scores(x, fit, drawn, split, untrained=bare) for split in drawn.splits}
    own = labelling_of(fit.readout, 0)
    chosen = stated_site(str(name), hooks, config)
    if chosen is None:
        chosen = choose(scores[Split.SELECT].probe.mean(-1), tolerance=config.tolerance)
    train, at = drawn.part(TRAIN), x[chosen]
    directions = _directions(fit, at[drawn.parts[TRAIN]], train, chosen)
    penalty = fit.penalty[0].numpy()
    given = Direct(
        name, chosen, hooks[chosen // len(config.positions)], directions, _off_labels(fit, at, drawn, chosen)
    )
    use, ways, why_not = directions_used(model, given, at[drawn.parts[TRAIN]], train, config)
    return Probed(
        label=str(name), values=drawn.examples.values, kind=config.kind, hooks=hooks, positions=config.positions,
        weights=own.weights.numpy(), bias=own.bias.numpy(), penalty=penalty, chosen=chosen, scores=scores,
        directions=directions.numpy(),
        templates=transfer(at, drawn, drawn.examples.templates, penalty[chosen], config),
        topics=None if config.topic is None else
        transfer(at, drawn, drawn.examples.topics, penalty[chosen], config),
        calibration=calibration(at, drawn, config), contrast=contrast(at, drawn, config),
        ways=ways, use=use, why_not=why_not,
    )  # fmt: skip


def fitted(x: Float[Tensor, "site example d"], drawn: Drawn, config: ProbesConfig) -> FoldedFit:
    """Fit the labels, the control tasks and the shuffled labels, in this order, at every site."""
    at = drawn.parts[TRAIN]
    rows = np.concatenate([drawn.examples.labels[None, at], drawn.control[:, at], drawn.shuffled])
    return fit_probes(
        x[:, at], to_tensor(rows), kind=config.kind, folds=drawn.folds, penalties=config.penalties,
        n_classes=drawn.examples.n_classes,
    )  # fmt: skip


def choose(scores: Float[np.ndarray, " site"], *, tolerance: float) -> int:
    """Return the first site whose score is within a tolerance of the best."""
    return int(np.flatnonzero(scores >= scores.max() - tolerance)[0])


def stated_site(label: str, hooks: Sequence[str], config: ProbesConfig) -> int | None:
    """Return the site that was stated in advance for a label; `None` if none was.

    Raises: ValueError, for one that is not read, with the nearest.
    """
    if config.chosen is None or label not in config.chosen:
        return None
    site, _ = config.chosen[label]
    return places_of([site], sites_named(hooks, config.positions), what="site that is read")[0]


def split_scores(
    x: Float[Tensor, "site example d"],
    fit: FoldedFit,
    drawn: Drawn,
    split: Split,
    *,
    untrained: Float[np.ndarray, "copy site example"],
) -> SplitScores:
    """Score the probes, the control tasks, shuffled labels, untrained models and words on one split."""
    at, n = drawn.parts[split], len(drawn.shuffled)
    train, test = drawn.part(TRAIN), drawn.part(split)
    true = to_tensor(test.labels)
    wanted = torch.cat([true[None], to_tensor(drawn.control[:, at]), true.expand(n, -1)])
    found = hits(fit.readout, x[:, at], wanted)
    return SplitScores(
        probe=found[0], control=found[1 : 1 + n], control_majority=control_majority(drawn, split),
        shuffled=found[1 + n :], untrained=untrained[..., at],
        majority=majority_hits(train, test), token=token_hits(train, test),
        words=word_hits(train, test, folds=drawn.folds), templates=test.templates, documents=test.documents,
        was_stated=np.isin(test.statements, train.statements),
    )  # fmt: skip


def control_majority(drawn: Drawn, split: Split) -> Float[np.ndarray, "draw example"]:
    """Score the commonest label of each control task in training (of numbers, the mean) on one split."""
    train, test = drawn.part(TRAIN), drawn.part(split)
    return np.stack([
        majority_hits(replace(train, labels=row[drawn.parts[TRAIN]]), replace(test, labels=row[drawn.parts[split]]))
        for row in drawn.control
    ])  # fmt: skip


def untrained_hits(
    model: HookedModel, hooks: tuple[str, ...], drawn: Drawn, config: ProbesConfig
) -> Float[np.ndarray, "copy site example"]:
    """Score probes of the same labels in models of random weights, on all examples; those trained on count nowhere."""
    train, labels = drawn.parts[TRAIN], to_tensor(drawn.examples.labels[None])
    found = []
    for other in untrained_copies(model, config.n_untrained, seed=config.seed):
        x = read_features(other, drawn.examples, hooks, batch_size=config.batch_size)
        fit = fit_probes(
            x[:, train], labels[:, train], kind=config.kind, folds=drawn.folds, penalties=config.penalties,
            n_classes=drawn.examples.n_classes,
        )  # fmt: skip
        found.append(_by_split(fit, x, labels, drawn))
    return np.stack(found)


def _by_split(fit: FoldedFit, x: Tensor, labels: Tensor, drawn: Drawn) -> Float[np.ndarray, "site example"]:
    """Score each split for itself: the skill of numbers goes by the variance among what is scored."""
    found = np.full(x.shape[:2], np.nan)
    for split in drawn.splits:
        at = drawn.parts[split]
        found[:, at] = hits(fit.readout, x[:, at], labels[:, at])[0]
    return found


def _directions(fit: FoldedFit, at: Tensor, train: ProbeExamples, chosen: int) -> Float[Tensor, "direction d"]:
    """Return the probe's direction at a site, and the difference of the class means; none of three or more classes."""
    own = labelling_of(fit.readout, 0).weights
    if train.n_classes is None:
        return own[chosen][None]
    if train.n_classes > 2:
        return own.new_zeros(0, own.shape[-1])
    means = centroids_in_folds(at, to_tensor(train.labels[None]), n_classes=2).weights
    return torch.stack([own[chosen], means[0]])


def _off_labels(fit: FoldedFit, at: Tensor, drawn: Drawn, chosen: int) -> Float[Tensor, "direction draw d"]:
    """Return the same directions, of the shuffled labels."""
    n = len(drawn.shuffled)
    if drawn.examples.n_classes not in (None, 2):
        return at.new_zeros(0, n, at.shape[-1])
    probes = torch.stack([labelling_of(fit.readout, 1 + n + nth).weights[chosen] for nth in range(n)])
    if drawn.examples.n_classes is None:
        return probes[None]
    means = centroids_in_folds(at[drawn.parts[TRAIN]], to_tensor(drawn.shuffled), n_classes=2).weights
    return torch.stack([probes, means])
