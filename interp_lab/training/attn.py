"""Training `organism-attn`: two attention layers that learn induction on repeated random tokens."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Generator, Tensor

from interp_lab.bibliography import ELHAGE_2021, OLSSON_2022, RIPPEL_2014
from interp_lab.experiment import Progress, Tracker
from interp_lab.hooks import Edit, edited
from interp_lab.models import build_hooked
from interp_lab.models.experiment import provenance_on
from interp_lab.organisms.bundled import BundledModel, read_bundle, write_bundled
from interp_lab.organisms.repeats import RepeatedTokens, varied_repeats
from interp_lab.training.anatomy import dissect
from interp_lab.training.card import write_card
from interp_lab.training.checkpoint import CHECKPOINT
from interp_lab.training.config import RepeatsConfig, TrainOrganismAttnConfig
from interp_lab.training.experiment import TrainingExperiment
from interp_lab.training.initial import attention_only_config, initial_weights
from interp_lab.training.loop import train
from interp_lab.training.measure import build, untrained_like
from interp_lab.training.result import TrainingResult
from interp_lab.types import HookedModel

NAME = "train-organism-attn"
"""In the registry, and at the head of its config file."""
ORGANISM = "organism-attn"
"""Name of the model, and of the folder in a run that holds it."""

SOURCES = (ELHAGE_2021, OLSSON_2022, RIPPEL_2014)


class TrainOrganismAttn(TrainingExperiment[TrainOrganismAttnConfig, TrainingResult]):
    """Does an attention-only model trained on varied repeats learn induction by K-composition?"""

    name = NAME
    result = TrainingResult
    sources = SOURCES

    def train(self, tracker: Tracker, run_dir: Path, *, progress: Progress) -> TrainingResult:
        """Train, write half-precision weights and model card to `run_dir/organism-attn`; what was written is measured.

        Raises: DivergedError, as `loop.train`.
        """
        shape = attention_only_config(self.config.shape, n_symbols=self.config.text.n_symbols, name=ORGANISM)
        model: Any = build_hooked(shape, initial_weights(shape, seed=self.config.seed), for_training=True)
        losses = train(
            model,
            lambda step: loss_at(model, step, config=self.config),
            config=self.config.loop,
            checkpoint=run_dir / CHECKPOINT,
            whole_config=self.config.flat(),
            resume=True,  # the folder was checked, and holds this run or none
            tracker=tracker,
            progress=progress,
        )
        write_bundled(run_dir / ORGANISM, shape, dict(model.named_parameters()))
        bundle = read_bundle(run_dir / ORGANISM)
        result = self._result(build(bundle), bundle, losses.numpy())
        write_card(run_dir / ORGANISM, result.card())
        return result

    def measure(self, model: HookedModel) -> TrainingResult:
        """Measure a trained model in memory, beside an untrained one; its training losses are not known (NaN)."""
        shape = attention_only_config(self.config.shape, n_symbols=self.config.text.n_symbols, name=ORGANISM)
        losses = np.full(self.config.loop.n_steps, np.nan, dtype=np.float32)
        return self._result(model, BundledModel(ORGANISM, shape, {}, None), losses)

    def _result(self, model: HookedModel, bundle: BundledModel, losses: Float[np.ndarray, " step"]) -> TrainingResult:
        symbols, card = _symbols(self.config.text), self.config.card
        return TrainingResult(
            config=self.config,
            provenance=provenance_on(model, NAME, seed=self.config.seed, sources=SOURCES),
            losses=losses,
            trained=dissect(model, card, symbols=symbols),
            untrained=dissect(untrained_like(bundle, seed=card.seed), card, symbols=symbols),
        )


def loss_at(model: HookedModel, step: int, *, config: TrainOrganismAttnConfig) -> Float[Tensor, ""]:
    """Return the next-token loss (nats) on the batch of one step, which depends on seed and step alone."""
    generator = step_generator(config.seed, step)
    text = batch_of(config.text, generator, n_ctx=config.shape.n_ctx)
    if not config.nested_heads:
        return model(text.tokens, return_type="loss")
    with edited(model, nested_heads(model, len(text), generator=generator)):
        return model(text.tokens, return_type="loss")


def step_generator(seed: int, step: int) -> Generator:
    """Return the generator of one training step; different for every pair, and for every bare seed."""
    mixed = np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(mixed >> np.uint64(1)))


def batch_of(config: RepeatsConfig, generator: Generator, *, n_ctx: int) -> RepeatedTokens:
    """Draw one training batch."""
    return varied_repeats(
        config.batch_size,
        generator,
        n_pos=n_ctx,
        periods=(config.shortest, config.longest),
        symbols=_symbols(config),
    )


def nested_heads(model: HookedModel, n_sequences: int, *, generator: Generator) -> Mapping[str, Edit]:
    """Return edits that, in every sequence and layer, silence all heads after the first few.

    How many stay is uniform from one to all. The first head of a layer must so be able to do the layer's
    work alone; without this, heads of a layer that start alike end alike, and share it.

    Source: Rippel et al. 2014, arXiv 1402.0915 (nested dropout; of hidden units there, of heads here).
    """
    n_layers, n_heads = int(model.cfg.n_layers), int(model.cfg.n_heads)
    n_kept = torch.randint(1, n_heads + 1, (n_layers, n_sequences, 1), generator=generator)
    kept = torch.arange(n_heads) < n_kept
    return {f"blocks.{layer}.attn.hook_z": _silencing(kept[layer]) for layer in range(n_layers)}


def _silencing(kept: Bool[Tensor, "batch head"]) -> Edit:
    return lambda z: z * kept[:, None, :, None]


def _symbols(config: RepeatsConfig) -> range:
    return range(1, config.n_symbols + 1)
