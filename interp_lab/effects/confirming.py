"""A choice stated in advance: how a config names it, and how a result says what of it is worth testing again."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from interp_lab.claims import Claim, Grade
from interp_lab.hypotheses import Confirmation
from interp_lab.types import nearest


def each_once(given: tuple[str, ...]) -> tuple[str, ...]:
    """Return names, of which none comes twice (ValueError)."""
    if len(set(given)) < len(given):
        raise ValueError(f"{', '.join(given)}: one comes twice; name each once")
    return given


Stated = Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(each_once)]
"""What is tested, by name, where a config says so in place of a selection split."""


def places_of(stated: Sequence[str], known: Sequence[str], *, what: str) -> list[int]:
    """Return where what was stated in advance stands among all that there is.

    Args:
        what: the names are of, for the error.

    Raises: ValueError, for names that there are not, with the nearest.
    """
    places = {name: nth for nth, name in enumerate(known)}
    missing = [name for name in stated if name not in places]
    if missing:
        hint = nearest(missing[0], known) or f"; there are {', '.join(known[:8])}{', ...' if len(known) > 8 else ''}"
        raise ValueError(f"chosen names {', '.join(map(repr, missing))}, and there is no such {what}{hint}")
    return [places[name] for name in stated]


def how_chosen(stated: Sequence[str] | None) -> str:
    """Return where a choice comes from, as texts say it."""
    return "chosen on the selection split" if stated is None else "stated in advance"


@dataclass(frozen=True)
class ToTest:
    """A claim, with what it is about and what stays open even if it holds on other examples."""

    claim: Claim
    component: str
    uncertain: str
    refuted_if: str | None = None
    """`None` where what refutes any hypothesis says it all."""


def confirmation_of(config: Mapping[str, Any], testable: Sequence[ToTest]) -> Confirmation | None:
    """Return how the claims that hold are tested again, the largest effect first, in units of the smallest of interest.

    Args:
        config: laid over the result's own, it fixes the choice.

    Returns: `None`, if no claim holds.
    """
    holding = [one for one in testable if one.claim.grade >= Grade.CAUSAL]
    own = {one.claim.statement: one for one in sorted(holding, key=_strength)}
    if not own:
        return None
    return Confirmation(
        config=dict(config),
        statements=tuple(own),
        components={statement: one.component for statement, one in own.items()},
        refuted_if={statement: one.refuted_if for statement, one in own.items() if one.refuted_if is not None},
        uncertain={statement: one.uncertain for statement, one in own.items()},
    )


def _strength(one: ToTest) -> float:
    """Return what sorts the strongest first; effects without a margin count in their own unit."""
    effect = one.claim.effect
    assert effect is not None, "a claim without an effect does not hold"
    return -abs(effect.effect.estimate) / (effect.margin or 1.0)


_WHOLE = re.compile(r"(?:blocks\.)?(?P<layer>\d+)\.(?:attn\.|mlp\.)?hook_(?P<what>\w+)(?P<rest>(?:\[| at |@).*)?")


def component_name(site: str, *, n_layers: int) -> str:
    """Return the name under which all methods list a site: heads as `1.3`, else `mlp_out 1`, `resid_pre 2 at end`.

    The stream behind a layer is that before the next one. Latents and neurons, and what is no site of a layer, keep
    their names.
    """
    found = _WHOLE.fullmatch(site)
    if found is None:
        return site
    what, layer = found["what"], int(found["layer"])
    if what == "resid_post" and layer + 1 < n_layers:
        what, layer = "resid_pre", layer + 1
    return f"{what} {layer}{found['rest'] or ''}"
