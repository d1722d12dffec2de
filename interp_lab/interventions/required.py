"""What an intervention asks of a model and of its prompts, checked before anything runs."""

from interp_lab.hooks import require_editable, require_site
from interp_lab.interventions.intervention import Intervention
from interp_lab.types import HookedModel


def require_intervention(
    model: HookedModel, intervention: Intervention, *, n_examples: int | None = None, n_pos: int | None = None
) -> None:
    """Refuse an intervention that the model, or these prompts, cannot take.

    Raises: ValueError, for a site the model has not (as `hooks.require_site`) or that takes no edits, a position
        outside the prompts, tensors for another number of prompts or tokens, a gate that is closed for every prompt, or
        tokens of which none is selected.
    """
    _require_something(intervention)
    name = intervention.name
    for site in intervention.sites:
        require_site(model, site)
        require_editable(model, site.hook)
        if n_pos is not None and site.position is not None and not -n_pos <= site.position < n_pos:
            raise ValueError(f"{name!r} acts at position {site.position}, outside prompts of {n_pos} tokens")
    at = intervention.positions
    if n_pos is not None and at is not None and bool(((at < -n_pos) | (at >= n_pos)).any()):
        bad = at[(at < -n_pos) | (at >= n_pos)].tolist()
        raise ValueError(f"{name!r} acts at position {bad[0]}, outside prompts of {n_pos} tokens")
    if n_pos is not None and intervention.tokens is not None and intervention.tokens.shape[1] != n_pos:
        raise ValueError(f"{name!r} selects among {intervention.tokens.shape[1]} tokens, and prompts have {n_pos}")
    if n_examples is not None:
        _require_rows(intervention, n_examples)


def _require_something(intervention: Intervention) -> None:
    name, gate, tokens = intervention.name, intervention.gate, intervention.tokens
    if gate is not None and not gate.any():
        raise ValueError(f"the gate of {name!r} is closed for every prompt, so it would touch nothing")
    if tokens is None:
        return
    if not tokens.any():
        raise ValueError(f"{name!r} selects no token of any prompt, so it would touch nothing")
    for site in intervention.sites:
        at = site.position
        if at is not None and -tokens.shape[1] <= at < tokens.shape[1] and not tokens[:, at].any():
            raise ValueError(f"{name!r} acts at {site}, a position that its tokens select in no prompt")
    if gate is not None and len(gate) == len(tokens) and not tokens[gate.to(tokens.device)].any():
        raise ValueError(f"the gate of {name!r} is open only for prompts of which it selects no token")


def _require_rows(intervention: Intervention, n_examples: int) -> None:
    names = ("gate", "positions", "since", "tokens")
    held = {name: getattr(intervention, name) for name in names}
    if intervention.per_example:
        held |= {f"payload at {s}": p for s, p in zip(intervention.sites, intervention.payloads, strict=True)}
    for what, value in held.items():
        if value is not None and (value.ndim == 0 or len(value) != n_examples):
            raise ValueError(
                f"{what} of {intervention.name!r} is for {tuple(value.shape)[:1]} prompts, and there are {n_examples}"
            )
