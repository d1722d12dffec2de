"""What was found of features, in words."""

from interp_lab.claims import how_much_holds
from interp_lab.sae.causal.claimed import TOGETHER, FeatureClaims
from interp_lab.sae.causal.splits import SHARES, WAYS, Share, Way
from interp_lab.types import Interval

WITHIN = 0.7
"""Share of a feature's length that those beside it must be brought to; below it the page says so."""

FIRES_DOES_NOT_SHOW = (
    "What the model does with any of it: nothing was changed here. A latent is not its commonest token; the tokens it "
    "raises are those of its direction read straight at the unembedding, which later layers may never pass on."
)
EFFECTS_DO_NOT_SHOW = (
    "That a feature without an effect plays no part: another may stand in for it, and a feature may be split over "
    "several latents. Nor that a feature with one is the concept that its tokens suggest. A change of one latent "
    "leaves the rest of the activation as it is, which may be a place where the model never is; other dictionaries "
    "would divide the same activation otherwise. Corrupting a feature brings in what the other prompt says, which is "
    "more than taking away what this one says: zero and mean ablation may do less. Bands are over draws of the "
    "control, intervals over templates."
)
SHARES_DO_NOT_SHOW = (
    "That the features carry it one by one, or are what the model computes with: at a point of the residual stream "
    "that nothing goes past, the whole activation carries everything, and a dictionary that reconstructs well carries "
    "most of it whatever its latents mean. What goes through the error term is carried by directions that the "
    "dictionary has no latents for, on these prompts."
)
SELECTION_DOES_NOT_SHOW = (
    "Which way to choose is best elsewhere: agreement is with the first operation on this task. The output score asks "
    "something else, what a latent brings about when it is amplified; for steering that may be the better question."
)
TEXT_DOES_NOT_SHOW = (
    "What a feature is for: a rise of the mean loss does not say where on the text it comes about, and one that is "
    "seldom active can hardly raise it."
)


def summary(found: FeatureClaims) -> str:
    """Return what was found, in a few lines; the last one says how much is claimed, or why nothing."""
    c = found.config
    lines = [
        f"{c.task} in {c.model}: {found.metric} {found.interval(found.report.clean).at()} {found.unit}; the corruption "
        f"costs {found.total}"
    ]
    way = WAYS.index(Way.DENOISE)
    told = {one: _percent(found.shares.at(way, SHARES.index(one))) for one in SHARES}
    lines.append(
        f"at {found.hook}, {_at(found)}: whole activation {told[Share.WHOLE]} of that, all features "
        f"{told[Share.FEATURES]}, error term {told[Share.ERROR]}, {len(found.names)} "
        f"{'named' if found.selected.named else 'chosen'} features {told[Share.CHOSEN]} (denoised)"
    )
    holding = [nth for nth, name in enumerate(found.names) if found.grade(name)]
    for nth in holding[:6]:
        name = found.names[nth]
        lines.append(
            f"feature {name} (on {found.fires_on[nth]}): {found.effects[0].at(nth)} {found.unit} lost by "
            f"{c.operations[0].phrase} it, {found.grade(name)}"
        )
    if len(holding) > 6:
        lines.append(f"and {len(holding) - 6} more features")
    disagreeing = disagreements(found)
    return "\n".join([*lines, *([disagreeing] if disagreeing else []), holds(found)])


def holds(found: FeatureClaims) -> str:
    """Return how much is claimed, or why nothing."""
    grades = [claim.grade for claim in found.claims()]
    return how_much_holds(grades, not_asked=found.not_asked, not_replicable=found.not_replicable)


def _percent(share: Interval) -> str:
    return f"{share.estimate:.0%} [{share.low:.0%}, {share.high:.0%}]"


def _at(found: FeatureClaims) -> str:
    return "all tokens" if found.config.positions == "all" else f"at {found.config.positions!r}"


def fires_suggests(found: FeatureClaims) -> str:
    """Return how the latents were chosen, and out of how many."""
    n = len(found.selected.considered)
    how = "named in advance" if found.selected.named else f"chosen by {found.config.by} on other prompts"
    return (
        f"{len(found.names)} latents of {found.where}, of {n} that {found.config.operations[0].phrase} changes on the "
        f"prompts that choose: {how}. Tokens with the largest shares of each latent's activation on these prompts"
        f"{', special ones left out' if found.config.exclude_special else ''}, and the tokens that its direction "
        "raises."
    )


def effects_suggests(found: FeatureClaims) -> str:
    """Return what was tested, and on what terms."""
    total = f"The corruption costs {found.total} {found.unit}. "
    if found.not_asked is not None:
        return f"{total}Nothing is claimed. Not asked: {found.not_asked}."
    c = found.config
    return (
        f"{total}A feature is claimed if {c.operations[0].phrase} it ({_at(found)}, clean prompts) loses more than "
        f"{c.smallest_effect:.1%} of that, and that much more than the mean of each of: {c.n_random} random "
        f"directions, and directions of {found.report.borrowed.shape[1]} other latents, as long at the same tokens; "
        f"and {found.report.matched.shape[1]} other latents, changed where they are active themselves, as long on the "
        "same prompts. The spread of each control over its draws counts, and one more direction must not be "
        "likely to do as much (t test, taking what directions do to be about normal). Each corrected over all features "
        "and controls. "
        f"{_told_of_controls(found)}{holds(found)}. "
        f"{disagreements(found)}"
    ).rstrip()


def _told_of_controls(found: FeatureClaims) -> str:
    """Return which features have matched latents that cannot be brought to their length; empty if none."""
    short = [f"{name} ({share:.0%})" for name, share in zip(found.names, found.reached, strict=True) if share < WITHIN]
    if not short:
        return ""
    return (
        f"No other latents change on all the prompts of {', '.join(short)}, so that those beside them write only that "
        "much of their length: there the directions are the controls. "
    )


def disagreements(found: FeatureClaims) -> str:
    """Return of which claimed features another operation has no effect clear of zero on the same side."""
    told = [
        f"{name} ({', '.join(each)})"
        for name, each in zip(found.names, found.disagreeing, strict=True)
        if each and found.grade(name)
    ]
    if not told:
        return ""
    return (
        f"Operations disagree on {len(told)} of the features claimed by {found.config.operations[0].phrase} them, "
        f"where another one's effect is not clear of zero on the same side: {'; '.join(told)}."
    )


def shares_suggests(found: FeatureClaims) -> str:
    """Return the account: features, error, and what they do beyond their sum."""
    way = WAYS.index(Way.DENOISE)
    told = [_percent(found.shares.at(way, nth)) for nth in range(len(SHARES) + 1)]
    grade = found.grade(TOGETHER)
    chosen = f"The {len(found.names)} features carry {told[3]}{'' if grade is None else f' ({grade})'}. "
    if found.not_asked is not None:
        chosen += f"Nothing is claimed: {found.not_asked}. "
    return (
        f"Denoised, the whole activation brings back {told[0]}, its features alone {told[1]}, the error term alone "
        f"{told[2]}; the whole does {told[4]} beyond the sum of the two. {chosen}{_told_of_sets(found)}Features and "
        "error add up to the activation exactly; what they do need not."
    )


def _told_of_sets(found: FeatureClaims) -> str:
    """Return on which splits no sets of others could be drawn; empty if on all."""
    splits = {"report split": found.report, "held-out templates": found.held_out}
    without = [name for name, split in splits.items() if split is not None and not len(split.set_others)]
    if len(found.names) == 1 or not without:
        return ""
    return (
        f"On the {' and the '.join(without)} no sets of others stand beside them: so few latents that were not chosen "
        "differ between the prompts. "
    )


def selection_suggests(found: FeatureClaims) -> str:
    """Return how well each way to choose finds the latents that matter."""
    return (
        f"Scores of the selection split against exact effects of {found.config.operations[0].phrase} each on other "
        "prompts, over "
        f"{len(found.selected.considered)} latents. An exact effect takes a pass of its own behind the dictionary's "
        "layer, attribution two passes for all latents together."
    )


def text_suggests(found: FeatureClaims) -> str:
    """Return where latents were silent, and how the rise of the loss stands beside that of other latents."""
    text, c = found.text, found.config
    assert text is not None, "asked for"
    there = text.density > 0
    own, beside = text.silent.mean(-1)[there], text.controls.mean((1, 2))[there]
    where = "token but special ones" if c.exclude_special else "token"
    return (
        f"Rise of the loss on {text.silent.shape[1]} windows of held-out text with each feature silent at every "
        f"{where}, beside other latents that are changed where they are active themselves, as long in each window. "
        f"{int((own > beside).sum())} of the {int(there.sum())} features that are active there raise it more than "
        "these do on average. Intervals are over windows."
    )
