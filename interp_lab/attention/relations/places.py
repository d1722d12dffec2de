"""Attention between places that a text names: from a verb to its subject, from a name to its earlier mention.

A head carries a relation if its query attends to the relation's key more than to two sorts of other place in the same
prompt: *rivals*, which are of the key's kind and stand elsewhere, and *neighbours*, which stand where the key stands
and are of another kind. A head that looks at any name beats the neighbours and not the rivals, a head that looks a way
back beats the rivals and not the neighbours; a head that looks a fixed number of tokens back beats both in the
templates where the key happens to stand there, which is why templates are the units.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.attention.heads import ROW_SUM_TOLERANCE, pattern_hooks
from interp_lab.hooks import capture, ready_tokens
from interp_lab.tasks import Pairs
from interp_lab.tasks.roles import GIVEN
from interp_lab.types import HookedModel, Tokens, nearest

DOES_NOT_SHOW = (
    "That the head moves anything along the relation, or that the answer depends on it: attention is where a head "
    "looks. A head may also look at the place for what other tokens have written there."
)
"""Stands beside whatever is shown of relations."""


@dataclass(frozen=True)
class ByLatent:
    """A role that depends on the prompt."""

    latent: str
    roles: Mapping[str, str]
    """By the value of the latent, as text."""


Role = str | ByLatent

AnswerMetric = Literal["logit_difference", "probability_difference"]
"""How much the model prefers a prompt's answer; the probability, where the answer is likely and not certain."""


@dataclass(frozen=True)
class Relation:
    """From which place of a prompt attention is read, to which, and what that is compared with."""

    name: str
    task: str
    """Whose prompts have these places; see `tasks.pairs_for`."""
    key: Role
    query: Role = "end"
    rival: Role | None = None
    """`None` takes every other role of the prompt (and in a prompt without one, every other token)."""
    metric: AnswerMetric = "logit_difference"
    """Of the task: what should change when a head that carries the relation is ablated."""


_EARLIER = {"ABBA": "second", "BABA": "first"}
_OTHER = {"ABBA": "first", "BABA": "second"}

RELATIONS: tuple[Relation, ...] = (
    Relation("subject-verb", "grammar/agreement", key="subject"),
    Relation("duplicate name", "grammar/indirect_objects", ByLatent("order", _EARLIER), "giver",
             rival=ByLatent("order", _OTHER)),
    Relation("indirect object", "grammar/indirect_objects", ByLatent("order", _OTHER),
             rival=ByLatent("order", _EARLIER)),
    Relation("country-capital", "grammar/facts", key="country"),
    Relation("earlier mention", "grammar/sources", ByLatent("relevant", {"first": "first", "second": "second"}),
             rival=ByLatent("relevant", {"first": "second", "second": "first"})),
    Relation("neighbourhood-decision", "grammar/loans", key="neighbourhood"),
    Relation("pronoun-profession", "grammar/pronouns", key="job", metric="probability_difference"),
)  # fmt: skip
"""Of the grammar. Where the query is `end`, it is the token that predicts the verb, capital, decision or pronoun."""


def relations_named(names: Sequence[str], known: Sequence[Relation] = RELATIONS) -> tuple[Relation, ...]:
    """Return relations by name, in the order of the names.

    Raises: ValueError, for an unknown name, with the nearest, or a name that comes twice.
    """
    by_name = {relation.name: relation for relation in known}
    for nth, name in enumerate(names):
        if name not in by_name:
            raise ValueError(f"no relation {name!r}{nearest(name, by_name)}; there are {', '.join(by_name)}")
        if name in names[:nth]:
            raise ValueError(f"the relation {name!r} is named twice; name each once")
    return tuple(by_name[name] for name in names)


def attention_rows(
    model: HookedModel,
    tokens: Tokens,
    *,
    mask: Bool[Tensor, "batch pos"],
    query: Int[Tensor, " batch"],
    batch_size: int = 32,
) -> Float[np.ndarray, "layer head example key"]:
    """Return the attention of one query per prompt to every key, as probabilities.

    Raises: ValueError, for a model without attention patterns, positions that are no tokens of their prompts, or
        attention that does not add up to 1; NonFiniteActivationError.
    """
    hooks = pattern_hooks(model)
    tokens, mask, query = ready_tokens(model, tokens), mask.cpu(), query.cpu()
    require_places(query, mask, what="query")
    rows = []
    for batch in torch.arange(len(tokens)).split(batch_size):
        patterns = capture(model, tokens[batch], hooks, mask=mask[batch])
        asked = [patterns[hook][torch.arange(len(batch)), :, query[batch]].float().cpu() for hook in hooks]
        rows.append(torch.stack(asked).transpose(1, 2))
    found = torch.cat(rows, dim=2).double().numpy()
    off = float(np.abs(found.sum(-1) - 1).max())
    if off > ROW_SUM_TOLERANCE:
        raise ValueError(
            f"attention does not add up to 1 over the keys (off by {off:.2g}); scores need the patterns of an "
            "untouched softmax: remove other hooks"
        )
    return found


def attention_between(
    model: HookedModel,
    tokens: Tokens,
    *,
    mask: Bool[Tensor, "batch pos"],
    query_role_positions: Int[Tensor, " batch"],
    key_role_positions: Int[Tensor, " batch"],
    batch_size: int = 32,
) -> Float[np.ndarray, "layer head example"]:
    """Return the attention of every head from one place of each prompt to another (probabilities).

    Raises: ValueError, as `attention_rows`, or for a key that is no token of its prompt or comes after the query.
    """
    query, key = query_role_positions.cpu(), key_role_positions.cpu()
    require_places(torch.where(key <= query, key, -1), mask.cpu(), what="key")
    rows = attention_rows(model, tokens, mask=mask, query=query, batch_size=batch_size)
    return attention_at(rows, key)


def attention_at(
    rows: Float[np.ndarray, "layer head example key"], position: Int[Tensor, " example"]
) -> Float[np.ndarray, "layer head example"]:
    """Return from rows of attention what is paid to one key of each."""
    return np.take_along_axis(rows, position.cpu().numpy()[None, None, :, None], axis=-1)[..., 0]


def require_places(positions: Int[Tensor, " batch"], mask: Bool[Tensor, "batch pos"], *, what: str) -> None:
    """Refuse positions that are no tokens of their prompts; raises ValueError, naming the first such prompt."""
    inside = (positions >= 0) & (positions < mask.shape[1])
    inside &= mask.gather(1, positions.clamp(0, mask.shape[1] - 1)[:, None])[:, 0]
    if not bool(inside.all()):
        bad = int((~inside).nonzero()[0])
        raise ValueError(
            f"prompt {bad} has no {what} among its tokens, or has it after the query ({int((~inside).sum())} of "
            f"{len(mask)} prompts); leave these prompts out, or exchange query and key"
        )


def role_places(pairs: Pairs, role: Role) -> Int[Tensor, " batch"]:
    """Return the position of a role in each prompt, -1 where there is none.

    Raises: ValueError, for a role or latent that the prompts have not, or a value that stands for no role.
    """
    if isinstance(role, str):
        if role not in pairs.roles:
            raise ValueError(f"{pairs.task} has no role {role!r}{nearest(role, pairs.roles)}; it has {[*pairs.roles]}")
        return pairs.roles[role].cpu()
    values = [str(latents.get(role.latent)) for latents in pairs.latents]
    strange = next((value for value in values if value not in role.roles), None)
    if strange is not None:
        raise ValueError(f"{role.latent} is {strange} in {pairs.task}, and stands for a role only as {[*role.roles]}")
    places = {value: role_places(pairs, role.roles[value]) for value in set(values)}
    return torch.stack([places[value][row] for row, value in enumerate(values)])


def compared_places(pairs: Pairs, relation: Relation) -> tuple[Bool[Tensor, "batch pos"], Bool[Tensor, "batch pos"]]:
    """Return where the rivals of each prompt's key stand, and where its neighbours.

    Neither are ever the first token (attention rests there), the query or what comes after it. A prompt without rivals
    or neighbours of its own takes all other tokens.

    Raises: ValueError, for a prompt without the places of the relation, or without other tokens.
    """
    mask, query, key = pairs.mask.cpu(), role_places(pairs, relation.query), role_places(pairs, relation.key)
    require_places(torch.where(key < query, key, -1), mask, what="key")
    position = torch.arange(mask.shape[1])
    first = mask.long().argmax(1)[:, None]
    seen = mask & (position > first) & (position < query[:, None]) & (position != key[:, None])
    if not bool(seen.any(1).all()):
        bad = int((~seen.any(1)).nonzero()[0])
        raise ValueError(f"{pairs.clean_texts[bad]!r} has no token that the key could be compared with; leave it out")
    roles = [name for name in pairs.roles if name not in GIVEN] if relation.rival is None else [relation.rival]
    named = [position == role_places(pairs, role)[:, None] for role in roles]
    rivals = torch.stack([torch.zeros_like(seen), *named]).any(0) & seen
    neighbours = ((position - key[:, None]).abs() == 1) & seen
    rivals, neighbours = (torch.where(own.any(1, keepdim=True), own, seen) for own in (rivals, neighbours))
    return rivals, neighbours
