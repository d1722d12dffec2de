"""Prompts on which a trait is measured: either answer of each, and what the text itself says."""

from collections.abc import Set
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from interp_lab import folds
from interp_lab.metrics import Metric, logit_difference
from interp_lab.metrics.metric import declare
from interp_lab.organisms.grammar import Behaviour, Example, Template
from interp_lab.organisms.grammar.corpus import behaviour
from interp_lab.steering.setting import Prompted
from interp_lab.steering.traits import ANSWERS_OF, drawn_lines, is_file, require_trait
from interp_lab.tasks.batch import pad_rows, pad_token
from interp_lab.tasks.encoding import Prompt, continuations, prompts
from interp_lab.tasks.grammar import TRIES, templates_of, templates_showing
from interp_lab.tasks.grammar_texts import CONTRASTS, ContrastRule
from interp_lab.tasks.sentences import in_turn
from interp_lab.types import HookedModel

Answer = tuple[int, ...]
Rows = Int[Tensor, " row"] | Int[np.ndarray, " row"]
Written = tuple[str, str, str, str, int]
"""Prompt, positive answer, negative answer, template, side."""


@dataclass(frozen=True)
class TraitPrompts:
    """Prompts with two answers each."""

    trait: str
    tokens: Int[Tensor, "batch pos"]
    """Right-padded."""
    mask: Bool[Tensor, "batch pos"]
    last: Int[Tensor, " batch"]
    """Last token of each prompt: it predicts the answer."""
    positive: tuple[Answer, ...]
    """Token ids of the answer on the positive side; the first is what is measured."""
    negative: tuple[Answer, ...]
    templates: tuple[str, ...]
    """The independent units."""
    texts: tuple[str, ...]
    sides: tuple[int, ...]
    """What the text itself says: +1 or -1, half and half for the grammar, so that the unsteered mean is near 0; 0 where
    it is not known (a user's file)."""
    partners: "TraitPrompts | None" = field(default=None, kw_only=True)
    """The same prompts with the words of the other side, all else equal: what a gap is measured to."""

    def __len__(self) -> int:
        """Count the prompts."""
        return len(self.texts)

    @property
    def batch(self) -> Prompted:
        """The tokens, as settings see them."""
        return Prompted(self.tokens, self.mask, self.last)

    def partner(self) -> "TraitPrompts":
        """Return the partners, which must be there."""
        assert self.partners is not None, "prompts for a gap are drawn with partners"
        return self.partners

    def rows(self, index: Rows) -> "TraitPrompts":
        """Return some of the prompts, in the order of `index`."""
        chosen = torch.as_tensor(np.asarray(index.cpu() if isinstance(index, Tensor) else index), dtype=torch.long)
        there = chosen.to(self.tokens.device)
        listed = {
            name: tuple(getattr(self, name)[i] for i in chosen.tolist())
            for name in ("positive", "negative", "templates", "texts", "sides")
        }
        partners = None if self.partners is None else self.partners.rows(index)
        return TraitPrompts(
            self.trait, self.tokens[there], self.mask[there], self.last[there], partners=partners, **listed
        )

    def share(self) -> Metric:
        """Return `2 P(positive) / (P(positive) + P(negative)) - 1`, from -1 to 1: the share of the possible range.

        P is the probability of an answer's first token; it reads these two columns at one position.
        """
        first = self._first()

        def score(logits: Tensor) -> Tensor:
            return torch.tanh((logits[:, 0, 0] - logits[:, 0, 1]) / 2)

        return declare("trait share", "share of the range", score=score, positions=self.last[:, None], columns=first)

    def log_odds(self) -> Metric:
        """Return log P(positive) - log P(negative) of the answers' first tokens, in nats."""
        first = self._first().cpu()
        metric = logit_difference(first[:, 0], first[:, 1], positions=self.last.cpu())
        return Metric(
            "trait log odds", "nats", metric.score, metric.positions, metric.columns, metric.data, metric.min_pos,
            metric.min_vocab,
        )  # fmt: skip

    def _first(self) -> Int[Tensor, "batch 2"]:
        both = [(one[0], other[0]) for one, other in zip(self.positive, self.negative, strict=True)]
        return torch.tensor(both, device=self.tokens.device)


def prompts_of(
    model: HookedModel,
    trait: str,
    n: int,
    *,
    seed: int,
    reserved: bool | None = None,
    avoid: Set[str] = frozenset(),
) -> TraitPrompts:
    """Draw prompts on which a trait is measured, each text once, templates in turn.

    Args:
        trait: as in `contrast_of`.
        reserved: only reserved templates (lines), or only the others; `None` takes all.
        avoid: texts that are used elsewhere, with or without an answer behind them; none of them is drawn.

    Raises: ValueError, for an unknown trait, too few texts, a file without prompts, or answers that begin with the same
        token.
    """
    require_trait(trait)
    if is_file(trait):
        written = _from_file(Path(trait), n, seed=seed, reserved=reserved, avoid=avoid)
    else:
        written = _from_grammar(trait, n, seed=seed, reserved=reserved, avoid=avoid)
    return tokenized(model, trait, written)


def tokenized(
    model: HookedModel, trait: str, written: list[Written], *, partners: TraitPrompts | None = None
) -> TraitPrompts:
    """Return prompts as the model reads them.

    Raises: ValueError, for answers that begin with the same token.
    """
    texts, positive, negative, templates, sides = zip(*written, strict=True)
    read = prompts(model, texts)
    sets = [_answers(model, read, answers) for answers in (positive, negative)]
    for text, one, other in zip(texts, *sets, strict=True):
        if one[0] == other[0]:
            raise ValueError(
                f"both answers to {text!r} begin with the same token, so that the first token tells nothing; move what "
                "they share to the end of the prompt"
            )
    rows, mask = pad_rows([prompt.ids for prompt in read], pad=pad_token(model), padding="right")
    device = next(iter(model.parameters())).device
    last = mask.sum(1) - 1
    return TraitPrompts(
        trait, rows.to(device), mask.to(device), last.to(device), *map(tuple, sets),
        templates=templates, texts=texts, sides=sides, partners=partners,
    )  # fmt: skip


def _answers(model: HookedModel, read: list[Prompt], answers: tuple[str, ...]) -> list[Answer]:
    return continuations(model, list(zip(read, answers, strict=True)))


def _from_file(path: Path, n: int, *, seed: int, reserved: bool | None, avoid: Set[str]) -> list[Written]:
    lines = drawn_lines(path, n, seed=seed, reserved=reserved, avoid=avoid)
    bare = next((line.number for line in lines if line.prompt is None), None)
    if bare is not None:
        raise ValueError(
            f"{path}:{bare}: no 'prompt', so there is nothing to measure on; lines without one make a direction only"
        )
    return [(str(line.prompt), line.positive, line.negative, line.template, 0) for line in lines]


def _from_grammar(trait: str, n: int, *, seed: int, reserved: bool | None, avoid: Set[str]) -> list[Written]:
    rule, rng = CONTRASTS[trait], np.random.default_rng(seed)
    source = behaviour(rule.behaviour)
    paired = rule.latent in source.varied
    usable = templates_showing(source, rule.latent, reserved) if paired else templates_of(source, reserved)
    used, visits, written = set(avoid), dict.fromkeys((template.id for template in usable), 0), []
    order = {template.id: nth for nth, template in enumerate(usable)}
    for template in in_turn(usable, n, rng=rng):
        side = 1 if (visits[template.id] + order[template.id]) % 2 == 0 else -1
        visits[template.id] += 1
        example = unused(source, template, rule, rng, side=side, used=used)
        used.add(example.prompt)
        positive, negative = ANSWERS_OF[trait](example)
        written.append((example.prompt, f" {positive}", f" {negative}", example.template, side))
    return written


def unused(
    source: Behaviour, template: Template, rule: ContrastRule, rng: np.random.Generator, *, side: int, used: Set[str]
) -> Example:
    """Draw a text of one side that is not used elsewhere, with or without an answer.

    Raises: ValueError, if none is found.
    """
    values = rule.positive if side > 0 else rule.negative
    tries = TRIES * folds.more_draws()
    for _ in range(tries):
        example = source.example(template, source.draw(rng))
        answers = (example.answer, *example.accepted, *example.wrong)
        seen = example.prompt in used or any(f"{example.prompt} {answer}" in used for answer in answers)
        free = not seen and example.text not in used and folds.shows(example.prompt)
        if example.latents[rule.latent] in values and free:
            return example
    raise ValueError(
        f"in {tries} texts of {template.id} none with {rule.latent!r} in {values} is left{folds.told()} that is not "
        "used elsewhere; ask for fewer prompts"
    )
