"""What a model answers to texts, and how likely it finds them: one forward pass of a text tells both."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.gradients import EMBED, gradients_of, run_with_graph
from interp_lab.hooks import require_finite
from interp_lab.metrics import Metric
from interp_lab.production.counterfactuals.cases import Case
from interp_lab.production.counterfactuals.words import Edit, written
from interp_lab.tasks.batch import TokenBatch, tokenize
from interp_lab.tasks.encoding import continuations, prompts, tokenizer_of
from interp_lab.types import HookedModel


@dataclass(frozen=True)
class Read:
    """What a text reads."""

    logits: tuple[float, ...]
    """Of the answers."""
    fluency: float
    """Mean log-probability of its tokens, each given those before it (nats per token)."""

    @property
    def answer(self) -> int:
        """The answer that is preferred, by its number."""
        return int(np.argmax(self.logits))

    def turn(self, answer: int) -> float:
        """Return the log odds of the best other answer over this one (nats): above 0 the answer has flipped."""
        rest = max(logit for nth, logit in enumerate(self.logits) if nth != answer)
        return rest - self.logits[answer]


@dataclass(frozen=True)
class Slopes:
    """What a forward and a backward pass say of one text."""

    ids: tuple[int, ...]
    gradient: Float[Tensor, "pos d_model"]
    """Of the turn, by what is put in at each place."""
    log_probs: Float[Tensor, "pos d_vocab"]
    """Of every token at each place, given the tokens before it; 0 at the first place."""


@dataclass
class Reader:
    """Reads texts in batches, each text once."""

    model: HookedModel
    batch_size: int = 128
    n_texts: int = 0
    """Texts that went through the model."""
    n_passes: int = 0
    """Forward passes, of a batch each."""
    n_gradients: int = 0
    """Texts that a backward pass was made for."""
    _known: dict[tuple[str, tuple[str, ...]], Read] = field(default_factory=dict, repr=False)
    _tokens: dict[tuple[str, ...], tuple[int, ...]] = field(default_factory=dict, repr=False)

    def answer_tokens(self, case: Case) -> tuple[int, ...]:
        """Return the first token of each answer.

        Raises: ValueError, if two begin with the same one, or as `encoding.continuations`.
        """
        if case.answers not in self._tokens:
            (prompt,) = prompts(self.model, [case.words.text])
            found = tuple(ids[0] for ids in continuations(self.model, [(prompt, one) for one in case.answers]))
            if len(set(found)) < len(found):
                raise ValueError(
                    f"of the answers {', '.join(map(repr, case.answers))} two begin with the same token, so that "
                    "nothing tells them apart there; name answers that differ at once"
                )
            self._tokens[case.answers] = found
        return self._tokens[case.answers]

    def read(self, asked: Sequence[tuple[Case, str]]) -> list[Read]:
        """Return what texts read that were made of cases; a text that was read before is not read again.

        Raises: ValueError, for a text that the tokenizer cannot express; NonFiniteActivationError.
        """
        fresh = {(text, case.answers): case for case, text in asked if (text, case.answers) not in self._known}
        order = sorted(fresh, key=lambda one: len(one[0]))  # little padding
        for start in range(0, len(order), self.batch_size):
            batch = order[start : start + self.batch_size]
            self._read([text for text, _ in batch], [self.answer_tokens(fresh[one]) for one in batch], batch)
        return [self._known[text, case.answers] for case, text in asked]

    def _read(
        self, texts: list[str], answers: list[tuple[int, ...]], keys: Sequence[tuple[str, tuple[str, ...]]]
    ) -> None:
        batch = tokenize(self.model, texts)
        with torch.inference_mode():
            logits = self.model(batch.tokens).float()
            fluency = fluency_of(logits, batch).double().cpu()
            at = logits[torch.arange(len(texts), device=logits.device), batch.last].double().cpu()
        if not bool(at.isfinite().all() & fluency.isfinite().all()):
            require_finite(self.model, batch.tokens)
        self.n_texts, self.n_passes = self.n_texts + len(texts), self.n_passes + 1
        for nth, (key, columns) in enumerate(zip(keys, answers, strict=True)):
            self._known[key] = Read(tuple(at[nth, list(columns)].tolist()), float(fluency[nth]))

    def slopes(self, cases: Sequence[Case]) -> list[Slopes]:
        """Run texts forwards and backwards, many at once."""
        found: list[Slopes] = []
        for start in range(0, len(cases), self.batch_size):
            some = cases[start : start + self.batch_size]
            found += self._slopes(some, self.read([(case, case.words.text) for case in some]))
        return found

    def _slopes(self, cases: Sequence[Case], reads: Sequence[Read]) -> list[Slopes]:
        batch = tokenize(self.model, [case.words.text for case in cases])
        rows = torch.arange(len(cases), device=batch.tokens.device)
        toward, away = torch.tensor([self._columns(*one) for one in zip(cases, reads, strict=True)]).unbind(1)
        seen: list[Tensor] = []

        def run(model: HookedModel, tokens: Tensor, _: Metric, options: dict[str, Any]) -> Tensor:
            logits = model(tokens, **options)
            seen.append(logits.detach())
            at = logits[rows, batch.last]
            return at[rows, toward.to(at.device)] - at[rows, away.to(at.device)]

        metric = Metric("turn", "nats", lambda logits: logits[:, -1, 0])
        kept, values, _ = run_with_graph(self.model, batch.tokens, (), metric, read=run)
        gradient = gradients_of(values, {EMBED: kept[EMBED]})[EMBED].detach()
        before = torch.zeros_like(seen[0])
        before[:, 1:] = seen[0][:, :-1].float().log_softmax(-1)
        self.n_gradients += len(cases)
        made = []
        for nth, n in enumerate(batch.mask.sum(1).tolist()):
            made.append(Slopes(tuple(batch.tokens[nth, :n].tolist()), gradient[nth, :n], before[nth, :n]))
        return made

    def _columns(self, case: Case, read: Read) -> tuple[int, int]:
        """Return the tokens of the best other answer, and of the preferred one."""
        order = np.argsort(np.array(read.logits))[::-1]
        columns = self.answer_tokens(case)
        return columns[order[1]], columns[order[0]]

    @cached_property
    def embedding(self) -> Float[Tensor, "d_vocab d_model"]:
        """What each token puts in."""
        table: Tensor = self.model.embed.W_E  # ty: ignore[missing-attribute] - weights are no part of the protocol
        return table.detach()

    def estimates(self, case: Case, edits: Sequence[Edit], slopes: Slopes) -> Float[np.ndarray, " edit"]:
        """Return by how much each edit alone should move the turn, to first order (nats)."""
        if not edits:
            return np.zeros(0)
        rows = [prompt.ids for prompt in prompts(self.model, [written(case.words, [edit]) for edit in edits])]
        return np.array([first_order(slopes, row, self.embedding) for row in rows])


def fluency_of(logits: Float[Tensor, "batch pos d_vocab"], batch: TokenBatch) -> Float[Tensor, " batch"]:
    """Return the mean log-probability of tokens, each given those before it (nats per token)."""
    own = logits[:, :-1].log_softmax(-1).gather(-1, batch.tokens[:, 1:, None])[..., 0]
    counted = batch.mask[:, 1:]
    return own.masked_fill(~counted, 0.0).sum(1) / counted.sum(1).clamp(min=1)


def first_order(slopes: Slopes, new: Sequence[int], embedding: Float[Tensor, "d_vocab d_model"]) -> float:
    """Return the change of the turn that the gradient foretells for other tokens (nats).

    Tokens are compared place by place. Where their number changes, only what differs between the parts that stay is:
    each place there is given the mean of what is put in instead, and nothing (a vector of zeros) where that is deleted.

    Source: Ebrahimi et al. 2018, arXiv 1712.06751, for replaced tokens; the rest is ours.
    """
    old, new = slopes.ids, tuple(new)
    if len(old) == len(new):
        at = [nth for nth, (one, other) in enumerate(zip(old, new, strict=True)) if one != other]
        moved = embedding[[new[nth] for nth in at]] - embedding[[old[nth] for nth in at]]
        return float((moved * slopes.gradient[at]).sum())
    start, stop = _differing(old, new)
    put = embedding[list(new[start : len(new) - stop])]
    mean = put.mean(0) if len(put) else torch.zeros_like(embedding[0])
    at = list(range(start, len(old) - stop))
    return float(((mean - embedding[[old[nth] for nth in at]]) * slopes.gradient[at]).sum())


def _differing(old: Sequence[int], new: Sequence[int]) -> tuple[int, int]:
    """Return how many tokens two rows share at their beginning, and then at their end."""
    most = min(len(old), len(new))
    start = next((nth for nth in range(most) if old[nth] != new[nth]), most)
    stop = next((nth for nth in range(most - start) if old[-1 - nth] != new[-1 - nth]), most - start)
    return start, stop


def word_tokens(reader: Reader, case: Case, slopes: Slopes) -> dict[int, int]:
    """Return the token of each word that is one token of its own, by the number of the word.

    Raises: ValueError, for a tokenizer that does not say where its tokens stand.
    """
    tokenizer, text = tokenizer_of(reader.model), case.words.text
    if not getattr(tokenizer, "is_fast", False):
        raise ValueError("the tokenizer does not say where in a text its tokens stand; load a fast one")
    read = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    shift = len(slopes.ids) - len(read["input_ids"])  # BOS
    starts = {start: nth for nth, start in enumerate(case.words.starts())}
    found: dict[int, int] = {}
    for nth, (start, stop) in enumerate(read["offset_mapping"]):
        piece = text[start:stop]
        word = starts.get(start + len(piece) - len(piece.lstrip()))
        if word is not None and piece.strip() == case.words.words[word]:
            found[word] = nth + shift
    return found
