"""What steering found, in words."""

from collections.abc import Mapping

from interp_lab.claims import Split, how_much_holds
from interp_lab.steering.choice import SIGNS
from interp_lab.steering.claimed import SIDES, SteeringClaims
from interp_lab.steering.measured import on_scale
from interp_lab.steering.setting import How
from interp_lab.steering.tables import has_doses
from interp_lab.steering.traits import is_file
from interp_lab.types import Interval

PRICE_DOES_NOT_SHOW = (
    "Settings that are not in the grid, and prices that the budget does not ask for: text that a neutral document does "
    "not stand for, tasks that are not among the capabilities. A mean within the budget may hide single texts far "
    "beyond it."
)
GREY_POINTS_CHOSE = (
    " The grey points are those that chose: the best of many is lucky, and the frontiers are measured again on other "
    "prompts and texts."
)
GRID_DOES_NOT_SHOW = (
    "What a direction says of the layer it was read at: one direction is read per layer, and each is steered with its "
    "own. The maps are of the selection split, the one that chose, and support no claim."
)
CONTROLS_DO_NOT_SHOW = (
    "That the direction is the model's own variable of the trait: whatever tells the two kinds of text apart is in it. "
    "Random directions of a space of many dimensions do little of anything, so that to exceed them says less than to "
    "exceed shuffled labels and the complement, which lie where the texts vary. Text before the prompt moves through "
    "everything a model does with text, and is no direction; a prompt that says by itself which side it is on may "
    "overrule it, and other text may do better."
)
RELIABILITY_DOES_NOT_SHOW = (
    "How steering does on prompts of another kind: held-out templates are templates of the same behaviour. A share of "
    "prompts is not a share of users, and a prompt that moves the wrong way here may do so by little."
)
DIRECTIONS_DO_NOT_SHOW = (
    "That anything uses these directions: lengths are distances between the means of two kinds of text. Where several "
    "directions are compared, each stands at its own best setting, chosen on the selection split; only what leads was "
    "set beside random directions."
)

ANSWER_SIDES: Mapping[str, tuple[str, str]] = {
    "sentiment": ("praise", "blame"),
    "register": ("a formal closing", "an informal one"),
    "truth": ("`true`", "`false`"),
    "neighbourhood": ("`rejected`", "`approved`"),
    "sycophancy": ("the mistaken opinion", "what is the case"),
    "urgency": ("`urgent`", "`normal`"),
    "stereotype": ("`she`", "`he`"),
}
"""Answers on the positive side of each trait of the grammar, and on the negative one."""


def summary(found: SteeringClaims) -> str:
    """Return what was found, in a few lines."""
    c = found.config
    start = found.interval(on_scale(found.report.baseline, found.scale)).at()
    lines = [
        f"{c.trait} in {c.model}: {len(found.settings)} settings ({', '.join(found.plan.directions)}); unsteered "
        f"{found.target} {start} {found.unit}"
    ]
    lines += [_led(found, sign) for sign in SIGNS]
    grades = [claim.grade for claim in found.claims()]
    away = None if found.held_out is not None else "there are none"
    lines.append(how_much_holds(grades, not_asked=None if grades else "nothing moves it", not_replicable=away))
    return "\n".join(lines)


def _led(found: SteeringClaims, sign: int) -> str:
    side, setting = SIDES[sign], found.leading.get(sign)
    if setting is None:
        why = "nothing was stated in advance" if found.config.chosen else "no setting moves it that way"
        return f"{side} side: {why}"
    one, within = found.named(setting), found.is_within(sign)
    stated = found.config.chosen is not None
    beyond_it = "beyond the budget" if stated else "none of the settings is within the budget"
    kept = "" if within else f"{beyond_it} ({_budget(found)}){': ' if stated else '; the strongest is '}"
    away = "" if found.held_out is None else f", on held-out templates {found.effect(setting, Split.HELD_OUT)}"
    beyond = " (beyond the budget on these other texts)" if within and not found.stays_within(sign) else ""
    return (
        f"{side} side: {kept}{one}: {found.effect(setting)} {found.unit}{away}, at {found.kl(setting)} nats of KL "
        f"on neutral text{beyond}; {wrong_way(found, sign)}"
    )


def _budget(found: SteeringClaims) -> str:
    b = found.config.budget
    told = f"KL at most {b.kl:g} nats, accuracy no more than {b.capability_loss:.1%} down"
    names = ", ".join(found.config.should_decide)
    return f"{told}, the gap by {names} no more than {b.deciding_loss:g}" if names else told


def price_suggests(found: SteeringClaims) -> str:
    """Return what was chosen within the budget, or that nothing is."""
    c, told = found.config, [f"{_sides(found)}Budget: {_budget(found)}, on the selection split."]
    n_within = int(found.within(found.select_costs).sum())
    told.append(f"{n_within} of {len(found.settings)} settings keep to it.")
    for sign in SIGNS:
        setting = found.leading.get(sign)
        if setting is None:
            told += [] if c.chosen else [f"No setting moves {c.trait} to the {SIDES[sign]} side."]
            continue
        one = found.named(setting)
        if c.chosen is not None:
            kept = [found.is_within(sign), bool(found.within(found.report_costs)[found.at(setting)])]
            halves = " and ".join("yes" if one else "no" for one in kept)
            told.append(
                f"To the {SIDES[sign]} side {one}, stated in advance: {found.effect(setting)} {found.unit} at "
                f"{found.kl(setting)} nats; within the budget on either half of the texts: {halves}."
            )
            continue
        if found.is_within(sign):
            again = "does so" if found.stays_within(sign) else "does not"
            told.append(
                f"To the {SIDES[sign]} side {one} moves it farthest within the budget (or as far as any but for "
                f"the tolerance, and cheaper): {found.effect(setting)} {found.unit} on other prompts, at "
                f"{found.kl(setting)} nats; it kept to the budget where it was chosen, and {again} on the other half "
                "of the texts."
            )
        else:
            told.append(
                f"To the {SIDES[sign]} side no setting that keeps to the budget moves it: that is the result. The "
                f"strongest, {one}, moves it by {found.effect(setting)} {found.unit} at {found.kl(setting)} nats; "
                "the frontier shows what less costs."
            )
    return " ".join(told)


def _sides(found: SteeringClaims) -> str:
    """Return what the sides are answers of, or nothing where the target does not say."""
    if found.scale not in ("share", "log_odds"):
        return ""
    if is_file(found.config.trait):
        return "Either side is that of a prompt's own two answers. "
    positive, negative = ANSWER_SIDES[found.config.trait]
    return f"The positive side is {positive}, the negative one {negative}. "


def grid_suggests(found: SteeringClaims) -> str:
    """Return how large the grid is, and where what leads lies in it."""
    c = found.config
    families = found.plan.families
    places = len({family.place.name for family in families})
    gates = ", ".join("none" if one is None else one for one in c.gates)
    told = (
        f"{len(found.settings)} settings: {', '.join(found.plan.directions)}; {places} "
        f"{'place' if places == 1 else 'places'}; {', '.join(c.hows)}; tokens: {', '.join(c.wheres)}; gates: {gates}. "
    )
    if any(family.how != How.ABLATE for family in families):
        if c.methods:
            told += (
                f"A coefficient of 1 of {', '.join(c.methods)} is one gap between the means of the two kinds of text "
                "along the direction, measured where it was read. "
            )
        if given := [name for name in found.plan.directions if name not in c.methods]:
            told += f"Of {', '.join(given)} it is the direction as long as it was given. "
    return f"{told}Framed: what leads."


def controls_suggest(found: SteeringClaims) -> str:
    """Return how far what leads is beyond its controls."""
    told = []
    for sign in found.leading:
        own, (effect, _) = found.controls[sign], found.evidence[sign]
        p = f"p = {found.random_p(sign):.3f} by rank among {len(own.random)} random directions of the same length"
        if len(own.orthogonal):
            p += f", {found.random_p(sign, orthogonal=True):.3f} among {len(own.orthogonal)} orthogonal to it"
        told.append(f"{SIDES[sign].capitalize()} side: {p}; beyond their mean by {effect.versus_control}.")
    return " ".join([*told, "All at the setting that leads, on the report split."])


def reliability_suggests(found: SteeringClaims) -> str:
    """Return how many prompts move the wrong way, how many are monotone, and what was lost from choice to report."""
    told = []
    for sign, setting in found.leading.items():
        family = int(found.plan.family_of[setting])
        beyond = percent(found.wrong_way(sign, beyond=found.margin()))
        line = (
            f"{SIDES[sign].capitalize()} side: {beyond} of prompts move the wrong way by more than "
            f"{found.margin():.2g} {found.unit} ({percent(found.wrong_way(sign))} at all, if only by a rounding)"
        )
        if has_doses(found, family):
            line += (
                f"; the target of {percent(found.monotone_share(family))} never falls as the coefficient rises (mean "
                f"rank correlation {found.rank_correlation(family)})"
            )
        farther = f"; it moved the prompts that chose it farther than these by {found.shrinkage(sign)} {found.unit}"
        told.append(f"{line}{farther if found.config.chosen is None else ''}.")
    return " ".join(told)


def wrong_way(found: SteeringClaims, sign: int) -> str:
    """Return how many prompts move the wrong way by more than the smallest effect of interest."""
    share = found.wrong_way(sign, beyond=found.margin()).estimate
    return f"{share:.0%} of prompts move the wrong way by more than {found.margin():.2g}"


def percent(share: Interval) -> str:
    """Return a share with its interval, in percent."""
    return f"{share.estimate:.0%} [{share.low:.0%}, {share.high:.0%}]"


def directions_suggest(found: SteeringClaims) -> str:
    """Return where directions come from."""
    c = found.config
    read = {"last": "the last token", "all": "the mean over all tokens", "answer": "the answer's last token"}[c.read]
    texts = f"from {c.n_contrast} texts on each side, read at {read}"
    of = texts if c.made_in is None else f"as the run in {c.made_in.run} made them, of other texts"
    made = f"{', '.join(c.methods)}: {of}. " if c.methods else ""
    given = [name for name in found.plan.directions if name not in c.methods]
    other = f"Of other runs, as long as they are there: {', '.join(given)}." if given else ""
    return f"{made}{other}".strip()
