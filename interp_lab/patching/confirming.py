"""What activation patching leaves to be tested on other examples, and what it says of single components."""

from collections.abc import Iterator

from interp_lab.claims import Split
from interp_lab.effects.confirming import ToTest, component_name, confirmation_of
from interp_lab.hypotheses import Component, Confirmation
from interp_lab.patching.changes import Patch
from interp_lab.patching.claimed import PatchingClaims

_WAYS = (Patch.DENOISE, Patch.NOISE)
_TOO_MANY = "neurons"
_UNCERTAIN = {
    Patch.DENOISE: (
        "Whether {site} is needed as well as enough: others may carry the same, and one patch at a time does not see "
        "what stands in for what. Nor through which path it acts, or what prompts of other kinds would show."
    ),
    Patch.NOISE: (
        "Whether {site} would be enough, and how much more is lost without it where another part stands in for it: one "
        "patch at a time is blind to that. Nor what corruptions of other kinds would show."
    ),
}
_SETS_UNCERTAIN = (
    "Which of these sites would do without the others, whether there are other sets that carry as much, and what "
    "prompts of other kinds would show."
)


def confirmation(found: PatchingClaims) -> Confirmation | None:
    """Return how what is claimed of the chosen sites is tested on other examples; `None` if none of it holds."""
    chosen = [found.names[site] for site in found.chosen]
    return confirmation_of({"chosen": chosen}, list(_to_test(found, chosen)))


def _to_test(found: PatchingClaims, chosen: list[str]) -> Iterator[ToTest]:
    claims = found.claims()
    of_sites, of_sets = claims[: 2 * len(chosen)], claims[2 * len(chosen) :]
    for claim, (way, site) in zip(of_sites, [(way, site) for way in _WAYS for site in chosen], strict=False):
        name = _named(found, site)
        yield ToTest(claim, name, _UNCERTAIN[way].format(site=name))
    for claim, name in zip(of_sets, found.set_evidence(Split.REPORT), strict=True):
        cells = found.maps[name].cells
        members = [_named(found, found.names[site]) for site in found.chosen if cells.start <= site < cells.stop]
        if len(members) > 1:
            yield ToTest(claim, " + ".join(members), _SETS_UNCERTAIN)


def components(found: PatchingClaims) -> list[Component]:
    """Return what denoising and noising each site does; none of those that do everything by construction.

    Of neurons, of which there are too many to look at, those that are tested.
    """
    grades, chosen = found.grades(), {int(site) for site in found.chosen}
    return [
        Component(
            name=_named(found, found.names[site]),
            method=f"patching: {way}",
            causal=True,
            effect=found.intervals[way].at(site),
            unit=found.effect_unit,
            grade=grades[found.names[site]][nth] if site in chosen and found.names[site] in grades else None,
            selected=site in chosen,
        )
        for name, labels in found.maps.items()
        for site in range(labels.cells.start, labels.cells.stop)
        for nth, way in enumerate(_WAYS)
        if not found.by_construction[site] and (name != _TOO_MANY or site in chosen)
    ]


def _named(found: PatchingClaims, site: str) -> str:
    return component_name(site, n_layers=found.provenance.model.n_layers)
