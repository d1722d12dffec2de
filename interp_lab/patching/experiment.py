"""Activation patching: which activations carry the difference between clean and corrupted prompts?"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from interp_lab.bibliography import BENJAMINI_1995, HEIMERSHEIM_2024, WANG_2022, ZHANG_2024
from interp_lab.claims import Split
from interp_lab.effects.behaviour import untouched
from interp_lab.effects.metric_names import COSTS, MetricOf
from interp_lab.effects.parts import Part, parts_of
from interp_lab.engine import sweep
from interp_lab.experiment import Progress, Steps, silent
from interp_lab.interventions import Combined
from interp_lab.models.divisible import DivisibleExperiment
from interp_lab.patching.changes import SplitMeasurements
from interp_lab.patching.choice import MapLabels, choose
from interp_lab.patching.config import PatchingConfig
from interp_lab.patching.divided import DividedSweeps
from interp_lab.patching.latents import Latents, latent_maps
from interp_lab.patching.result import PatchingResult
from interp_lab.patching.screening import by_construction
from interp_lab.patching.sites import SiteMap, map_patches, only_named, own_groups, site_map
from interp_lab.types import Codec, HookedModel

NAME = "patching"
"""In the registry, and at the head of every config file."""


class Patching(DivisibleExperiment[PatchingConfig, PatchingResult]):
    """Patch every site both ways: choose on half of the prompts, report on the rest, confirm on held-out templates."""

    name = NAME
    result = PatchingResult
    sources = (WANG_2022, ZHANG_2024, HEIMERSHEIM_2024, BENJAMINI_1995)

    def measure(
        self,
        model: HookedModel,
        *,
        metric: MetricOf | None = None,
        codecs: Mapping[str, Codec] | None = None,
        latents: Latents = 16,
        progress: Progress = silent,
    ) -> PatchingResult:
        """Measure on a model already in memory.

        Args:
            metric: makes a metric of your own from the model and the pairs, in place of the one that the config names.
                It must be higher where the model is nearer to the answer (negate a cost): nothing is claimed unless the
                corruption lowers it.
            codecs: dictionaries by hook name, whose latents are patched too, one map each.
            latents: how many of each codec, those with the largest attribution on the selection split; or which ones,
                by hook name.

        Raises: ValueError, if the task does not suit the model or has too few different pairs, the model has not the
            sites or no cell of a name in `chosen`, or a template has too few pairs for a control; as `engine.sweep`.
        """
        c = self.config
        if self.made is not None and (metric is not None or codecs):
            raise ValueError("parts are made with the metric and the sites of the config; give no metric, no codecs")
        drawn = parts_of(model, c, metric, partners=c.partners)
        parts = drawn.by_split
        every = self._maps(model, parts)
        every += latent_maps(model, codecs or {}, parts[Split.SELECT], latents=latents) if codecs else []
        maps = self._asked(every)
        work = self._sweeps(model, maps, parts)
        counted = Steps(progress, work.n_parts + (len(parts) - 1) * len(maps))
        measured = {split: self._measured(work, split, counted, is_cost=drawn.metric in COSTS) for split in parts}
        labels, screened = label_maps(maps), by_construction(model, maps, list(parts.values()))
        chosen = choose(measured[Split.SELECT], labels, config=c, left_out=screened)
        names = tuple(name for sites in maps for name in sites.cell_names())
        whole = [sites for sites in every if sites.name in labels]
        left_out = by_construction(model, whole, list(parts.values()))
        for split in parts:
            if split is not Split.SELECT:
                own = [names[site] for site in chosen]
                sets = self._sets(model, whole, parts[split], own, left_out=left_out, counted=counted)
                measured[split] = replace(measured[split], sets=sets)
        progress(1, 1, "patched")
        return PatchingResult(
            config=c,
            provenance=self.provenance(model),
            metric=drawn.metric,
            unit=drawn.unit,
            same_answers=drawn.same_answers,
            names=names,
            maps=labels,
            select=measured[Split.SELECT],
            report=measured[Split.REPORT],
            held_out=measured.get(Split.HELD_OUT),
            chosen=chosen,
            by_construction=screened,
        )

    def _maps(self, model: HookedModel, parts: Mapping[Split, Part]) -> list[SiteMap]:
        """Return the maps; places are those that the prompts of all splits have."""
        every = [part.pairs for part in parts.values()]
        maps = [site_map(model, one, every, places=self.config.places) for one in self.config.sites]
        return [*maps, own_groups(self.config.groups)] if self.config.groups else maps

    def _asked(self, maps: Sequence[SiteMap]) -> list[SiteMap]:
        """Return what is patched of the maps: all, unless it is stated in advance."""
        return list(maps) if self.config.chosen is None else only_named(maps, self.config.chosen)

    def divided(self, model: HookedModel) -> DividedSweeps:
        """Return the sweeps of all splits as parts."""
        parts = parts_of(model, self.config, None, partners=self.config.partners).by_split
        return self._sweeps(model, self._asked(self._maps(model, parts)), parts)

    def _sweeps(self, model: HookedModel, maps: Sequence[SiteMap], parts: Mapping[Split, Part]) -> DividedSweeps:
        c = self.config
        return DividedSweeps(model, maps, parts, c.sites_at_once, c.memory_budget, chooses=c.chosen is None)

    def _measured(self, work: DividedSweeps, split: Split, counted: Steps, *, is_cost: bool) -> SplitMeasurements:
        part = work.drawn[split]
        return SplitMeasurements(
            **vars(untouched(work.model, part, is_cost=is_cost)),
            changes=work.of_split(split, made=self.to_join(work, work.model), counted=counted),
            sets=np.full((len(work.maps), 1 + self.config.n_random_sets, len(part.pairs)), np.nan),
        )

    def _sets(
        self,
        model: HookedModel,
        maps: Sequence[SiteMap],
        part: Part,
        chosen: Sequence[str],
        *,
        left_out: Bool[np.ndarray, " site"],
        counted: Steps,
    ) -> Float[np.ndarray, "map set example"]:
        """Denoise the chosen sites of each map together, and random sets of as many others that can be chosen."""
        n_random, rng = self.config.n_random_sets, np.random.default_rng(self.config.seed)
        found = np.full((len(maps), 1 + n_random, len(part.pairs)), np.nan)
        for nth, (sites, labels) in enumerate(zip(maps, label_maps(maps).values(), strict=True)):
            names = sites.cell_names()
            own = [names.index(name) for name in chosen if name in names]
            others = [int(cell) for cell in np.flatnonzero(~left_out[labels.cells]) if cell not in own]
            if not own or len(others) < len(own):
                continue
            random = [rng.choice(others, size=len(own), replace=False).tolist() for _ in range(n_random)]
            cells = map_patches(model, sites, part.pairs, part.pairs.clean, base="corrupted")
            together = [Combined(tuple(cells[cell] for cell in group), "together") for group in (own, *random)]
            progress = counted.next(f"sets of {sites.name}")
            found[nth] = sweep(
                model, part.pairs.corrupted, together, part.metric, mask=part.pairs.mask,
                memory_budget=self.config.memory_budget, progress=progress,
            ).changes  # fmt: skip
        return found


def label_maps(maps: Sequence[SiteMap]) -> dict[str, MapLabels]:
    """Return the labels of maps whose cells stand behind each other."""
    found, first = {}, 0
    for sites in maps:
        found[sites.name] = MapLabels(sites.rows, sites.columns, sites.row_title, sites.column_title, first)
        first += len(sites.cells)
    return found
