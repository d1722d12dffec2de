"""One card per direction: what it is, what it does where it leads, what it costs, and what is not known of it."""

import pandas as pd

from interp_lab.claims import Split
from interp_lab.steering.choice import SIGNS
from interp_lab.steering.claimed import SIDES, SteeringClaims
from interp_lab.steering.tables import perplexity_ratio


def card(found: SteeringClaims, direction: str) -> pd.DataFrame:
    """Return what is known of a direction, a line each, with a column per side.

    The setting is the best of this direction within the budget on the selection split (or, where none is, its
    strongest); numbers are of the report split.
    """
    sides = {SIDES[sign]: _lines(found, direction, sign) for sign in SIGNS}
    lines = list(dict.fromkeys(line for own in sides.values() for line in own))
    table: dict[str, list[str]] = {direction: lines}
    return pd.DataFrame(table | {f"{side} side": [own.get(line, "") for line in lines] for side, own in sides.items()})


def _lines(found: SteeringClaims, direction: str, sign: int) -> dict[str, str]:
    choice = found.choices_of[direction][sign]
    if choice.leading is None:
        return {"setting": "none moves the target this way"}
    setting, place = choice.leading, found.at(choice.leading)
    costs = found.report_costs
    reads = set(found.family(setting).place.read)
    lengths = dict.fromkeys(f"{length:.2f}" for hook, length in found.lengths[direction].items() if hook in reads)
    return {
        "setting": found.named(setting),
        "length of the direction (activation units)": ", ".join(lengths),
        "within the budget": _kept(choice.best is not None, bool(found.within(costs)[place])),
        f"change ({found.unit})": str(found.effect(setting)),
        **_away(found, setting),
        "prompts that move the wrong way": str(found.wrong_way(sign, of=setting)),
        f"the same, by more than {found.margin():.2g}": str(found.wrong_way(sign, of=setting, beyond=found.margin())),
        "KL on neutral text (nats per token)": str(found.kl(setting)),
        "KL from the first token acted upon (nats per token)": _where_touched(found, place),
        "perplexity on neutral text": f"x {perplexity_ratio(found, setting)}",
        "tokens of neutral text acted upon": f"{costs.touched[place].mean():.0%}",
        "largest fall in accuracy": f"{costs.worst_loss[place]:.1%}" if found.config.capabilities else "not measured",
        **_undecided(found, place),
        **_evidence(found, setting, sign),
    }


def _undecided(found: SteeringClaims, place: int) -> dict[str, str]:
    if not found.config.should_decide:
        return {}
    fall = found.report_costs.price.deciding[place]
    return {f"fall of the gap by {', '.join(found.config.should_decide)} (probability)": f"{fall:.3f}"}


def _where_touched(found: SteeringClaims, place: int) -> str:
    if not found.report_costs.touched[place].any():
        return "no neutral text is acted upon"
    return str(found.of_documents(found.report_costs.kl_touched[place]))


def _away(found: SteeringClaims, setting: int) -> dict[str, str]:
    if found.held_out is None:
        return {}
    return {f"change on held-out templates ({found.unit})": str(found.effect(setting, Split.HELD_OUT))}


def _evidence(found: SteeringClaims, setting: int, sign: int) -> dict[str, str]:
    if found.leading.get(sign) != setting:
        return {"evidence": "not compared with random directions: another direction leads"}
    return {
        "p among random directions": f"{found.random_p(sign):.3f}",
        "lost from selection to report": str(found.shrinkage(sign)),
        "evidence": str(found.grade(sign)),
    }


def _kept(on_select: bool, on_report: bool) -> str:
    said = {True: "yes", False: "no"}
    return f"{said[on_select]} where chosen, {said[on_report]} where reported"
