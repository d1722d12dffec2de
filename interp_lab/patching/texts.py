"""What activation patching found, in words."""

from interp_lab.claims import how_much_holds
from interp_lab.patching.changes import Patch
from interp_lab.patching.claimed import PatchingClaims

_DOES_NOT_SHOW = (
    "How a site does what it does, or through which path: a residual stream carries whatever was written below it. A "
    "site without an effect may be backed up by another (look where denoising and noising disagree). "
)
_CHOSEN = "The maps show every site; framed ones were chosen on other prompts, and only these were tested."
_STATED = "What is shown was stated in advance, and nothing else was patched: of other sites this says nothing."
_ONE_TEMPLATE = " All prompts are of one template: intervals are those of its prompts, and say nothing of others."


def summary(found: PatchingClaims) -> str:
    """Return what was found, in a few lines; the last one says how much is claimed, or why nothing."""
    held, unit = found.report, found.effect_unit
    lines = [
        f"{found.config.task} in {found.config.model}: {found.metric} {held.clean.mean():.2f} clean, "
        f"{held.corrupted.mean():.2f} corrupted; the corruption costs {found.total} {found.unit}"
    ]
    if not found.is_normalised:
        lines.append("its interval covers zero: effects are given raw")
    for site in map(int, found.chosen):
        denoised, noised = (found.intervals[patch].at(site) for patch in (Patch.DENOISE, Patch.NOISE))
        lines.append(f"{found.names[site]}: denoising {denoised}, noising {noised} ({unit})")
    if not len(found.chosen) and found.not_asked is None:
        stated = "by construction the sites stated in advance do everything"
        lines.append("no site was clear of its control" if found.config.chosen is None else stated)
    return "\n".join([*lines, _holds(found)])


def suggests(found: PatchingClaims) -> str:
    """Return what the figures say, and on what terms."""
    total = f"The corruption costs {found.total} {found.unit} ({found.metric}). "
    if not found.is_normalised:
        total += (
            "Its interval covers zero, so there is nothing to take a share of: effects are given raw, and what they "
            "are effects on is not established. "
        )
    if found.not_asked is not None:
        return f"{total}Nothing is claimed. Not asked: {found.not_asked}."
    if not len(found.chosen):
        if found.config.chosen is not None:
            return f"{total}The sites stated in advance do everything by construction, so none was tested."
        return f"{total}No site was clear of its control on the selection split, so none was tested."
    told = (
        f"{total}A site matters if its own clean value brings back, or its own corrupted value takes away, more than "
        f"{found.margin:.0%} of that, and that much more than the value of {found.another('corrupted')} (to noise, of "
        f"{found.another('clean')}) does; below zero, it works against the answer. In the table denoise other is what "
        f"{found.another('clean')} brings back, and specificity what the own one does beyond that."
    )
    if found.not_replicable is None:
        return told
    return f"{told} Not testable on held-out templates: {found.not_replicable}."


def does_not_show(found: PatchingClaims) -> str:
    """Return what the figures leave open."""
    screened = [name for name, always in zip(found.names, found.by_construction, strict=True) if always]
    told = _DOES_NOT_SHOW + (_CHOSEN if found.config.chosen is None else _STATED)
    if screened:
        told += (
            f" {', '.join(screened)}: in any model all that differs between the prompts of a pair passes here (in some "
            "pairs, perhaps, nothing), so that what patching does follows from the prompts; none of these is chosen, "
            'put into a set or claimed ("by construction" in the table).'
        )
    return told if found.report.has_templates else told + _ONE_TEMPLATE


def _holds(found: PatchingClaims) -> str:
    grades = [claim.grade for claim in found.claims()] if found.not_asked is None else []
    return how_much_holds(grades, not_asked=found.not_asked, not_replicable=found.not_replicable)
