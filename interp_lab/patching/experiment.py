"""Activation patching: which activations carry the difference between clean and corrupted prompts?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int

from interp_lab.bibliography import BENJAMINI_1995, HEIMERSHEIM_2024, WANG_2022, ZHANG_2024
from interp_lab.claims import Split
from interp_lab.effects import metric_values
from interp_lab.engine import Effects, sweep
from interp_lab.experiment import Progress, silent
from interp_lab.interventions import Combined, Intervention
from interp_lab.metrics import Metric
from interp_lab.models.experiment import ModelExperiment
from interp_lab.patching.changes import PATCHES, TO_CHOOSE, Patch, SplitMeasurements
from interp_lab.patching.choice import MapLabels, choose
from interp_lab.patching.config import PatchingConfig
from interp_lab.patching.metric_names import MetricOf, metric_named
from interp_lab.patching.result import PatchingResult
from interp_lab.patching.sites import Run, SiteMap, map_patches, own_groups, site_map
from interp_lab.tasks import Pairs, pairs_for
from interp_lab.tasks.pairs import Rows
from interp_lab.types import HookedModel

NAME = "patching"
"""In the registry, and at the head of every config file."""

POOL = 96
"""Pairs of a task that are drawn beside those that are patched, so that each of these finds a partner; doubled, up to
four times, until each does."""
_RUNS: Mapping[Patch, tuple[Run, Run, bool]] = {
    Patch.DENOISE: ("clean", "corrupted", False),
    Patch.NOISE: ("corrupted", "clean", False),
    Patch.DENOISE_NULL: ("corrupted", "corrupted", True),
    Patch.NOISE_NULL: ("clean", "clean", True),
    Patch.DENOISE_OTHER: ("clean", "corrupted", True),
}
"""Where values are taken from, where they are put, and whether they are another pair's."""


@dataclass(frozen=True)
class _Part:
    """The pairs of one split, for each of them another one of its template, and what is measured on them."""

    pairs: Pairs
    others: Pairs
    metric: Metric

    def rows(self, index: Rows) -> "_Part":
        """Return some of them."""
        chosen = torch.as_tensor(np.asarray(index))
        return _Part(self.pairs.rows(index), self.others.rows(index), self.metric.rows(chosen))


class Patching(ModelExperiment[PatchingConfig, PatchingResult]):
    """Patch every site both ways: choose on half of the prompts, report on the rest, confirm on held-out templates."""

    name = NAME
    result = PatchingResult
    sources = (WANG_2022, ZHANG_2024, HEIMERSHEIM_2024, BENJAMINI_1995)

    def measure(
        self, model: HookedModel, *, metric: MetricOf | None = None, progress: Progress = silent
    ) -> PatchingResult:
        """Measure on a model already in memory.

        Args:
            metric: makes a metric of your own from the model and the pairs, in place of the one that the config names.

        Raises: ValueError, if the task does not suit the model, the model has not the sites, or a template has too few
            pairs for a control; as `engine.sweep`.
        """
        c = self.config
        parts = self._parts(model, metric)
        maps = self._maps(model, parts)
        wanted = {split: TO_CHOOSE if split is Split.SELECT else PATCHES for split in parts}
        counted = _Counted(progress, sum(map(len, wanted.values())) + (len(parts) - 1) * len(maps))
        measured = {split: self._measured(model, maps, parts[split], wanted[split], counted) for split in parts}
        labels = label_maps(maps)
        chosen = choose(measured[Split.SELECT], labels, config=c)
        for split in parts:
            if split is not Split.SELECT:
                sets = self._sets(model, maps, parts[split], chosen, counted)
                measured[split] = replace(measured[split], sets=sets)
        progress(1, 1, "patched")
        return PatchingResult(
            config=c,
            provenance=self.provenance(model),
            unit=parts[Split.REPORT].metric.unit,
            names=tuple(name for sites in maps for name in sites.cell_names()),
            maps=labels,
            select=measured[Split.SELECT],
            report=measured[Split.REPORT],
            held_out=measured.get(Split.HELD_OUT),
            chosen=chosen,
        )

    def _parts(self, model: HookedModel, metric: MetricOf | None = None) -> dict[Split, _Part]:
        c = self.config
        metric = metric_named(c.metric) if metric is None else metric
        pools = {"n_pairs": self._pool(model, "n_pairs", seed=c.seed, reserved=False)}
        if c.n_held_out is not None:
            pools["n_held_out"] = self._pool(model, "n_held_out", seed=c.seed + 1, reserved=True)
        same = c.partners == "same answers"
        if c.partners == "auto":
            same = all(
                pool.has_partners(n=getattr(c, key), seed=c.seed, same_answers=True) for key, pool in pools.items()
            )
        made = {key: self._with_others(key, pool, same_answers=same) for key, pool in pools.items()}
        ordinary, *apart = (_Part(pairs, others, metric(model, pairs)) for pairs, others in made.values())
        splits = ordinary.pairs.splits(seed=c.seed)
        parts = {split: ordinary.rows(splits.of(split)) for split in (Split.SELECT, Split.REPORT)}
        if apart:
            parts[Split.HELD_OUT] = apart[0]
        return parts

    def _pool(self, model: HookedModel, key: str, *, seed: int, reserved: bool) -> Pairs:
        """Return pairs to measure, and behind them pairs to take partners from."""
        c, n = self.config, int(getattr(self.config, key))
        spare = [0] if c.task.endswith(".jsonl") else [POOL * 2**nth for nth in range(5)]
        for size in (n + more for more in spare):
            try:
                pool = pairs_for(model, c.task, size, seed=seed, reserved=reserved)
            except ValueError as error:
                if not reserved:
                    raise
                raise ValueError(f"{error}; or set n_held_out to null, and nothing is replicated") from error
            if pool.has_partners(n=n, seed=c.seed, same_answers=c.partners == "same answers"):
                break
        if not pool.single_token:
            raise ValueError(
                f"answers of {c.task!r} have several tokens, and {c.metric} reads one; write answers of one "
                "token, or measure pairs.teacher_forced().log_probability() with engine.sweep"
            )
        return pool

    def _with_others(self, key: str, pool: Pairs, *, same_answers: bool) -> tuple[Pairs, Pairs]:
        """Return the pairs to measure, and for each another one of its template."""
        n = int(getattr(self.config, key))
        try:
            partners = pool.partners(seed=self.config.seed, same_answers=same_answers, n=n)
        except ValueError as error:
            raise ValueError(f"{key}={n} leaves a control without its pair: {error}") from error
        return pool.rows(range(n)), pool.rows(partners)

    def _maps(self, model: HookedModel, parts: Mapping[Split, _Part]) -> list[SiteMap]:
        """Return the maps; places are those that the prompts of all splits have."""
        every = [part.pairs for part in parts.values()]
        maps = [site_map(model, one, every, places=self.config.places) for one in self.config.sites]
        return [*maps, own_groups(self.config.groups)] if self.config.groups else maps

    def _measured(
        self,
        model: HookedModel,
        maps: Sequence[SiteMap],
        part: _Part,
        wanted: Sequence[Patch],
        counted: "_Counted",
    ) -> SplitMeasurements:
        untouched: dict[Run, np.ndarray] = {}
        changes = np.full((len(PATCHES), sum(len(sites.cells) for sites in maps), len(part.pairs)), np.nan)
        for patch in wanted:
            source, base, of_another = _RUNS[patch]
            values = getattr(part.others if of_another else part.pairs, source)
            cells = [cell for sites in maps for cell in map_patches(model, sites, part.pairs, values, base=base)]
            swept = self._sweep(model, part, cells, base=base, progress=counted.next(str(patch)))
            changes[PATCHES.index(patch)], untouched[base] = swept.changes, swept.baseline
        if "clean" not in untouched:
            untouched["clean"] = metric_values(model, part.pairs.clean, part.metric, mask=part.pairs.mask)
        return SplitMeasurements(
            clean=untouched["clean"],
            corrupted=untouched["corrupted"],
            templates=np.array(part.pairs.templates),
            changes=changes,
            sets=np.full((len(maps), 1 + self.config.n_random_sets, len(part.pairs)), np.nan),
        )

    def _sweep(
        self,
        model: HookedModel,
        part: _Part,
        cells: Sequence[Intervention | Combined],
        *,
        base: Run,
        progress: Progress,
    ) -> Effects:
        prompts, budget = getattr(part.pairs, base), self.config.memory_budget
        return sweep(model, prompts, cells, part.metric, mask=part.pairs.mask, memory_budget=budget, progress=progress)

    def _sets(
        self,
        model: HookedModel,
        maps: Sequence[SiteMap],
        part: _Part,
        chosen: Int[np.ndarray, " chosen"],
        counted: "_Counted",
    ) -> Float[np.ndarray, "map set example"]:
        """Denoise the chosen sites of each map together, and random sets of as many."""
        n_random, rng = self.config.n_random_sets, np.random.default_rng(self.config.seed)
        found = np.full((len(maps), 1 + n_random, len(part.pairs)), np.nan)
        for nth, (sites, labels) in enumerate(zip(maps, label_maps(maps).values(), strict=True)):
            own = [int(site) - labels.first for site in chosen if labels.first <= site < labels.cells.stop]
            others = [cell for cell in range(len(sites.cells)) if cell not in own]
            if not own or len(others) < len(own):
                continue
            random = [rng.choice(others, size=len(own), replace=False).tolist() for _ in range(n_random)]
            cells = map_patches(model, sites, part.pairs, part.pairs.clean, base="corrupted")
            together = [Combined(tuple(cells[cell] for cell in group), "together") for group in (own, *random)]
            progress = counted.next(f"sets of {sites.name}")
            found[nth] = self._sweep(model, part, together, base="corrupted", progress=progress).changes
        return found


def label_maps(maps: Sequence[SiteMap]) -> dict[str, MapLabels]:
    """Return the labels of maps whose cells stand behind each other."""
    found, first = {}, 0
    for sites in maps:
        found[sites.name] = MapLabels(sites.rows, sites.columns, sites.row_title, sites.column_title, first)
        first += len(sites.cells)
    return found


@dataclass
class _Counted:
    """Turns the progress of several sweeps into that of the experiment."""

    progress: Progress
    n_sweeps: int
    started: int = 0

    def next(self, what: str) -> Progress:
        """Return the progress of the next sweep."""
        before, self.started = self.started, self.started + 1

        def tell(done: int, total: int, _: str) -> None:
            self.progress(int(1000 * (before + done / max(total, 1))), 1000 * self.n_sweeps, what)

        return tell
