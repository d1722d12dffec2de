"""What a model can do besides: tasks whose accuracy steering should leave alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp_lab.engine import sweep
from interp_lab.experiment import Progress, silent
from interp_lab.interventions import Combined, Intervention
from interp_lab.metrics import Metric
from interp_lab.metrics.metric import declare
from interp_lab.steering.neutral import Split
from interp_lab.steering.setting import Prompted, is_inert
from interp_lab.tasks.grammar import PREFIX, VARIED
from interp_lab.tasks.pairs import Pairs
from interp_lab.tasks.registry import pairs_for
from interp_lab.types import HookedModel

CAPABILITIES = ("facts", "agreement", "indirect_objects")
"""What is measured unless something else is asked for, on models of the grammar."""
MakeInterventions = Callable[[Prompted], Sequence[Intervention | Combined]]
"""Makes one intervention per setting for a batch."""


@dataclass(frozen=True)
class Capability:
    """Whether each example is answered right, under each setting and unsteered."""

    names: tuple[str, ...]
    """Of the tasks."""
    right: Float[np.ndarray, "capability setting example"]
    """1 where the likeliest of all answers that the task's examples have is a right one here, else 0."""
    top: Float[np.ndarray, "capability setting example"]
    """1 where the likeliest token of the whole vocabulary is a right answer, else 0; never above `right`."""
    clean_right: Float[np.ndarray, "capability example"]
    """`right` without steering."""
    clean_top: Float[np.ndarray, "capability example"]
    templates: tuple[tuple[str, ...], ...]
    """By capability, of each example."""

    @property
    def loss(self) -> Float[np.ndarray, "capability setting example"]:
        """Right without steering minus right with it, example by example: -1, 0 or 1, among the answers."""
        return self.clean_right[:, None] - self.right

    @property
    def top_loss(self) -> Float[np.ndarray, "capability setting example"]:
        """The same for the whole vocabulary."""
        return self.clean_top[:, None] - self.top


def capability_of(
    model: HookedModel,
    names: Sequence[str],
    interventions_fn: MakeInterventions,
    n: int,
    *,
    seed: int,
    part: Split,
    memory_budget: int | None = None,
    progress: Progress = silent,
) -> Capability:
    """Measure what settings do to accuracy on tasks, on the same examples with and without.

    Args:
        names: behaviours of the grammar, tasks of the registry, or `.jsonl` files of pairs.
        interventions_fn: given a batch, one intervention per setting; those that change nothing are not run.
        n: examples per task.
        part: of two disjoint halves of all examples.

    Raises: ValueError, for an unknown task, answers of several tokens, or fewer examples than are asked for.
    """
    found = []
    for nth, name in enumerate(names):
        pairs = capability_pairs(model, name, n, seed=seed, part=part)
        batch = Prompted(pairs.clean, pairs.mask, pairs.answer_position)
        found.append((pairs, _scored(model, pairs, interventions_fn(batch), memory_budget=memory_budget)))
        progress(nth + 1, len(names), "capabilities")
    values = np.stack([scores for _, scores in found])
    right, top = (values >= 1).astype(float), (values >= 2).astype(float)
    return Capability(
        tuple(names), right[:, 1:], top[:, 1:], right[:, 0], top[:, 0], tuple(pairs.templates for pairs, _ in found)
    )


def capability_pairs(model: HookedModel, name: str, n: int, *, seed: int, part: Split) -> Pairs:
    """Return the examples of a task for one half: every other one of its different prompts.

    Raises: ValueError, as `pairs_for`, and where there are too few different prompts.
    """
    task = f"{PREFIX}/{name}" if name in VARIED else name
    wanted = 2 * n if not name.endswith(".jsonl") else None
    for _ in range(6):
        pairs = pairs_for(model, task, wanted, seed=seed)
        first = list({text: nth for nth, text in reversed(list(enumerate(pairs.clean_texts)))}.values())
        own = sorted(first)[int(part == "report") :: 2]
        if len(own) >= n:
            return pairs.rows(own[:n])
        if wanted is None:
            break
        wanted *= 2
    raise ValueError(
        f"{name!r} has {len(own)} different prompts for the {part!r} half, and n={n} are asked for; ask for fewer"
    )


def correctness(pairs: Pairs) -> Metric:
    """Return 1 where a right answer is likelier than every wrong one, 2 where it is likelier than every token, else 0.

    Wrong is every answer, right or wrong, of any of the examples that is not right here: all capitals, say. A tie is
    not right.

    Raises: ValueError, if answers have several tokens.
    """
    if not pairs.single_token:
        raise ValueError(f"answers of {pairs.task!r} have several tokens; accuracy needs answers of one token each")
    d_vocab = 1 + max(token for sets in (pairs.answers, pairs.wrong) for chosen in sets for (token,) in chosen)
    is_right, named = (_columns(sets, d_vocab).to(pairs.clean.device) for sets in (pairs.answers, pairs.wrong))
    is_wrong = (is_right | named).any(0) & ~is_right

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


def _scored(
    model: HookedModel, pairs: Pairs, interventions: Sequence[Intervention | Combined], *, memory_budget: int | None
) -> Float[np.ndarray, "setting example"]:
    """Return `correctness`, first without steering and then by setting."""
    metric = correctness(pairs)
    acting = [nth for nth, one in enumerate(interventions) if not all(map(is_inert, one.parts))]
    if not acting:
        from interp_lab.effects import metric_values

        clean = metric_values(model, pairs.clean, metric, mask=pairs.mask)
        return np.tile(clean, (len(interventions) + 1, 1))
    chosen = [interventions[nth] for nth in acting]
    found = sweep(model, pairs.clean, chosen, metric, mask=pairs.mask, memory_budget=memory_budget)
    values = np.tile(found.baseline, (len(interventions) + 1, 1))
    values[[nth + 1 for nth in acting]] = found.values
    return values
