"""Monitors: fitted, chosen, given a threshold, reported on other texts, and let act."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from interp_lab.bibliography import BENJAMINI_1995, DELONG_1988, GUO_2017
from interp_lab.directions.from_run import DIRECTIONS
from interp_lab.experiment import Progress, Tracker, silent
from interp_lab.hooks import device_of
from interp_lab.models import identity_of
from interp_lab.models.experiment import ModelExperiment
from interp_lab.production.monitors.artefacts import save_artefacts
from interp_lab.production.monitors.cases import Cases, Drawing
from interp_lab.production.monitors.config import Kind, MonitorsConfig
from interp_lab.production.monitors.fitting import fitted, last_activations, monitor, random_line
from interp_lab.production.monitors.from_run import monitor_from_run
from interp_lab.production.monitors.measured import Choice, Cost, Made, Part, peaks, without_monitor
from interp_lab.production.monitors.monitor import Monitor
from interp_lab.production.monitors.responding import Outcome, hook_after, outcome, responding, stopping
from interp_lab.production.monitors.result import MonitorsResult
from interp_lab.stats import auroc, threshold_at
from interp_lab.types import HookedModel, nearest

NAME = "monitors"
"""In the registry, and at the head of every config file."""


class Monitors(ModelExperiment[MonitorsConfig, MonitorsResult]):
    """Fit, choose and calibrate on some texts, report on others and on reserved templates, beside filters of words."""

    name = NAME
    result = MonitorsResult
    sources = (DELONG_1988, GUO_2017, BENJAMINI_1995)

    def carry_out(self, tracker: Tracker, run_dir: Path | None, *, progress: Progress) -> MonitorsResult:
        """Load the model and measure; the chosen monitor and its response are kept in `run_dir`, for `RunRef`.

        Raises: as `measure`; ValueError, as `load_model`.
        """
        result = super().carry_out(tracker, run_dir, progress=progress)
        if run_dir is not None:
            save_artefacts(result, run_dir / DIRECTIONS)
            tracker.log_artefact(f"{Path(self.config.model).name}/{self.config.behaviour}/{self.config.label}",
                                 run_dir / DIRECTIONS, kind="monitor")  # fmt: skip
        return result

    def measure(self, model: HookedModel, *, progress: Progress = silent) -> MonitorsResult:
        """Measure on a model already in memory.

        Raises: ValueError, for texts as `cases.Drawing.cases`, too few controls for the false-positive rate, a part
            without texts of both kinds, or monitors of other runs that do not fit the model.
        """
        work = _Work(model, self.config, progress)
        return MonitorsResult(config=self.config, provenance=self.provenance(model), **work.done())


@dataclass
class _Work:
    """The stages, in order."""

    model: HookedModel
    config: MonitorsConfig
    progress: Progress
    n_done: int = 0
    hooks: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        n_layers = int(self.model.cfg.n_layers)
        layers = range(n_layers - 1) if self.config.layers is None else sorted(self.config.layers)
        last = n_layers - 1 if self.config.says is None else n_layers - 2
        wrong = next((layer for layer in layers if layer > last), None)
        if wrong is not None or not layers:
            raise ValueError(
                f"layers={list(layers)} of a model with {n_layers}: "
                + ("responses act in the layer after the monitor's, so " if self.config.says is not None else "")
                + (f"name layers from 0 to {last}" if last >= 0 else "a model of one layer has none; set says to null")
            )
        self.hooks = tuple(f"blocks.{layer}.hook_resid_post" for layer in layers)

    def done(self) -> dict[str, Any]:
        """Return the fields of the result."""
        cases = self._drawn()
        self._step("fitting")
        x = last_activations(self.model, cases["fit"], self.hooks, batch_size=self.config.batch_size)
        candidates = self._candidates(x, cases["fit"])
        areas, gaps = self._told_apart(cases["choose"], candidates)
        best = candidates[self._chosen([one.name for one in candidates], areas, gaps)]
        monitors = self._with_threshold([best, *self._given(), *self._controls(best, x, cases["fit"])], cases)
        names, parts = self._parts(cases, monitors)
        strengths, said, added = np.zeros(0), np.zeros(0), np.zeros(0)
        if self.config.says is not None:
            self._step("responses")
            way = self._way(best, cases["fit"])
            strengths, said, chosen = self._strength(monitors[0], way, cases["choose"])
            added = -chosen * way
            for name in [one for one in parts if one != "calibrate"]:
                self._step(f"alarms, {name}")
                parts[name] = parts[name].under(self._outcomes(monitors[0], added, cases[name]))
        self.progress(1, 1, "watched")
        return {
            "names": names,
            "choice": Choice(tuple(one.name for one in candidates), areas, strengths, said),
            "made": Made(best.hook, best.weights.numpy(), best.bias, added),
            "cost": Cost(len(best.weights), self._model_cost(cases["fit"])),
            **{name: parts.get(name) for name in ("calibrate", "report", "paraphrased", "held_out")},
        }

    def _step(self, what: str) -> None:
        self.progress(min(self.n_done, 8), 8, what)
        self.n_done += 1

    def _drawn(self) -> dict[str, Cases]:
        self._step("texts")
        c, draw = self.config, Drawing(self.model, self.config, set())
        sizes = {"fit": c.n_fit, "choose": c.n_choose, "calibrate": c.n_calibrate, "report": c.n_report}
        every = draw.cases(sum(sizes.values()), part=0)
        # Divided at random: whoever draws one part after the other leaves the last ones what is rare.
        order = np.random.default_rng([c.seed, 92]).permutation(len(every))
        ends = np.cumsum(list(sizes.values()))
        found = {name: every.rows(order[end - n : end]) for (name, n), end in zip(sizes.items(), ends, strict=True)}
        if c.paraphrases:
            found["paraphrased"] = draw.cases(c.n_report, part=1, rewritten=True)
        if c.n_held_out is not None:
            found["held_out"] = draw.cases(c.n_held_out, part=2, reserved=True)
        for name, one in found.items():
            if one.labels.all() or not one.labels.any():
                raise ValueError(
                    f"{int(one.labels.sum())} of {len(one)} texts ({name}) are to be warned of, and error rates need "
                    "both kinds; look at `where`, `alarming` and `says`"
                )
        return found

    def _candidates(self, x: np.ndarray, cases: Cases) -> list[Monitor]:
        return [
            self._monitor(f"{kind} at {hook.removeprefix('blocks.')}", hook, fitted(x[:, nth], cases.labels, kind))
            for nth, hook in enumerate(self.hooks)
            for kind in self.config.kinds
        ]

    def _monitor(self, name: str, hook: str, line: tuple[np.ndarray, float]) -> Monitor:
        return monitor(name, hook, line, over=self.config.over, model=identity_of(self.model))

    def _told_apart(self, cases: Cases, candidates: list[Monitor]) -> tuple[np.ndarray, np.ndarray]:
        """Return the area under the ROC curve of each monitor, and the gap between the means in standard deviations."""
        scores, _ = peaks(self.model, cases, candidates, batch_size=self.config.batch_size)
        high, low = scores[:, cases.labels], scores[:, ~cases.labels]
        spread = np.sqrt((high.var(1) + low.var(1)) / 2)
        gaps = (high.mean(1) - low.mean(1)) / np.maximum(spread, np.finfo(np.float64).tiny)
        return auroc(scores, cases.labels), gaps

    def _chosen(self, names: list[str], areas: np.ndarray, gaps: np.ndarray) -> int:
        """Return which monitor has the largest area; of those that tell equally many texts apart, the widest gap."""
        if self.config.chosen is None:
            return int(np.lexsort((gaps, areas))[-1])
        if self.config.chosen not in names:
            raise ValueError(
                f"chosen={self.config.chosen!r} is not fitted here{nearest(self.config.chosen, names)}; there are "
                f"{', '.join(names)}"
            )
        return names.index(self.config.chosen)

    def _given(self) -> list[Monitor]:
        settings: dict[str, Any] = {"reads": "reply", "over": self.config.over, "threshold": None}
        return [
            monitor_from_run(ref, self.model, name=f"{ref.artefact}, given", **settings) for ref in self.config.monitors
        ]

    def _controls(self, best: Monitor, x: np.ndarray, cases: Cases) -> list[Monitor]:
        """Return random directions, and monitors fitted on shuffled labels, at the same place."""
        c, rng, at = self.config, np.random.default_rng([self.config.seed, 90]), self.hooks.index(best.hook)
        kind: Kind = "logistic" if best.name.startswith("logistic") else "mean difference"
        found = []
        for nth in range(c.n_random):
            found.append(self._monitor(f"random direction {nth}", best.hook, random_line(rng, best.weights.numpy())))
        for nth in range(c.n_random):
            line = fitted(x[:, at], rng.permutation(cases.labels), kind)
            found.append(self._monitor(f"shuffled labels {nth}", best.hook, line))
        return found

    def _with_threshold(self, monitors: list[Monitor], cases: Mapping[str, Cases]) -> list[Monitor]:
        self._step("thresholds")
        own = cases["calibrate"]
        scores, _ = peaks(self.model, own, monitors, batch_size=self.config.batch_size)
        bars = [threshold_at(one[~own.labels], self.config.rate, level=self.config.level).value for one in scores]
        return [replace(one, threshold=bar) for one, bar in zip(monitors, bars, strict=True)]

    def _parts(self, cases: Mapping[str, Cases], monitors: list[Monitor]) -> tuple[tuple[str, ...], dict[str, Part]]:
        self._step("scores")
        told = {name: one for name, one in cases.items() if name not in ("fit", "choose")}
        names, others = without_monitor(self.model, cases["fit"], told, self.config)
        found = {}
        for name, one in told.items():
            scores, first = peaks(self.model, one, monitors, batch_size=self.config.batch_size)
            blank = np.full(others[name].shape, np.nan)
            nothing = np.zeros((0, len(one)))
            found[name] = Part(
                one.labels, np.array(one.templates), np.concatenate([scores, others[name]]),
                np.concatenate([first, blank]), nothing, nothing,
            )  # fmt: skip
        return (*(one.name for one in monitors), *names), found

    def _way(self, best: Monitor, cases: Cases) -> np.ndarray:
        """Return the way from other texts to those to be warned of, in the layer in which responses act."""
        hook = hook_after(best.hook)
        later = last_activations(self.model, cases, [hook], batch_size=self.config.batch_size)[:, 0]
        return fitted(later, cases.labels, "mean difference")[0]

    def _strength(self, best: Monitor, way: np.ndarray, cases: Cases) -> tuple[np.ndarray, np.ndarray, float]:
        """Return what each strength leaves of the words, and the least that leaves as little as any."""
        strengths = np.array(sorted(self.config.strengths))
        said = np.array([
            self._outcome(responding(best, -one * way, name="response"), cases).says[cases.labels].mean()
            for one in strengths
        ])  # fmt: skip
        return strengths, said, float(strengths[said <= said.min() + 1e-9][0])

    def _outcome(self, one: Monitor, cases: Cases) -> Outcome:
        return outcome(self.model, cases, one, self.config)

    def _outcomes(self, best: Monitor, added: np.ndarray, cases: Cases) -> list[Outcome]:
        """Return what is written under a stop, under the response, and under random ones as long."""
        rng = np.random.default_rng([self.config.seed, 91])
        found = [self._outcome(stopping(best), cases), self._outcome(responding(best, added, name="response"), cases)]
        for nth in range(self.config.n_responses):
            drawn, _ = random_line(rng, added)
            found.append(self._outcome(responding(best, drawn, name=f"random response {nth}"), cases))
        return found

    def _model_cost(self, cases: Cases) -> int:
        """Count the model's multiply-adds of a token, on the first text."""
        ids = torch.tensor([cases.ids[0]], device=device_of(self.model))
        with torch.inference_mode(), FlopCounterMode(display=False) as counted:
            self.model(ids)
        return counted.get_total_flops() // 2 // ids.shape[1]
