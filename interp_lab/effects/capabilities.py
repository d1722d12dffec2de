"""What a model can do besides: tasks whose accuracy an intervention should leave alone, on two disjoint halves."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool
from torch import Tensor

from interp_lab.folds import told
from interp_lab.metrics import Metric
from interp_lab.metrics.metric import declare
from interp_lab.tasks.grammar import PREFIX, VARIED
from interp_lab.tasks.pairs import Pairs
from interp_lab.tasks.registry import pairs_for
from interp_lab.types import HookedModel

CAPABILITIES = ("facts", "agreement", "indirect_objects")
"""What is measured unless something else is asked for, on models of the grammar."""
Half = Literal["select", "report"]
"""Which half of all examples: those that choose, or those that are reported on. No prompt is in both."""


def capability_pairs(model: HookedModel, name: str, n: int, *, seed: int, part: Half) -> Pairs:
    """Return the examples of a task for one half: every other one of its different prompts.

    Raises: ValueError, as `pairs_for`, and where there are too few different prompts.
    """
    task = f"{PREFIX}/{name}" if name in VARIED else name
    wanted = 2 * n if not name.endswith(".jsonl") else None
    for _ in range(6):
        pairs = pairs_for(model, task, wanted, seed=seed)
        first = list({text: nth for nth, text in reversed(list(enumerate(pairs.clean_texts)))}.values())
        own = sorted(first)[int(part == "report") :: 2]
        if len(first) >= 2 * n:  # enough for either half, or they would be halves of different draws
            return pairs.rows(own[:n])
        if wanted is None:
            break
        wanted *= 2
    raise ValueError(
        f"{name!r} has {len(first)} different prompts{told()}, and two halves of {n} are asked for; ask for fewer"
    )


def correctness(pairs: Pairs, *, among: Literal["all", "own"] = "all") -> Metric:
    """Return 1 where a right answer is likelier than every wrong one, 2 where it is likelier than every token, else 0.

    A tie is not right.

    Args:
        among: what is wrong: every answer, right or wrong, of any of the examples that is not right here (`all`: all
            capitals, say), or the pair's own wrong answers.

    Raises: ValueError, if answers have several tokens.
    """
    if not pairs.single_token:
        raise ValueError(f"answers of {pairs.task!r} have several tokens; accuracy needs answers of one token each")
    d_vocab = 1 + max(token for sets in (pairs.answers, pairs.wrong) for chosen in sets for (token,) in chosen)
    is_right, named = (_columns(sets, d_vocab).to(pairs.clean.device) for sets in (pairs.answers, pairs.wrong))
    is_wrong = ((is_right | named).any(0) if among == "all" else named) & ~is_right

    def score(logits: Tensor, is_right: Tensor, is_wrong: Tensor) -> Tensor:
        at = logits[:, 0]
        named, rest = at[:, : is_right.shape[1]], at[:, is_right.shape[1] :]
        best = named.masked_fill(~is_right, -torch.inf).amax(-1)
        among = best > named.masked_fill(~is_wrong, -torch.inf).amax(-1)
        others = torch.cat([named.masked_fill(is_right, -torch.inf), rest], dim=-1).amax(-1)
        return among.to(logits) + (among & (best > others)).to(logits)

    data = (is_right, is_wrong)
    tokens = torch.full((len(pairs), 1), d_vocab - 1, device=pairs.clean.device)
    return declare(
        "correctness", "steps", score=score, positions=pairs.answer_position[:, None], data=data, tokens=tokens
    )


def _columns(sets: Sequence[Sequence[tuple[int, ...]]], d_vocab: int) -> Bool[Tensor, "example d_vocab"]:
    found = torch.zeros(len(sets), d_vocab, dtype=torch.bool)
    for example, chosen in enumerate(sets):
        found[example, [token for (token,) in chosen]] = True
    return found
