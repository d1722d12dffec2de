"""The audit: which attributes decide, alone or together, and what do they stand in for?"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from interp_lab.audit.asked import Asked, Drawing
from interp_lab.audit.choosing import chosen_of, require_known
from interp_lab.audit.config import AuditConfig
from interp_lab.audit.measurements import AuditSplit
from interp_lab.audit.named import Chosen, TwoGroups, chosen_from
from interp_lab.audit.proxies import asked_gaps, asked_proxies
from interp_lab.audit.reading import Reader, answer_tokens
from interp_lab.audit.result import AuditResult
from interp_lab.audit.screen import Screen, asked_pairs, screened
from interp_lab.audit.single import Scan, asked_ordinary, asked_single, scanned
from interp_lab.audit.source import Source, source_of
from interp_lab.bibliography import BENJAMINI_1995, DATTA_2016, KUSNER_2017
from interp_lab.claims import Split
from interp_lab.effects.under import under_from
from interp_lab.experiment import Progress, silent
from interp_lab.folds import first_shown
from interp_lab.models.experiment import ModelExperiment
from interp_lab.types import HookedModel

NAME = "audit"
"""In the registry, and at the head of every config file."""
N_CANDIDATE = 32
"""Texts that a pair of values which the screen passes on is looked at in, at least."""
N_ORDINARY = 4
"""Ordinary texts for each pair of texts of a gap."""


class Audit(ModelExperiment[AuditConfig, AuditResult]):
    """Write texts again with one thing changed: choose on some, report on others, confirm on held-out templates."""

    name = NAME
    result = AuditResult
    sources = (KUSNER_2017, DATTA_2016, BENJAMINI_1995)

    def measure(self, model: HookedModel, *, source: Source | None = None, progress: Progress = silent) -> AuditResult:
        """Measure on a model already in memory.

        Args:
            source: of your own texts, in place of what the config names.

        Raises: ValueError, for a behaviour, attribute, value or latent that there is not, texts or answers that the
            tokenizer cannot express, or what was found on another model.
        """
        c = self.config
        source = source_of(c.behaviour, answers=c.answers, where=c.where) if source is None else source
        attributes, legitimate, hidden = require_known(source, c)
        work = _work(model, source, c, attributes, legitimate, hidden, progress)
        scan, screen, candidates, groups, chosen = work.choose()
        report = work.split(Split.REPORT, groups, chosen)
        held_out, why = work.apart(chosen)
        work.step("audited")
        return AuditResult(
            config=c,
            provenance=self.provenance(model),
            source=source.name,
            answers=source.answers,
            attributes=attributes,
            legitimate=legitimate,
            hidden=hidden,
            groups=groups,
            chosen=chosen,
            scan=scan,
            screen=screen,
            candidates=candidates,
            report=report,
            held_out=held_out,
            not_replicable=why,
            under=None if work.reader.under is None else work.reader.under.name,
        )


_Choice = tuple[Scan | None, Screen | None, Asked | None, tuple[TwoGroups, ...], Chosen]


@dataclass
class _Work:
    """The stages, in order; no text that something was chosen by is reported on."""

    reader: Reader
    source: Source
    config: AuditConfig
    attributes: tuple[str, ...]
    legitimate: tuple[str, ...]
    hidden: tuple[str, ...]
    progress: Progress
    taken: set[str] = field(default_factory=set)
    n_done: int = 0

    def step(self, what: str) -> None:
        """Tell that the next stage begins."""
        self.progress(min(self.n_done, 6), 6, what)
        self.n_done += 1

    def choose(self) -> _Choice:
        """Return what the selection split says; where all is stated in advance, that, and nothing is read."""
        c, varied = self.config, {name: self.source.varied[name] for name in self.attributes}
        if c.chosen is not None:
            chosen = chosen_from(c.chosen)
            return None, None, None, chosen.attributes, chosen
        self.step("every value of every attribute")
        drawing = self._drawing(0, chooses=True)
        scan = scanned(self.reader, drawing, varied, n=c.n_select)
        groups = tuple(found for name in self.attributes if (found := scan.groups(name)) is not None)
        screen, candidates = None, None
        if c.pairs and len(varied) > 1:
            self.step("pairs of values")
            screen = screened(self.reader, drawing, varied, n=c.n_screen)
            candidates = asked_pairs(
                self.reader, drawing, screen.best(c.n_candidates, that=c.pairs_that),
                n=max(c.n_contexts // 2, N_CANDIDATE), n_controls=0, attributes=self.attributes,
            )  # fmt: skip
        chosen = chosen_of(c, scan, groups, candidates, legitimate=self.legitimate, hidden=self.hidden)
        return scan, screen, candidates, groups, chosen

    def split(self, split: Split, groups: Sequence[TwoGroups], chosen: Chosen) -> AuditSplit:
        """Read what is asked on a split."""
        c, held_out = self.config, split is Split.HELD_OUT
        n = c.n_held_out if held_out and c.n_held_out is not None else c.n_contexts
        drawing, reader = self._drawing(2 if held_out else 1, reserved=held_out), self.reader
        tested = {one.attribute for one in chosen.attributes}
        pool = [name for name in self.attributes if name not in tested]
        self.step(f"attributes, {split} split")
        singles = asked_single(reader, drawing, chosen.attributes, pool, n=n, n_controls=c.n_controls)
        beside = [] if held_out else [one for one in groups if one.attribute not in tested]
        others = asked_single(reader, drawing, beside, pool, n=max(n // 2, 8), n_controls=1)
        self.step(f"pairs and gaps, {split} split")
        told = {"n_controls": c.n_controls, "attributes": self.attributes}
        return AuditSplit(
            singles,
            others,
            asked_pairs(reader, drawing, chosen.pairs, n=n, **told),
            asked_proxies(reader, drawing, chosen.proxies, n=c.n_gap, equal=self.legitimate, **told),
            asked_gaps(reader, drawing, self.hidden, n=c.n_gap, equal=self.legitimate),
            asked_ordinary(reader, drawing, n=N_ORDINARY * c.n_gap),
        )

    def apart(self, chosen: Chosen) -> tuple[AuditSplit | None, str | None]:
        """Return the same of held-out templates, for what was chosen; else why there is none."""
        if self.config.n_held_out is None:
            return None, None
        if not self.source.templates(reserved=True):
            return None, f"{self.source.name} has no reserved templates"
        return self.split(Split.HELD_OUT, chosen.attributes, chosen), None

    def _drawing(self, stage: int, *, reserved: bool = False, chooses: bool = False) -> Drawing:
        rng = np.random.default_rng([self.config.seed, stage])
        return Drawing(self.source, rng, reserved, self.taken, chooses)


def _work(
    model: HookedModel,
    source: Source,
    config: AuditConfig,
    attributes: tuple[str, ...],
    legitimate: tuple[str, ...],
    hidden: tuple[str, ...],
    progress: Progress,
) -> _Work:
    rng, every = np.random.default_rng(0), source.templates(reserved=False)
    text = first_shown(
        lambda: source.prompt(every[int(rng.integers(len(every)))], source.draw(rng)),
        lambda drawn: [drawn],
        what=source.name,
    )
    under = None if config.under is None else under_from(config.under, model)
    reader = Reader(model, answer_tokens(model, text, source.answers), config.batch_size, under)
    return _Work(reader, source, config, attributes, legitimate, hidden, progress)
