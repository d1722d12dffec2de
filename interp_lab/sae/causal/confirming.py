"""What changes of features leave to be tested on other examples, and what they say of each latent."""

from interp_lab.effects.confirming import ToTest, confirmation_of
from interp_lab.hypotheses import Component, Confirmation
from interp_lab.sae.causal.claimed import TOGETHER, FeatureClaims
from interp_lab.types import Site

_UNCERTAIN = (
    "What the latent stands for, and whether another dictionary has it; what other latents would make up for, since "
    "features that say the same are each missed too little; and what another operation than {operation} it would do."
)
_SETS_UNCERTAIN = (
    "Which of these features would do without the others, and how much goes through what the dictionary cannot "
    "reconstruct."
)


def confirmation(found: FeatureClaims) -> Confirmation | None:
    """Return how what is claimed of the chosen latents is tested on other examples; `None` if none of it holds."""
    testable = []
    for name, claim in zip(found.evidence, found.claims(), strict=True):
        told = _SETS_UNCERTAIN if name == TOGETHER else _UNCERTAIN.format(operation=found.config.operations[0].phrase)
        members = found.names if name == TOGETHER else (name,)
        testable.append(ToTest(claim, " + ".join(_named(found, one) for one in members), told))
    return confirmation_of({"latents": [int(latent) for latent in found.selected.latents]}, testable)


def components(found: FeatureClaims) -> list[Component]:
    """Return what is lost by the first operation on each chosen latent."""
    return [
        Component(
            name=_named(found, name),
            method=f"features: {found.config.operations[0].phrase}",
            causal=True,
            effect=found.effects[0].at(nth),
            unit=found.unit,
            grade=found.grade(name),
            selected=True,
        )
        for nth, name in enumerate(found.names)
    ]


def _named(found: FeatureClaims, latent: str) -> str:
    return str(Site(found.hook, latent=int(latent)))
