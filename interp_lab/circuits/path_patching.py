"""Path patching: what a sender does by way of some receivers, and through nothing else but MLPs, or nothing at all.

Two definitions are in use. *MLPs recomputed* (Wang et al.): every head but the sender is held at its value on the base
prompts, the sender writes what it writes on the other prompts, and MLPs in between answer to it; what the receivers
then read is put into a run of the base prompts. *Direct*: MLPs are held, too, so that only the edges from the sender to
the receivers carry anything.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.circuits.edge_patches import instead_of
from interp_lab.circuits.graph import reads, sources, targets
from interp_lab.circuits.writes import Run, made_of, residual_of, site_of
from interp_lab.engine import Effects, sweep
from interp_lab.experiment import Progress, silent
from interp_lab.hooks import Edit, edited, masked, ready_tokens, record
from interp_lab.interventions import Combined, Intervention, Op
from interp_lab.metrics import Metric
from interp_lab.types import HookedModel, Tokens, nearest

Between = Literal["MLPs recomputed", "direct"]
"""What may carry a change from the sender to the receivers; see the module's docstring."""


def path_effects(
    model: HookedModel,
    tokens: Tokens,
    senders: Sequence[str],
    receivers: Sequence[str],
    metric: Metric,
    *,
    other: Int[Tensor, "_ _"],
    between: Between,
    mask: Bool[Tensor, "_ _"] | None = None,
    memory_budget: int | None = None,
    progress: Progress = silent,
) -> Effects:
    """Measure what each sender does to a metric by way of the receivers, exactly.

    Costs one forward pass per sender, and a sweep.

    Args:
        tokens: the base prompts (clean ones, to noise).
        senders: sources of `graph.sources`, such as `9.9` or `m0`.
        receivers: targets of `graph.targets`, such as `11.2.q` or `logits`; all of them together.
        other: prompts that senders take their writes from, aligned with the base prompts.

    Raises: ValueError, for unknown or repeated nodes, a receiver that no path from a sender reaches, or prompts that do
        not fit.
    Source: Wang et al. 2022, arXiv 2211.00593 (Algorithm 1); Goldowsky-Dill et al. 2023, arXiv 2304.05969.
    """
    _require_nodes(model, senders, receivers)
    tokens = ready_tokens(model, tokens)
    here = Run.of(model, tokens, mask).checked
    there = instead_of(model, tokens, other, "resample", mask=mask).run
    assert there is not None, "resample ablation has a run to take values from"
    cuts: list[Combined] = []
    with torch.inference_mode():
        for nth, sender in enumerate(senders):
            changed = _read_after(here, there, sender, receivers, between=between, tokens=tokens, mask=mask)
            reached = [one for one in receivers if reads(model, one, sender)]
            parts = tuple(_put(model, one, changed[one], sender=sender) for one in reached)
            cuts.append(Combined(parts, f"{sender} by way of {', '.join(receivers)}"))
            progress(nth + 1, len(senders), "senders")
    return sweep(model, tokens, cuts, metric, mask=mask, memory_budget=memory_budget)


def _put(model: HookedModel, receiver: str, read: Tensor, *, sender: str) -> Intervention:
    """Let a receiver make what it would of another input."""
    made, name = made_of(model, receiver, read), f"{sender} by way of {receiver}"
    return Intervention((site_of(model, receiver),), Op.REPLACE, (made,), name, per_example=True)


def _require_nodes(model: HookedModel, senders: Sequence[str], receivers: Sequence[str]) -> None:
    for named, known, what in ((senders, sources(model), "sender"), (receivers, targets(model), "receiver")):
        if not named:
            raise ValueError(f"no {what}s are given; name at least one, such as {known[-1]!r}")
        if len(set(named)) < len(named):
            raise ValueError(f"the {what}s {', '.join(named)} name one twice; name each once")
        strange = [one for one in named if one not in known]
        if strange:
            raise ValueError(f"the model has no {what} {strange[0]!r}{nearest(strange[0], known)}")
    for sender in senders:
        if not any(reads(model, one, sender) for one in receivers):
            raise ValueError(
                f"no path runs from {sender} to {', '.join(receivers)}: all of these read only what was written before "
                "it; take a lower sender or a later receiver"
            )


def _read_after(
    here: Run,
    there: Run,
    sender: str,
    receivers: Sequence[str],
    *,
    between: Between,
    tokens: Tokens,
    mask: Tensor | None,
) -> dict[str, Float[Tensor, "batch pos d_model"]]:
    """Return what the receivers read once the sender has changed."""
    if between == "direct":
        change = there.written(sender) - here.written(sender)
        return {one: here.read(one) + change for one in receivers}
    model, streams = here.model, list(dict.fromkeys(residual_of(here.model, one) for one in receivers))
    with edited(model, _holding(here, there, sender)), record(model, streams) as kept:
        model(tokens, **masked(tokens, mask))
    return {one: kept[residual_of(model, one)] for one in receivers}


def _holding(here: Run, there: Run, sender: str) -> dict[str, Edit]:
    """Return edits that hold every head at its value here, and the sender at its value there."""

    def held(value: Tensor) -> Edit:
        return lambda _: value

    edits: dict[str, Edit] = {}
    for layer in range(int(here.model.cfg.n_layers)):
        name = f"blocks.{layer}.attn.hook_z"
        z = here.kept[name]
        if sender.split(".")[0] == str(layer) and "." in sender:
            head, z = int(sender.split(".")[1]), z.clone()
            z[:, :, head] = there.kept[name][:, :, head]
        edits[name] = held(z)
    if "." not in sender:
        hook = f"blocks.{sender[1:]}.hook_mlp_out" if sender.startswith("m") else f"hook_{sender}"
        edits[hook] = held(there.kept[hook])
    return edits
