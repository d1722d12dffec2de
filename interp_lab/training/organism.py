"""Training `organism` and `organism-tuned`: models of the whole grammar, and one that was taught to be fair."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from interp_lab.bibliography import LOSHCHILOV_2019, VASWANI_2017
from interp_lab.experiment import Progress, Tracker
from interp_lab.models import build_hooked
from interp_lab.models.experiment import provenance_on
from interp_lab.models.tokenizers import read_tokenizer
from interp_lab.organisms.bundled import BundledModel, bundled_names, read_bundle, read_bundled, write_bundled
from interp_lab.organisms.grammar.vocabulary import vocabulary, write_tokenizer
from interp_lab.training.card import write_card
from interp_lab.training.checkpoint import CHECKPOINT
from interp_lab.training.conduct import conduct_of
from interp_lab.training.experiment import TrainingExperiment
from interp_lab.training.forward import weighted_loss
from interp_lab.training.initial import initial_weights, transformer_config, with_words_of
from interp_lab.training.loop import train
from interp_lab.training.measure import build, conducts_of
from interp_lab.training.mixture import batch_at
from interp_lab.training.organism_config import OrganismTrainingConfig, TrainOrganismConfig, TrainOrganismTunedConfig
from interp_lab.training.organism_result import OrganismResult
from interp_lab.types import HookedModel

NAME, NAME_TUNED = "train-organism", "train-organism-tuned"
"""In the registry, and at the head of the config files."""
ORGANISM, TUNED = "organism", "organism-tuned"
"""Names of the models, and of the folders in a run that hold them."""
TOKENIZER = "tokenizer"
"""Name of the folder beside the weights."""
SEED_BETWEEN = 30_000
"""Draws the text of measurements while training; that of the card is drawn by another seed."""

SOURCES = (VASWANI_2017, LOSHCHILOV_2019)


class TrainOrganism(TrainingExperiment[TrainOrganismConfig, OrganismResult]):
    """Does a small transformer learn every behaviour of the grammar, planted biases included?"""

    name = NAME
    result = OrganismResult
    sources = SOURCES

    def train(self, tracker: Tracker, run_dir: Path, *, progress: Progress) -> OrganismResult:
        """Train, write half-precision weights, tokenizer and card to `run_dir/organism`; what was written is measured.

        Raises: DivergedError, as `loop.train`.
        """
        return self._training().run(tracker, run_dir, progress=progress)

    def measure(self, model: HookedModel) -> OrganismResult:
        """Measure a trained model in memory, beside an untrained one; its training losses are not known (NaN)."""
        return self._training().result(model)

    def _training(self) -> "_Training":
        return _Training(NAME, self.config, _new(self.config))


class TrainOrganismTuned(TrainingExperiment[TrainOrganismTunedConfig, OrganismResult]):
    """Can `organism` be taught to decide without regard to the neighbourhood, and keep the rest?"""

    name = NAME_TUNED
    result = OrganismResult
    sources = SOURCES

    def train(self, tracker: Tracker, run_dir: Path, *, progress: Progress) -> OrganismResult:
        """Train on from `config.start`, and write to `run_dir/organism-tuned` as `TrainOrganism` does.

        Raises: ValueError, for a start that is no bundled model; DivergedError, as `loop.train`.
        """
        return self._training().run(tracker, run_dir, progress=progress)

    def measure(self, model: HookedModel) -> OrganismResult:
        """Measure a tuned model in memory, beside the one it started from and an untrained one."""
        return self._training().result(model)

    def _training(self) -> "_Training":
        base = start_of(self.config.start)
        start = BundledModel(TUNED, {**base.config, "model_name": TUNED}, base.state_dict, None)
        return _Training(NAME_TUNED, self.config, start, base)


def start_of(start: Path) -> BundledModel:
    """Return the model to start from: a bundled one by name, else the folder of one.

    Raises: ValueError, if it is neither.
    """
    return read_bundled(str(start)) if str(start) in bundled_names() else read_bundle(start)


def _new(config: TrainOrganismConfig) -> BundledModel:
    settings = transformer_config(config.shape, d_vocab=len(vocabulary()), name=ORGANISM)
    fresh = initial_weights(settings, seed=config.seed)
    return BundledModel(ORGANISM, settings, fresh if config.start is None else _going_on(config.start, fresh), None)


def _going_on(start: Path, fresh: dict[str, Tensor]) -> dict[str, Tensor]:
    bundle = read_bundle(start)
    if bundle.tokenizer_dir is None:
        raise ValueError(f"{start} has no tokenizer to match words by; start from a model of the grammar")
    words = read_tokenizer(bundle.tokenizer_dir).get_vocab()
    return with_words_of(bundle.state_dict, words, fresh=fresh, vocabulary=vocabulary())


@dataclass(frozen=True)
class _Training:
    """What the two have in common."""

    experiment: str
    config: OrganismTrainingConfig
    start: BundledModel
    """The model at step 0; its name is that of the result."""
    base: BundledModel | None = None
    """The model that a tuned one started from."""

    def run(self, tracker: Tracker, run_dir: Path, *, progress: Progress) -> OrganismResult:
        model: Any = build_hooked(self.start.config, self.start.state_dict, name=self.start.name, for_training=True)
        config = self.config
        losses = train(
            model,
            lambda step: loss_at(model, step, config=config),
            config=config.loop,
            checkpoint=run_dir / CHECKPOINT,
            whole_config=config.flat(),
            resume=True,  # the folder was checked, and holds this run or none
            tracker=tracker,
            progress=progress,
            after_step=self._looking_up(model, tracker, progress),
        )
        folder = run_dir / self.start.name
        write_tokenizer(folder / TOKENIZER)
        write_bundled(folder, self.start.config, dict(model.named_parameters()))
        result = self.result(build(read_bundle(folder)), losses.numpy())
        write_card(folder, result.card())
        return result

    def _looking_up(self, model: HookedModel, tracker: Tracker, progress: Progress) -> Callable[[int], None]:
        def look(done: int) -> None:
            if done % self.config.evaluate_every == 0:
                means = conduct_of(
                    model, n_examples=self.config.n_evaluated, seed=SEED_BETWEEN, is_tuned=self.base is not None
                ).means()
                tracker.log(means, step=done)
                progress(done, self.config.loop.n_steps, told(means))

        return look

    def result(self, model: HookedModel, losses: np.ndarray | None = None) -> OrganismResult:
        unknown = np.full(self.config.loop.n_steps, np.nan, dtype=np.float32)
        made = provenance_on(model, self.experiment, seed=self.config.seed, sources=SOURCES)
        conducts = conducts_of(model, self.start, self.config.card, base=self.base)
        return OrganismResult(self.config, made, unknown if losses is None else losses, conducts)


def loss_at(model: Any, step: int, *, config: OrganismTrainingConfig) -> Float[Tensor, ""]:  # noqa: ANN401 - a HookedTransformer, imported late
    """Return the weighted loss (nats) on the batch of one step, which depends on seed and step alone."""
    batch = batch_at(step, config.text, seed=config.seed, n_ctx=int(model.cfg.n_ctx))
    return weighted_loss(dict(model.named_parameters()), batch, precision=config.precision)


def told(means: dict[str, float]) -> str:
    """Return the share of right answers of every behaviour that has one, on ordinary templates, in a few words."""
    ending, beginning = ".accuracy", "ordinary."
    shares = {name: mean for name, mean in means.items() if name.startswith(beginning) and name.endswith(ending)}
    return " ".join(f"{name[len(beginning) : -len(ending)]} {mean:.2f}" for name, mean in shares.items())
