"""What steering leaves to be tested on other prompts: settings that lead, with the directions that were made."""

from typing import Any

from interp_lab.claims import Split
from interp_lab.effects.confirming import ToTest, confirmation_of
from interp_lab.hypotheses import OWN_RUN, Component, Confirmation
from interp_lab.steering.claimed import SIDES, SteeringClaims
from interp_lab.steering.setting import How

MADE = "directions"
"""What `made_in` calls the directions of a run."""
_UNCERTAIN = (
    "Whether the direction is the model's own variable of {trait}: whatever tells the two kinds of text apart is in "
    "it. What it does to texts of other kinds, and to what the budget does not ask about, is open{fitted}."
)
_FITTED = "; what it is clamped to, and where a gate opens, is fitted again on texts of the test's own"


def confirmation(found: SteeringClaims) -> Confirmation | None:
    """Return how the settings that lead are tested on other prompts; `None` if no claim of them holds.

    Of directions that the config names, or that were made of its texts; those that were handed over in code are left
    out.
    """
    c, testable, chosen = found.config, list[ToTest](), dict[str, str]()
    claims = found.claims()
    known = {*c.methods, *(f"{one.run.name}/{one.artefact}" for one in c.directions)}
    led = list(found.leading.items())
    for (sign, setting), claim in zip(led, claims, strict=False):
        if found.settings[setting].direction in known:
            testable.append(ToTest(claim, _component(found, setting), _uncertain(found, setting)))
            chosen |= {SIDES[sign]: found.named(setting)} if claim.grade else {}
    settings = dict.fromkeys(found.leading.values())
    for setting, claim in zip(settings, claims[len(led) :], strict=False):
        if found.named(setting) in chosen.values():
            testable.append(ToTest(claim, _component(found, setting), _uncertain(found, setting)))
    fixed: dict[str, Any] = {"chosen": chosen}
    if c.methods and c.made_in is None:
        fixed["made_in"] = {"run": OWN_RUN, "artefact": MADE}
    return confirmation_of(fixed, testable) if chosen else None


def _uncertain(found: SteeringClaims, setting: int) -> str:
    one = found.settings[setting]
    fitted = _FITTED if one.how == How.CLAMP or one.gate is not None else ""
    return _UNCERTAIN.format(trait=found.config.trait, fitted=fitted)


def _component(found: SteeringClaims, setting: int) -> str:
    return f"direction of {found.config.trait} at {found.family(setting).place.name}"


def components(found: SteeringClaims) -> list[Component]:
    """Return what the settings that lead do to the target."""
    return [
        Component(
            name=_component(found, setting),
            method=f"steering: {found.named(setting)}",
            causal=True,
            effect=found.effect(setting, Split.REPORT),
            unit=found.unit,
            grade=found.grade(sign),
            selected=True,
        )
        for sign, setting in found.leading.items()
    ]
