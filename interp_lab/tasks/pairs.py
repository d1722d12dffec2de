"""Pairs of prompts that differ in one respect, token by token, with what is right and wrong to say next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from interp_lab.metrics import Metric, log_probability, logit_difference, probability_difference, rank
from interp_lab.organisms.grammar import Value
from interp_lab.stats import Splits, split_by_template
from interp_lab.tasks.batch import Padding, pad_rows
from interp_lab.tasks.encoding import pair_label
from interp_lab.tasks.partners import draw_partners

Answer = tuple[int, ...]
"""The tokens of one answer."""
AnswerSets = tuple[tuple[Answer, ...], ...]
"""Per example the answers that are equally right (or wrong), the most telling one first."""
Rows = Int[Tensor, " row"] | Int[np.ndarray, " row"] | Sequence[int]


@dataclass(frozen=True)
class Pairs:
    """Clean and corrupted prompts, aligned: row by row they have tokens, and padding, in the same places."""

    task: str
    clean: Int[Tensor, "batch pos"]
    corrupted: Int[Tensor, "batch pos"]
    mask: Bool[Tensor, "batch pos"]
    """True at tokens, False at padding; left-padded prompts are read wrongly without it."""
    answer_position: Int[Tensor, " batch"]
    """The last token of the prompt: it predicts the (first token of the) answer."""
    answers: AnswerSets
    """Right after the clean prompt."""
    wrong: AnswerSets
    """Wrong after the clean prompt: what answers are compared with."""
    corrupted_answers: AnswerSets
    """Right after the corrupted prompt; an empty set where nothing is."""
    templates: tuple[str, ...]
    """The independent units: splits are made and intervals clustered by these."""
    reserved: tuple[bool, ...]
    """Whether the template is held out from everything that selects."""
    latents: tuple[Mapping[str, Value], ...]
    """What each clean prompt was made from."""
    clean_texts: tuple[str, ...]
    corrupted_texts: tuple[str, ...]
    roles: Mapping[str, Int[Tensor, " batch"]]
    """Positions by what stands there: of the last token of what a role names, and -1 in prompts that have no such
    place. `end` and `changed` are always among them, `start` and `last_changed` where there are such places (see
    `roles.GIVEN`). Clean and corrupted share them."""
    spelling: Mapping[int, str]
    """Text of every token in prompts and answers."""
    pad: int
    padding: Padding = "right"
    forced: tuple[Answer, ...] | None = None
    """The answers that stand behind the prompts, of both kinds, but for their last token; `None` for prompts alone."""

    def __post_init__(self) -> None:
        n_entries = {len(getattr(self, name)) for name in (*_TENSORS, *_LISTS)} | set(map(len, self.roles.values()))
        assert n_entries == {len(self.clean)}, "one entry per example"
        assert {"changed", "end"} <= set(self.roles), "roles are made by roles.role_positions"

    def __len__(self) -> int:
        """Count the pairs."""
        return len(self.clean)

    def rows(self, index: Rows) -> "Pairs":
        """Return some of the pairs, in the order of `index`; padding stays as it is."""
        chosen = torch.as_tensor(np.asarray(index), dtype=torch.long) if not isinstance(index, Tensor) else index.cpu()
        there = chosen.to(self.clean.device)
        held = {name: getattr(self, name)[there] for name in _TENSORS}
        roles = {name: positions[there] for name, positions in self.roles.items()}
        listed = {name: tuple(getattr(self, name)[i] for i in chosen.tolist()) for name in _LISTS}
        forced = None if self.forced is None else tuple(self.forced[i] for i in chosen.tolist())
        return replace(self, **held, **listed, roles=roles, forced=forced)

    def to(self, device: torch.device | str) -> "Pairs":
        """Return the pairs with their tensors on a device."""
        roles = {name: positions.to(device) for name, positions in self.roles.items()}
        return replace(self, **{name: getattr(self, name).to(device) for name in _TENSORS}, roles=roles)

    def splits(self, *, held_out: float | Sequence[str] | None = None, select: float = 0.5, seed: int = 0) -> Splits:
        """Return which pairs choose, which report, and which are of templates that choosing never saw.

        Pairs with the same clean prompt, up to its answer, are on one side.

        Args:
            held_out: share of the templates, their names, or `None` for the reserved ones (there may be none).

        Raises: ValueError, as `stats.split_by_template`.
        """
        if held_out is None:
            held_out = sorted({name for name, kept in zip(self.templates, self.reserved, strict=True) if kept})
        ends = (self.answer_position + 1).tolist()
        prompts = [tuple(row[:end]) for row, end in zip(self.clean.tolist(), ends, strict=True)]
        return split_by_template(self.templates, held_out=held_out, select=select, together=prompts, seed=seed)

    @property
    def single_token(self) -> bool:
        """Whether every answer, right or wrong, is one token."""
        return all(len(answer) == 1 for sets in (self.answers, self.wrong) for chosen in sets for answer in chosen)

    def changed(self) -> Bool[Tensor, "batch pos"]:
        """Return where clean and corrupted tokens differ."""
        return self.clean != self.corrupted

    def shared_prefix(self) -> Int[Tensor, " batch"]:
        """Return the number of leading positions (padding included) at which clean and corrupted are the same."""
        return (~self.changed()).long().cumprod(1).sum(1)

    def common_roles(self) -> tuple[str, ...]:
        """Return the roles that every prompt has, by mean position."""
        common = [name for name, positions in self.roles.items() if bool((positions >= 0).all())]
        return tuple(sorted(common, key=lambda name: int(self.roles[name].sum())))

    def partners(
        self, *, seed: int, same_answers: bool = False, n: int | None = None, apart: bool = False
    ) -> Int[Tensor, " _"]:
        """Draw for each pair another pair of its template, to take values from that say nothing of this one.

        Partners have the same length, the same mask and every role in the same position, and both of their prompts
        are others. Nobody is the partner of two pairs unless there is no other way; see `draw_partners`.

        Args:
            same_answers: whether partners must have the same answers, right and wrong: of two answers that all pairs
                share, another pair's corrupted prompt would else often speak for one's own clean answer.
            n: partners are drawn from all pairs, for the first `n` of them only; `None` for all.
            apart: whether one's own prompts may not come back in the other role, even if somebody is then the partner
                of two.

        Raises: ValueError, for a pair that has no partner.
        """
        drawn = self._drawn_partners(seed=seed, same_answers=same_answers, apart=apart)[:n]
        if -1 in drawn:
            lone = drawn.index(-1)
            raise ValueError(
                f"pair {lone} of template {self.templates[lone]!r}, {self.clean_texts[lone]!r}, has no partner: among "
                f"the {self.templates.count(self.templates[lone])} pairs of the template is no other of its length and "
                f"places{' and answers' if same_answers else ''} with another clean and another corrupted prompt "
                f"({drawn.count(-1)} of {len(drawn)} pairs have none); draw more examples per template"
            )
        return torch.tensor(drawn, device=self.clean.device)

    def has_partners(self, *, seed: int, same_answers: bool = False, n: int | None = None, apart: bool = False) -> bool:
        """Whether `partners` finds one for each pair, and (`apart`) none with its own prompts in the other role."""
        return -1 not in self._drawn_partners(seed=seed, same_answers=same_answers, apart=apart)[:n]

    def _drawn_partners(self, *, seed: int, same_answers: bool, apart: bool = False) -> list[int]:
        """Return each pair's partner, -1 where there is none."""
        where = torch.stack(list(self.roles.values()), 1).tolist()
        kinds = [
            (name, tuple(places), tuple(mask), answers if same_answers else None)
            for name, places, mask, answers in zip(
                self.templates, where, self.mask.tolist(), zip(self.answers, self.wrong, strict=True), strict=True
            )
        ]
        stop = [end + 1 for end in self.answer_position.tolist()]  # answers that are forced make no other prompt
        clean, corrupted = (
            [tuple(row[:end]) for row, end in zip(tokens.tolist(), stop, strict=True)]
            for tokens in (self.clean, self.corrupted)
        )
        return draw_partners(kinds, clean=clean, corrupted=corrupted, seed=seed, apart=apart).tolist()

    def token_labels(self, row: int) -> list[str]:
        r"""Return the tokens of a clean prompt to be read, `clean/corrupted` where they differ, and "" for padding.

        Spaces around tokens are left out, other white space is spelt (`\n`).

        Raises: ValueError, for a row that is not there.
        """
        if not 0 <= row < len(self):
            raise ValueError(f"row={row} is not one of the {len(self)} pairs; use 0 to {len(self) - 1}")
        tokens = zip(self.clean[row].tolist(), self.corrupted[row].tolist(), self.mask[row].tolist(), strict=True)
        return [pair_label(self.spelling[one], self.spelling[other]) if kept else "" for one, other, kept in tokens]

    def logit_difference(self) -> Metric:
        """Return mean logit of the answers minus mean logit of the wrong ones (logits).

        Raises: ValueError, if answers have several tokens.
        """
        return logit_difference(*self._single_token_sets(), positions=self.answer_position)

    def probability_difference(self) -> Metric:
        """Return total probability of the answers minus that of the wrong ones, from -1 to 1.

        Raises: ValueError, if answers have several tokens.
        """
        return probability_difference(*self._single_token_sets(), positions=self.answer_position)

    def rank(self) -> Metric:
        """Return the number of tokens that the model prefers to the first answer.

        Raises: ValueError, if answers have several tokens.
        """
        answers, _ = self._single_token_sets()
        return rank(torch.tensor([chosen[0] for chosen in answers]), positions=self.answer_position)

    def log_probability(self) -> Metric:
        """Return the log-probability (nats) of the first answer, or of the one that is forced: the sum over its tokens.

        Raises: ValueError, if answers have several tokens and none is forced.
        """
        spoken = self.forced
        if spoken is None:
            spoken = tuple((chosen[0],) for chosen in self._single_token_sets()[0])
        tokens, mask = pad_rows(spoken, pad=0, padding="right")
        device = self.clean.device
        positions = self.answer_position[:, None] + torch.arange(tokens.shape[1], device=device)
        return log_probability(tokens.to(device), positions=positions, mask=mask.to(device))

    def teacher_forced(self, *, wrong: bool = False) -> "Pairs":
        """Return pairs in which the first answer stands behind both prompts, so that its log-probability can be read.

        Its last token is left out: nothing is predicted from it.

        Args:
            wrong: put the first wrong answer there; the log-probabilities of both runs make the log odds.

        Raises: ValueError, if an answer stands there already.
        """
        if self.forced is not None:
            raise ValueError("an answer stands behind these prompts already; start from the pairs without it")
        spoken = tuple(chosen[0] for chosen in (self.wrong if wrong else self.answers))
        clean, mask, last = self._appended(self.clean, spoken)
        corrupted, _, _ = self._appended(self.corrupted, spoken)
        shift = last - self.answer_position
        roles = {name: torch.where(at < 0, at, at + shift) for name, at in self.roles.items()}
        held = {"clean": clean, "corrupted": corrupted, "mask": mask, "answer_position": last}
        return replace(self, **held, roles=roles, forced=spoken)

    def _appended(self, tokens: Tensor, spoken: tuple[Answer, ...]) -> tuple[Tensor, Tensor, Tensor]:
        device = tokens.device
        prompts = [row[kept].tolist() for row, kept in zip(tokens, self.mask, strict=True)]
        rows = [prompt + list(answer[:-1]) for prompt, answer in zip(prompts, spoken, strict=True)]
        padded, mask = pad_rows(rows, pad=self.pad, padding=self.padding)
        last = mask.long().argmax(1) + torch.tensor([len(prompt) - 1 for prompt in prompts])
        return padded.to(device), mask.to(device), last.to(device)

    def _single_token_sets(self) -> tuple[list[list[int]], list[list[int]]]:
        if not self.single_token:
            at = next(i for i in range(len(self)) if max(map(len, (*self.answers[i], *self.wrong[i]))) > 1)
            raise ValueError(
                f"the answers of {self.clean_texts[at]!r} have several tokens ({self.answers[at]} against "
                f"{self.wrong[at]}); use pairs.teacher_forced().log_probability()"
            )
        return [[answer[0] for answer in chosen] for chosen in self.answers], [
            [answer[0] for answer in chosen] for chosen in self.wrong
        ]


_TENSORS = ("clean", "corrupted", "mask", "answer_position")
_LISTS = (
    "answers", "wrong", "corrupted_answers", "templates", "reserved", "latents", "clean_texts", "corrupted_texts",
)  # fmt: skip
