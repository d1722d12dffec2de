"""Monitors that other runs made: a probe, a latent of an autoencoder, a saved direction."""

from pathlib import Path
from typing import Any

import torch

from interp_lab.config import RunRef
from interp_lab.directions import Directions, from_run, load_directions
from interp_lab.directions.encoder_row import encoder_row
from interp_lab.production.monitors.monitor import Monitor
from interp_lab.runs import read_run
from interp_lab.types import HookedModel


def monitor_from_run(ref: RunRef, model: HookedModel, *, name: str | None = None, **settings: Any) -> Monitor:  # noqa: ANN401 - fields of `Monitor`
    """Return a monitor of what another run made; what `ref.artefact` names is as for `directions.from_run`.

    - a probe: `LABEL` or `LABEL@SITE`, its score as it was fitted, bias included.
    - a latent: `#LATENT` or `NAME#LATENT`, its value; behind ` pre`, as in `#12 pre`, the score before its activation
      function, which is all that can be read of a TopK latent token by token.
    - a direction: `NAME`, the projection on it, in units of activation.

    Args:
        name: of the monitor; `None` takes the artefact's.
        settings: other fields of `Monitor`.

    Raises: ValueError, as `from_run` and `encoder_row`, or for directions of several hook points.
    """
    named = ref.artefact if name is None else name
    if "#" in ref.artefact:
        artefact, _, pre = ref.artefact.partition(" ")
        row = encoder_row(
            ref.model_copy(update={"artefact": artefact}), model, by="pre-activation" if pre == "pre" else "latent"
        )
        own: dict[str, Any] = {"after": row.after, "jump": row.jump, "bias": row.bias, "model": row.model}
        return Monitor(named, row.hook, row.weights, **own, **settings)
    found = from_run(ref, model)
    if found.method.endswith("probe") and "site" in found.about:
        return _of_probe(ref, found, named, settings)
    return monitor_of(found, name=named, **settings)


def monitor_from_file(path: Path, model: HookedModel, *, name: str | None = None, **settings: Any) -> Monitor:  # noqa: ANN401 - as above
    """Return a monitor of the direction that `save_directions` wrote.

    Raises: ValueError, if it holds none or several, or belongs to another model.
    """
    found = load_directions(path)
    found.require_fits(model)
    return monitor_of(found, name=found.name if name is None else name, **settings)


def monitor_of(directions: Directions, *, name: str, **settings: Any) -> Monitor:  # noqa: ANN401 - as above
    """Return the monitor that reads how far along a direction activations lie.

    Raises: ValueError, for directions of several hook points.
    """
    if len(directions.hooks) > 1:
        raise ValueError(
            f"directions {directions.name!r} are of {len(directions.hooks)} hook points; take one, with only([HOOK])"
        )
    unit = torch.nn.functional.normalize(directions.vectors[0].float(), dim=0)
    return Monitor(name, directions.hooks[0], unit, model=directions.model, **settings)


def _of_probe(ref: RunRef, found: Directions, name: str, settings: dict[str, Any]) -> Monitor:
    """Return a probe as it was fitted: its direction may be of another length, and has no bias."""
    arrays = read_run(ref.run).arrays()
    labels = [str(arrays[f"{nth}_label"]) for nth in range(int(arrays["n_labels"]))]
    own = labels.index(ref.artefact.partition("@")[0])
    positions, hooks = arrays[f"{own}_positions"].tolist(), arrays[f"{own}_hooks"].tolist()
    places = [f" at {place}" if len(positions) > 1 else "" for place in positions]
    sites = [hook.removeprefix("blocks.") + place for hook in hooks for place in places]
    nth = sites.index(str(found.about["site"]))
    weights, bias = torch.as_tensor(arrays[f"{own}_weights"][nth]), float(arrays[f"{own}_bias"][nth])
    return Monitor(name, found.hooks[0], weights, bias=bias, model=found.model, **settings)
