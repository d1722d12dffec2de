"""Rows of `interp-lab verify`: a planted concept is found where it is, an absent one is not found."""

from functools import partial

import numpy as np
import torch

from interp_lab.claims import Split
from interp_lab.experiment import KnownAnswer
from interp_lab.linear import folds_of_groups
from interp_lab.models import load_model
from interp_lab.probes.config import ProbesConfig
from interp_lab.probes.controls import control_labels
from interp_lab.probes.drawn import TRAIN, draw
from interp_lab.probes.features import hooks_of, read_features
from interp_lab.probes.fitting import fit_probes, labelling_of
from interp_lab.probes.measuring import choose, fitted
from interp_lab.probes.planted import planted
from interp_lab.probes.scoring import hits, to_tensor
from interp_lab.stats import bounded_interval, difference_from_several
from interp_lab.tasks.labels import RANDOM, LabelName

LEAST_ACCURACY, LEAST_SELECTIVITY, LEAST_COSINE = 0.9, 0.2, 0.9
MOST_ELSEWHERE = 0.6
"""Accuracy where nothing is planted."""


def rows() -> list[KnownAnswer]:
    """Return the rows of this folder."""
    return [
        KnownAnswer(
            "probe of a planted concept",
            f"at its site accuracy >= {LEAST_ACCURACY}, selectivity >= {LEAST_SELECTIVITY}, cosine with the truth >= "
            f"{LEAST_COSINE}; elsewhere accuracy <= {MOST_ELSEWHERE}",
            finds_planted,
            partial(finds_planted, site_offset=1),
        ),
        KnownAnswer(
            "probe of a concept that is not there, organism",
            "at the chosen layer the interval of accuracy covers that of the commonest label; selectivity not above 0",
            finds_nothing,
            partial(finds_nothing, tested_on=TRAIN),
        ),
    ]


def finds_planted(*, site_offset: int = 0) -> tuple[bool, str]:
    """Whether the concept is found at its site, along its direction, and nowhere else.

    Args:
        site_offset: read the activations of the site that many places further on; anything but 0 is a sabotage.
    """
    data = planted()
    x = data.x.roll(-site_offset, dims=0)
    first = torch.as_tensor(data.documents < 100)
    train, test = first.nonzero().flatten(), (~first).nonzero().flatten()
    control = control_labels(data.types, data.labels, n=3, seed=0, n_classes=2)
    rows = to_tensor(np.concatenate([data.labels[None], control]))
    folds = folds_of_groups(data.documents[train.numpy()].tolist(), n_folds=4, seed=0)
    fit = fit_probes(x[:, train], rows[:, train], kind="ridge", folds=folds, n_classes=2)
    accuracy = hits(fit.readout, x[:, test], rows[:, test]).mean(-1)
    own, elsewhere = accuracy[0, data.site], np.delete(accuracy[0], data.site).max()
    selectivity = own - accuracy[1:, data.site].mean()
    found = labelling_of(fit.readout, 0).weights[data.site]
    cosine = float(torch.cosine_similarity(found, data.direction, dim=0))
    ok = own >= LEAST_ACCURACY and selectivity >= LEAST_SELECTIVITY and cosine >= LEAST_COSINE
    told = f"accuracy {own:.3f}, selectivity {selectivity:.3f}, cosine {cosine:.3f}, elsewhere {elsewhere:.3f}"
    return bool(ok and elsewhere <= MOST_ELSEWHERE), told


def finds_nothing(*, tested_on: str = Split.REPORT) -> tuple[bool, str]:
    """Whether labels that are in no text are not found in the organism.

    Args:
        tested_on: the examples that scores are taken on; those of training are a sabotage.
    """
    model = load_model("organism")
    config = ProbesConfig(sites=("resid_post",), n_held_out=None, n_controls=3)
    drawn = draw(model, LabelName("truth", RANDOM), config)
    x = read_features(model, drawn.examples, hooks_of(model, config.sites))
    fit, labels = fitted(x, drawn, config), drawn.examples.labels
    select, at = drawn.parts[Split.SELECT], drawn.parts[tested_on]
    wanted = to_tensor(np.concatenate([labels[None], drawn.control, np.tile(labels, (config.n_controls, 1))]))
    site = choose(hits(fit.readout, x[:, select], wanted[:, select])[0].mean(-1), tolerance=config.tolerance)
    found, templates = hits(fit.readout, x[:, at], wanted[:, at])[:, site], drawn.examples.templates[at]
    commonest = float((labels[at] == np.bincount(drawn.part(TRAIN).labels).argmax()).mean())
    accuracy = bounded_interval(found[0], templates)
    control = found[1 : 1 + config.n_controls]
    selectivity = difference_from_several(found[:1], [control], templates).intervals.at(0)
    told = f"accuracy {accuracy}, commonest label {commonest:.3f}, selectivity {selectivity}"
    return not accuracy.excludes(commonest) and selectivity.low <= 0, told
