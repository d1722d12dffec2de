"""Monitors that other runs made: a whole one, a probe, a latent of an autoencoder, a saved direction."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from interp_lab.config import RunRef
from interp_lab.directions import Directions, from_run, load_directions
from interp_lab.directions.encoder_row import encoder_row
from interp_lab.production.monitors.monitor import Monitor
from interp_lab.runs import read_run
from interp_lab.types import HookedModel, Interval

WHOLE = "monitor"
"""In `about` of a direction: what else it takes to make a monitor of it."""
_KEPT = ("bias", "after", "jump", "over", "reads", "threshold", "higher_is_alarm", "at_least")


def monitor_from_run(ref: RunRef, model: HookedModel, *, name: str | None = None, **settings: Any) -> Monitor:  # noqa: ANN401 - fields of `Monitor`
    """Return a monitor of what another run made; what `ref.artefact` names is as for `directions.from_run`.

    - a probe: `LABEL` or `LABEL@SITE`, its score as it was fitted, bias included.
    - a latent: `#LATENT` or `NAME#LATENT`, its value; behind ` pre`, as in `#12 pre`, the score before its activation
      function, which is all that can be read of a TopK latent token by token.
    - a whole monitor: `monitor` of a run of `monitors`, with its bias, threshold and the false positives that this
      stands for.
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
    """Return the monitor that reads how far along a direction activations lie, or that `as_directions` was given.

    Raises: ValueError, for directions of several hook points, or settings under which the threshold of a whole monitor
        does not hold.
    """
    if len(directions.hooks) > 1:
        raise ValueError(
            f"directions {directions.name!r} are of {len(directions.hooks)} hook points; take one, with only([HOOK])"
        )
    if WHOLE in directions.about:
        return _whole(directions, name, settings)
    unit = torch.nn.functional.normalize(directions.vectors[0].float(), dim=0)
    return Monitor(name, directions.hooks[0], unit, model=directions.model, **settings)


def as_directions(one: Monitor, *, method: str, about: Mapping[str, Any]) -> Directions:
    """Return a monitor as a direction, which can be saved, steered along, and made a monitor again by `monitor_of`.

    What its alarms set off is left out: that is for whoever watches to say.

    Raises: ValueError, for a monitor of which it is not known on which model it was made.
    """
    if one.model is None:
        raise ValueError(f"monitor {one.name!r} does not say on which model it was made; give it a model")
    told = {name: getattr(one, name) for name in _KEPT}
    told["promised"] = None if one.promised is None else asdict(one.promised)
    return Directions(one.weights[None], (one.hook,), one.model, method, one.name, {**about, WHOLE: told})


def _whole(directions: Directions, name: str, settings: dict[str, Any]) -> Monitor:
    kept = dict(directions.about[WHOLE])
    promised = kept.pop("promised")
    changed = sorted(key for key in settings if key in kept and key != "threshold" and settings[key] != kept[key])
    if "times" in directions.about:
        changed.append("length")
    if changed and "threshold" not in settings and kept["threshold"] is not None:
        raise ValueError(
            f"the threshold of {directions.name!r} does not hold with another {' and '.join(changed)}; give a "
            "threshold of your own as well, or leave that as it was made"
        )
    own: dict[str, Any] = {**kept, **settings}
    if promised is not None and "threshold" not in settings:
        own["promised"] = Interval(**promised)
    return Monitor(name, directions.hooks[0], directions.vectors[0], model=directions.model, **own)


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
