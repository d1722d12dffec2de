"""What was found of features, in words."""

from interp_lab.claims import how_much_holds
from interp_lab.sae.causal.claimed import TOGETHER, FeatureClaims
from interp_lab.sae.causal.splits import SHARES, WAYS, Share, Way
from interp_lab.types import Interval

FIRES_DOES_NOT_SHOW = (
    "What the model does with any of it: nothing was changed here. A latent is not its commonest token; the tokens it "
    "raises are those of its direction read straight at the unembedding, which later layers may never pass on."
)
EFFECTS_DO_NOT_SHOW = (
    "That a feature without an effect plays no part: another may stand in for it, and a feature may be split over "
    "several latents. Nor that a feature with one is the concept that its tokens suggest. A change of one latent "
    "leaves the rest of the activation as it is, which may be a place where the model never is; other dictionaries "
    "would divide the same activation otherwise. Bands are over draws of the control, intervals over templates."
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
    return "\n".join([*lines, holds(found)])


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
    how = "the config names them" if found.selected.named else f"chosen by {found.config.by} on other prompts"
    return (
        f"{len(found.names)} latents of {found.where}, of {n} that are active on the clean prompts: {how}. Tokens with "
        "the largest shares of each latent's activation on the prompts that choose, and the tokens that its direction "
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
        f"{c.smallest_effect:.1%} of that, and that much more than each of: {c.n_random} random directions, and as "
        "many directions of other latents, as long at the same tokens; and other latents that write as much on the "
        f"same prompts. Corrected over all features and controls. {holds(found)}."
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
        f"{told[2]}; the whole does {told[4]} beyond the sum of the two. {chosen}Features and error add up to the "
        "activation exactly; what they do need not."
    )


def selection_suggests(found: FeatureClaims) -> str:
    """Return how well each way to choose finds the latents that matter."""
    return (
        f"Scores of the selection split against exact effects of {found.config.operations[0].phrase} each on other "
        "prompts, over "
        f"{len(found.selected.considered)} latents. An exact effect takes a pass of its own behind the dictionary's "
        "layer, attribution two passes for all latents together."
    )


TEXT_SUGGESTS = "Rise of the loss on held-out text with each feature silent at every token, beside other latents."
