"""Training autoencoders: config in, result out; the autoencoders stay in the folder of the run."""

import errno
import itertools
import shutil
import tempfile
from pathlib import Path

from interp_lab.bibliography import (
    BLOOM_2024,
    BUSSMANN_2024,
    BUSSMANN_2025,
    COSTA_2025,
    CUNNINGHAM_2023,
    GAO_2024,
    RAJAMANOHARAN_2024,
    RAJAMANOHARAN_2024_JUMPRELU,
    Source,
)
from interp_lab.experiment import Progress, Tracker, silent
from interp_lab.models.experiment import ModelExperiment, model_named_by, provenance_on
from interp_lab.models.settings import device_named
from interp_lab.runs import JsonlTracker
from interp_lab.runs.folder import METRICS
from interp_lab.runs.formats import decode_rows, without_superseded
from interp_lab.sae.activations.reading import widths
from interp_lab.sae.chosen import IN_RUN
from interp_lab.sae.config import SaeTrainingConfig
from interp_lab.sae.evaluation import evaluate
from interp_lab.sae.made import Curves, Made, preflight_row, read_preflight
from interp_lab.sae.material import ACTIVATIONS, material
from interp_lab.sae.result import SaeTrainingResult
from interp_lab.sae.training import LoadedSae, TrainedSae, load_sae, preflight, save_sae, train_saes
from interp_lab.sae.training.record import RECORD
from interp_lab.sae.training.trainee import new_trainee
from interp_lab.types import HookedModel

ARCHITECTURES = {
    "standard": CUNNINGHAM_2023,
    "gated": RAJAMANOHARAN_2024,
    "topk": GAO_2024,
    "batchtopk": BUSSMANN_2024,
    "matryoshka_batchtopk": BUSSMANN_2025,
    "jumprelu": RAJAMANOHARAN_2024_JUMPRELU,
    "matching_pursuit": COSTA_2025,
}
"""Where each is from."""
CHECKPOINTS = "checkpoints"
"""Folder of a run that keeps the state of its training until that is done."""


class SaeTraining(ModelExperiment[SaeTrainingConfig, SaeTrainingResult]):
    """Which sparse autoencoders of a hook point keep how much of it, at which sparsity?"""

    name = "sae_training"
    result = SaeTrainingResult
    sources = (BLOOM_2024, *ARCHITECTURES.values())

    def carry_out(self, tracker: Tracker, run_dir: Path | None, *, progress: Progress) -> SaeTrainingResult:
        """Train into `run_dir`, going on from the last checkpoint there is; what was saved is judged.

        Raises: ValueError, without a folder, or as `load_model`; as `measure`.
        """
        if run_dir is None:
            raise ValueError("training writes autoencoders and checkpoints: give it a run_dir")
        return self._into(run_dir, model_named_by(self.config), tracker=tracker, progress=progress)

    def measure(self, model: HookedModel, *, progress: Progress = silent) -> SaeTrainingResult:
        """Train on a model in memory and judge; the autoencoders themselves are let go (`train_saes` returns them).

        Raises:
            ValueError, for an unknown hook point, an architecture that does not fit there, too little text, or text
                that is both trained and judged on.
            ActivationError or NonFiniteActivationError, naming the batch; DivergedError.
            CheckpointError or OSError, if the disk is full; what is whole stays, to be gone on with.
        """
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            return self._into(folder, model, tracker=JsonlTracker(folder), progress=progress)

    def _into(self, folder: Path, model: HookedModel, *, tracker: Tracker, progress: Progress) -> SaeTrainingResult:
        """Train, unless that is done, and judge; rows that were logged are in the folder's `metrics.jsonl`."""
        config = self.config
        self._require_buildable(model)
        if not self._is_trained(folder):
            self._train(folder, model, tracker=tracker, progress=progress)
        for own in (CHECKPOINTS, ACTIVATIONS):
            shutil.rmtree(folder / own, ignore_errors=True)
        saes = {name: self._loaded(folder / IN_RUN / name, model) for name in config.all_trained.saes}
        for name in saes:
            tracker.log_artefact(f"{Path(config.model).name}/{config.hook}/{name}", folder / IN_RUN / name, kind="sae")
        rows = without_superseded(decode_rows((folder / METRICS).read_bytes(), path=folder / METRICS))
        return SaeTrainingResult(
            config=config,
            provenance=provenance_on(model, self.name, seed=config.training.seed, sources=sources_of(config)),
            preflight=read_preflight(next(row for row in rows if row.get("step") == 0)),
            made=tuple(Made.read(sae, folder=folder / IN_RUN / name) for name, sae in saes.items()),
            curves=Curves.from_rows(rows),
            evaluation=evaluate(model, saes, config.hook, config=config.evaluation, progress=progress),
        )

    def _require_buildable(self, model: HookedModel) -> None:
        """Refuse, before anything is read, a hook point that there is not, or architectures that do not fit there."""
        (d_in,) = widths(model, [self.config.hook]).values()
        every = self.config.all_trained
        for name in every.saes:
            new_trainee(name, every, d_in=d_in, hook=self.config.hook, device=device_named(every.device))

    def _train(self, folder: Path, model: HookedModel, *, tracker: Tracker, progress: Progress) -> None:
        config, every = self.config, self.config.all_trained
        found = material(model, config, folder=folder, progress=progress)
        first = itertools.islice(found.source.batches(every.batch_size, seed=every.seed), every.n_first)
        tracker.log(preflight_row(preflight(first)), step=0)
        trained = train_saes(
            found.source,
            every,
            checkpoints=folder / CHECKPOINTS,
            resume=True,  # the folder was checked, and holds this run or none
            held_out=found.held_out,
            tracker=tracker,
            progress=progress,
        )
        length = config.text.length or int(model.cfg.n_ctx)
        for name, one in trained.items():
            self._save(one, folder / IN_RUN / name, length=length)

    def _save(self, trained: TrainedSae, folder: Path, *, length: int) -> None:
        if not (folder / RECORD).is_file():
            shutil.rmtree(folder, ignore_errors=True)  # what a killed process left
        try:
            save_sae(
                trained,
                folder,
                context_size=length,
                prepend_bos=True,
                text=self.config.text,
                fold=self.config.fold,
                weights=self.config.weights,
            )
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise OSError(
                error.errno,
                f"no room on the disk for {trained.name!r}; the training is whole in its last checkpoint: make room, "
                "and resume",
                str(folder),
            ) from error

    def _is_trained(self, folder: Path) -> bool:
        return all((folder / IN_RUN / name / RECORD).is_file() for name in self.config.all_trained.saes)

    def _loaded(self, folder: Path, model: HookedModel) -> LoadedSae:
        """Load an autoencoder of this run.

        Raises: ValueError, if it was trained otherwise, or belongs to another model or hook point.
        """
        sae = load_sae(folder, device=device_named(self.config.all_trained.device))
        sae.require_fits(model, hook=self.config.hook)
        return sae


def sources_of(config: SaeTrainingConfig) -> tuple[Source, ...]:
    """Return what the architectures of a training stand on, and the library that trains them."""
    kinds = {sae.architecture.kind for sae in config.all_trained.saes.values()}
    return (BLOOM_2024, *(source for kind, source in ARCHITECTURES.items() if kind in kinds))
