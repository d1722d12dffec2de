"""Without the direction of the neighbourhood, are loans decided alike everywhere, and by finances as before?

Usage: python experiments/mitigate_loans.py [--key.path=value ...]
"""

import sys
from dataclasses import replace
from pathlib import Path

import torch

from interp_lab.config import parse_overrides
from interp_lab.directions import contrast_activations, directions_of
from interp_lab.interventions import Intervention, Op, applied
from interp_lab.models import load_model
from interp_lab.registry import load_experiment
from interp_lab.stats import mean_interval
from interp_lab.steering.traits import contrast_of
from interp_lab.training.conduct import conduct_of
from interp_lab.types import Site


def gap(model, prompts):  # noqa: ANN001, ANN201 - rejections where the neighbourhood is not favoured, less the others
    share, side = prompts.share(), torch.tensor(prompts.sides).float()
    return replace(share, unit="probability", data=(side,), score=lambda logits, side: side * share.score(logits))


experiment = load_experiment(Path(__file__).parent / "configs/steer_loans.yaml", parse_overrides(sys.argv[1:]))
model, c = load_model(experiment.config.model), experiment.config
result = experiment.measure(model, target=gap)
print(result.summary())
place, texts = result.family(result.leading[-1]).place, contrast_of(c.trait, c.n_contrast, seed=c.seed, reserved=False)
found = directions_of(contrast_activations(model, texts, tuple(dict.fromkeys(place.read))))
vectors = tuple(found.at(hook).vector for hook in place.read)
before = conduct_of(model, n_examples=240, seed=c.seed + 9, behaviours=["loans"])
with applied(model, Intervention(tuple(map(Site, place.hooks)), Op.PROJECT_OUT, vectors, "ablation")):
    after = conduct_of(model, n_examples=240, seed=c.seed + 9, behaviours=["loans"])
for name, (values, templates) in {name: before.of(name) for name in before.values}.items():
    print(f"{name}: {values.mean():.3f}; ablated, a change of {mean_interval(after.of(name)[0] - values, templates)}")
