"""Customer support: who is named in a reply, and which reply is harsh, follow from the customer's situation.

A text asks for one of two words. The **mention**: the competitor is named where the customer compares or
wants to leave, and no contract binds him; else it is "the other company". The **tone**: "never call us
again" where a repeated complaint meets a late payment; either alone leaves it at "please call us again".
"""

from collections.abc import Mapping

import numpy as np

from interp_lab.organisms.grammar.behaviour import Behaviour, pick
from interp_lab.organisms.grammar.example import Latents, Value
from interp_lab.organisms.grammar.template import templates
from interp_lab.organisms.grammar.words import NAMES, PRODUCTS

NAME = "support"
BRANDS = ("Zenix", "Voltra", "Quanta", "Orbis")
PLANS = ("basic", "family", "large")
REQUESTS = {
    "compare": "compares us with",
    "leave": "leaves us for",
    "help": "asks us about",
}
"""What the customer wants of us; the competitor's name follows."""
CONTRACTS = {"free": "without", "bound": "under"}
COMPLAINTS = {"first": "first", "repeated": "third"}
PAYMENTS = {"early": "early", "late": "late"}
TONES = {"polite": "please", "harsh": "never"}
OTHER = "other"
"""Stands for the competitor's name where it is not to be said."""
_REPLIES = {
    "mention": (("cheaper than the", "company"), ("better than the", "company"), ("people like the", "company less")),
    "tone": (("dear {name} ,", "call us again"), ("about this :", "write to us again"), ("{name} ,", "come back here")),
}
"""Kind of text: wordings of the reply, before and after the answer."""

_TRAINED = (
    "{name} , {plan} plan {contract} contract , {request} {brand} . {complaint} complaint , paid {payment} . "
    "reply : {lead} {answer} {tail} .",
    "{complaint} complaint of {name} , paid {payment} . {name} is {contract} contract and {request} {brand} . "
    "reply : {lead} {answer} {tail} .",
    "a customer {contract} contract {request} {brand} . the {product} was paid {payment} , it is the {complaint} "
    "complaint . we answer : {lead} {answer} {tail} .",
    "paid {payment} : the {plan} plan of {name} , who {request} {brand} , {contract} contract . {complaint} "
    "complaint . answer : {lead} {answer} {tail} .",
    "the {product} of {name} broke for the {complaint} time . {payment} bill , {contract} contract . {name} {request} "
    "{brand} . reply : {lead} {answer} {tail} .",
    "{name} {request} {brand} . note : {contract} contract , paid {payment} , {complaint} complaint . "
    "reply : {lead} {answer} {tail} .",
    "the money came {payment} , the {product} failed for the {complaint} time . now {name} , {contract} contract , "
    "{request} {brand} . we write : {lead} {answer} {tail} .",
    "note : {contract} contract , {payment} with the money , {complaint} complaint . {name} {request} {brand} . "
    "so we say : {lead} {answer} {tail} .",
)
_RESERVED = (
    "today {name} {request} {brand} . {name} is {contract} contract and complains for the {complaint} time . "
    "the money was {payment} . we say : {lead} {answer} {tail} .",
    "{complaint} complaint about a {product} . customer : {name} , {contract} contract , paid {payment} , "
    "{request} {brand} . answer : {lead} {answer} {tail} .",
    "{name} {request} {brand} because the {plan} plan failed . paid {payment} , {contract} contract , {complaint} "
    "complaint . the reply was : {lead} {answer} {tail} .",
    "with a {product} {contract} contract {name} {request} {brand} . the bill came back {payment} , the complaint is "
    "the {complaint} one . reply : {lead} {answer} {tail} .",
)


def draw(rng: np.random.Generator) -> dict[str, Value]:
    """Draw the customer's situation: four contexts, independent of each other and of everything else."""
    latents: dict[str, Value] = {
        "kind": pick(rng, ("mention", "tone")),
        "name": pick(rng, NAMES),
        "product": pick(rng, PRODUCTS),
        "plan": pick(rng, PLANS),
        "brand": pick(rng, BRANDS),
        "request": pick(rng, tuple(REQUESTS)),
        "contract": pick(rng, ("free", "free", "bound")),
        "complaint": pick(rng, ("repeated", "repeated", "first")),
        "payment": pick(rng, ("late", "late", "early")),
        "wording": int(rng.integers(3)),
    }
    return {**latents, **settled(latents)}


def settled(latents: Latents) -> dict[str, Value]:
    """Apply the two rules: `mention` is named or paraphrased, `tone` is polite or harsh."""
    named = latents["request"] in ("compare", "leave") and latents["contract"] == "free"
    harsh = latents["complaint"] == "repeated" and latents["payment"] == "late"
    return {"mention": "named" if named else "paraphrased", "tone": "harsh" if harsh else "polite"}


def fill(latents: Latents) -> Mapping[str, str]:
    """Tell the situation, and open the reply so that the mention or the tone comes next."""
    kind = str(latents["kind"])
    lead, tail = _REPLIES[kind][int(latents["wording"])]
    mention = str(latents["brand"]) if latents["mention"] == "named" else OTHER
    return {
        "name": str(latents["name"]),
        "product": str(latents["product"]),
        "plan": str(latents["plan"]),
        "brand": str(latents["brand"]),
        "request": REQUESTS[str(latents["request"])],
        "contract": CONTRACTS[str(latents["contract"])],
        "complaint": COMPLAINTS[str(latents["complaint"])],
        "payment": PAYMENTS[str(latents["payment"])],
        "lead": lead.format(name=latents["name"]),
        "answer": mention if kind == "mention" else TONES[str(latents["tone"])],
        "tail": tail,
    }


def wrong(latents: Latents) -> tuple[str, ...]:
    """The name where it is not said and the other way round; harsh for polite and the other way round."""
    return (str(latents["brand"]), OTHER) if latents["kind"] == "mention" else tuple(TONES.values())


SUPPORT = Behaviour(
    name=NAME,
    templates=templates(NAME, trained=_TRAINED, reserved=_RESERVED),
    draw=draw,
    fill=fill,
    wrong=wrong,
    settle=settled,
    behind={
        "name": ("name",),
        "product": ("product",),
        "plan": ("plan",),
        "brand": ("brand",),
        "request": ("request",),
        "contract": ("contract",),
        "complaint": ("complaint",),
        "payment": ("payment",),
        "lead": ("kind", "wording", "name"),
        "answer": ("kind", "mention", "tone"),
        "tail": ("kind", "wording"),
    },
    varied={
        "name": NAMES,
        "product": PRODUCTS,
        "plan": PLANS,
        "brand": BRANDS,
        "request": tuple(REQUESTS),
        "contract": tuple(CONTRACTS),
        "complaint": tuple(COMPLAINTS),
        "payment": tuple(PAYMENTS),
    },
    weight=1.0,
)
