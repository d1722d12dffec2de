"""Red-teaming: which inputs drive a target up, found by which search at what price, and does the answer follow?"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from interp_lab.bibliography import BENJAMINI_1995, EBRAHIMI_2018, THOMPSON_2024, ZOU_2023_GCG
from interp_lab.experiment import Progress, Tracker, package_versions, silent
from interp_lab.models.experiment import ModelExperiment, model_named_by
from interp_lab.models.fingerprint import weights_fingerprint
from interp_lab.models.identity import identity_of
from interp_lab.organisms.grammar import Behaviour
from interp_lab.organisms.grammar.corpus import behaviour
from interp_lab.production.red_team.clusters import clusters_of, transferable
from interp_lab.production.red_team.config import RedTeamConfig
from interp_lab.production.red_team.edits import edit_from
from interp_lab.production.red_team.following import Following, TooFewTextsError
from interp_lab.production.red_team.measured import Followed, Hits, Runs, as_part, from_part
from interp_lab.production.red_team.regression import write_regression
from interp_lab.production.red_team.result import RedTeamResult
from interp_lab.production.red_team.searching import Searched, SearchRun, read_starts
from interp_lab.production.red_team.starts import Drawing, kept_of
from interp_lab.production.red_team.target import Target, target_of
from interp_lab.runs.parts import Parts, key_of
from interp_lab.tasks.grammar import templates_of
from interp_lab.types import HookedModel

NAME = "red_team"
"""In the registry, and at the head of every config file."""
REGRESSION = "regression"
"""Folder of a run that holds what was found, to be tried again; see `regression`."""
_ANSWER_TURNED = 1.0
"""Log odds of the other answer (nats) that make a hit, where the config says nothing."""


class RedTeam(ModelExperiment[RedTeamConfig, RedTeamResult]):
    """Search from many texts, sort what was found, and try its edits on texts that no search began from."""

    name = NAME
    result = RedTeamResult
    sources = (ZOU_2023_GCG, THOMPSON_2024, EBRAHIMI_2018, BENJAMINI_1995)

    def carry_out(self, tracker: Tracker, run_dir: Path | None, *, progress: Progress) -> RedTeamResult:
        """Load the model and measure; runs of searches are kept in `run_dir` as they end, and what was found, as lines.

        Raises: as `measure`; ValueError, as `load_model`.
        """
        result = self.measure(model_named_by(self.config), folder=run_dir, progress=progress)
        if run_dir is not None and len(result.hits):
            (run_dir / REGRESSION).mkdir(exist_ok=True)
            write_regression(result, run_dir / REGRESSION / "set.jsonl")
            tracker.log_artefact(f"{Path(self.config.model).name}/{self.config.behaviour}", run_dir / REGRESSION,
                                 kind="regression set")  # fmt: skip
        return result

    def measure(self, model: HookedModel, *, folder: Path | None = None, progress: Progress = silent) -> RedTeamResult:
        """Measure on a model already in memory.

        Args:
            folder: where runs of searches are kept, each when it ends; those that are there are not made again.

        Raises: ValueError, for a behaviour, attribute, direction or slot that there is not, or too few texts; RunError,
            if the folder holds runs of another config or model.
        """
        c = self.config
        source = behaviour(c.behaviour)
        kept_of(source, c.keep)
        target = target_of(c.target, model)
        threshold = self._threshold(model, source, target)
        searched = [] if c.chosen is not None else self._searched(model, source, target, threshold, folder, progress)
        hits = Hits.of(searched)
        following = Following(model, source, target, c, {text for one in searched for text in one.texts})
        progress(len(c.searches) * c.n_seeds, len(c.searches) * c.n_seeds + 1, "other texts")
        names = c.chosen or _followed_of(hits, source, following)
        report = following.followed(names, n=c.n_contexts, reserved=False)
        held_out, why = _held_out(following, source, names, n=c.n_held_out)
        progress(1, 1, "searched")
        return RedTeamResult(
            config=c,
            provenance=self.provenance(model),
            weights=weights_fingerprint(model),
            target=target.name,
            unit=target.unit,
            threshold=threshold,
            runs=Runs.of(searched),
            hits=hits,
            report=report,
            held_out=held_out,
            not_replicable=why,
        )

    def _threshold(self, model: HookedModel, source: Behaviour, target: Target) -> float:
        """Return what makes a hit: stated, or of a direction the largest value among ordinary texts."""
        c = self.config
        if c.threshold is not None:
            return c.threshold
        if target.vector is None:
            return _ANSWER_TURNED
        drawn = Drawing(model, source, np.random.default_rng([c.seed, 3])).starts()
        ordinary = [next(drawn) for _ in range(c.n_ordinary)]
        return max(one.value for one in read_starts(model, target, ordinary, batch_size=c.batch_size))

    def _searched(
        self,
        model: HookedModel,
        source: Behaviour,
        target: Target,
        threshold: float,
        folder: Path | None,
        progress: Progress,
    ) -> list[Searched]:
        c = self.config
        work = [(search, seed) for search in c.searches for seed in range(c.n_seeds)]
        parts = None if folder is None else self._parts(model, folder / "searches", len(work))
        found = []
        for nth, (search, seed) in enumerate(work):
            if parts is not None and parts.has(nth):
                found.append(from_part(parts.read(nth)))
                continue
            progress(nth, len(work) + 1, f"{search}, seed {seed}")
            found.append(SearchRun(model, source, target, threshold, c, search, seed).run())
            if parts is not None:
                parts.write(nth, as_part(found[-1]))
        return found

    def _parts(self, model: HookedModel, folder: Path, n: int) -> Parts:
        known = {
            "experiment": self.name,
            "config": self.config.as_dict(),
            "model": identity_of(model).as_dict(),
            "weights": weights_fingerprint(model),
            "version": package_versions()["interp_lab"],
        }
        return Parts(folder, n, key_of(known))


def _followed_of(hits: Hits, source: Behaviour, following: Following) -> tuple[str, ...]:
    """Return the commonest edit of each of the largest clusters, such as enough other texts can take."""
    config, found = following.config, []
    for one in clusters_of(hits.edit.tolist()):
        if len(found) < config.n_followed and transferable(one.edit, tuple(source.varied)):
            try:
                following.contexts(edit_from(one.edit), n=config.n_contexts, reserved=False)
            except TooFewTextsError:
                continue
            found.append(one.edit)
    return tuple(found)


def _held_out(
    following: Following, source: Behaviour, names: Sequence[str], *, n: int | None
) -> tuple[Followed | None, str | None]:
    """Return the same on held-out templates; else why not."""
    if n is None:
        return None, None
    if not templates_of(source, True):
        return None, f"{source.name} has no reserved templates"
    try:
        return following.followed(names, n=n, reserved=True), None
    except TooFewTextsError as error:
        return None, str(error)
