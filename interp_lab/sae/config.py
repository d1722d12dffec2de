"""Config of a training of autoencoders: on what, how, and on what it is judged."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PositiveInt, model_validator

from interp_lab.config import Config, ModelConfig
from interp_lab.sae.activations import ActivationsConfig, TextConfig
from interp_lab.sae.activations.config import GRAMMAR
from interp_lab.sae.evaluation import EvaluationConfig
from interp_lab.sae.evaluation.config import BASELINE_NAMES
from interp_lab.sae.training import SaeConfig, TrainingConfig, grid
from interp_lab.sae.training.architectures import BatchTopKSae, MatryoshkaSae


def _dotted(axes: Any) -> Any:  # noqa: ANN401 - what a user wrote
    """Take nested axes apart, as overrides such as `--grids.sae.architecture.k=[8,16]` make them."""
    if not isinstance(axes, Mapping):
        return axes
    found: dict[str, Any] = {}
    for key, values in axes.items():
        inner = _dotted(values)
        found |= {f"{key}.{name}": one for name, one in inner.items()} if isinstance(inner, Mapping) else {key: inner}
    return found


Axes = Annotated[dict[str, Annotated[tuple[Any, ...], Field(min_length=1)]], BeforeValidator(_dotted)]
"""Values by dotted key of a `SaeConfig`, such as `{"architecture.k": [8, 16], "seed": [0, 1]}`."""


class KeepingConfig(Config):
    """Where activations are between the model and the training."""

    where: Literal["streamed", "memory", "disk"] = "streamed"
    """`streamed` reads the model as it is trained on: nothing is kept but tokens, and a batch mixes the tokens of
    `mixed` windows. `memory` and `disk` read it once and mix all tokens: better where there are several epochs."""
    root: Path | None = None
    """For `disk`: folder of stores, which other runs on the same activations find again. `None` is the run's own
    folder, from which they are removed when the training is done."""
    mixed: PositiveInt = 256
    """For `streamed`: windows in memory at once."""
    dtype: Literal["float16", "bfloat16", "float32"] = "float16"
    """In which activations are kept."""
    exclude_special: bool = True
    """Leave out BOS, padding and the end tokens between documents."""
    windows_at_once: PositiveInt = 32
    """Windows in one forward pass."""
    shard_bytes: PositiveInt = 64 * 2**20
    """For `disk`: size of a file."""

    @model_validator(mode="after")
    def _has_a_use(self) -> "KeepingConfig":
        if self.root is not None and self.where != "disk":
            raise ValueError(f"root={str(self.root)!r} is where activations are on disk, and where={self.where!r}")
        return self


class SaeTrainingConfig(ModelConfig):
    """Train autoencoders at one hook point, side by side on the same activations, and judge them on held-out text."""

    hook: str = "blocks.2.hook_resid_post"
    """Full name of a hook point with one activation per token; heads are laid side by side."""
    text: TextConfig = TextConfig(part="train")
    """What to train on: its train side, but for what is put aside to calibrate on."""
    calibration_share: float = Field(0.05, gt=0, lt=0.5)
    """Share of the documents that is put aside to calibrate thresholds on: neither trained on nor judged on."""
    n_calibrated: PositiveInt = 32_768
    """Tokens to calibrate on, where there is a threshold (BatchTopK, Matryoshka)."""
    activations: KeepingConfig = KeepingConfig()
    """Where activations are kept."""
    training: TrainingConfig = TrainingConfig()
    """The autoencoders, and how they are trained; its seed is that of the run."""
    grids: dict[str, Axes] = Field(default_factory=dict)
    """Autoencoders of which there are to be several, by name, with the values to combine: `{"sae": {"architecture.k":
    [8, 16], "seed": [0, 1]}}` trains `sae-k_8-seed_0`, `sae-k_8-seed_1` and so on in place of `sae`."""
    weights: Literal["as_trained", "float16"] = "as_trained"
    """In which numbers weights are saved; float16 takes half the room. What was saved is what is judged."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """What they are judged on."""

    @model_validator(mode="after")
    def _is_whole(self) -> "SaeTrainingConfig":
        if self.text.part != "train":
            raise ValueError(
                f"text.part={self.text.part!r}: the rest is for judging; set 'train', and choose text.held_out_share"
            )
        judged, ours = self.evaluation.text, self.text
        same = judged.source == ours.source
        if same and ours.source != GRAMMAR and (judged.column, judged.unit) != (ours.column, ours.unit):
            raise ValueError(
                f"evaluation.text cuts {ours.source!r} into other documents (column {judged.column!r}, unit "
                f"{judged.unit!r}) than text (column {ours.column!r}, unit {ours.unit!r}): what is in both would not "
                "be noticed; set evaluation.text.column and evaluation.text.unit to those of text"
            )
        if same and judged.part == "held_out" and judged.held_out_share > ours.held_out_share:
            raise ValueError(
                f"evaluation.text.held_out_share={judged.held_out_share} reaches into what is trained on; raise "
                f"text.held_out_share={ours.held_out_share} to it"
            )
        if self.text.held_out_share + self.calibration_share >= 1:
            raise ValueError("text.held_out_share and calibration_share leave nothing to train on; lower one")
        # Another seed of the grammar, length or packing makes no other documents of the same words: sides hold.
        unknown = sorted(self.grids.keys() - self.training.saes.keys())
        if unknown:
            raise ValueError(f"grids of {', '.join(unknown)}: training.saes has {', '.join(self.training.saes)}")
        self._require_one_value()
        names = self.all_trained.saes
        taken = next((name for name in names if BASELINE_NAMES.fullmatch(name)), None)
        if taken is not None:
            raise ValueError(f"training.saes.{taken}: the name of a baseline in the evaluation; take another")
        unknown = sorted({name for pair in self.evaluation.stability for name in pair} - names.keys())
        if unknown:
            raise ValueError(f"evaluation.stability names {', '.join(unknown)}; there are {', '.join(names)}")
        if self.needs_calibration and self.n_calibrated < self.training.batch_size:
            raise ValueError(
                f"n_calibrated={self.n_calibrated} is less than a batch of {self.training.batch_size}; raise it"
            )
        return self

    def _require_one_value(self) -> None:
        """Refuse a value that the axis of a grid replaces: whoever set it would not be heard.

        A value that is the default may have been set as well, but a config that was written out has them all.
        """
        for name, axes in self.grids.items():
            base = self.training.saes[name]
            plain = SaeConfig(architecture=type(base.architecture)())
            for key, values in axes.items():
                own, default = (_at(key, one.as_dict()) for one in (base, plain))
                if own != default:
                    raise ValueError(
                        f"training.saes.{name}.{key}={own!r} and grids.{name}.{key}={list(values)!r} set the same: "
                        f"leave out the first, or change the grid (--grids.{name}.{key}=[{own!r}])"
                    )

    @property
    def all_trained(self) -> TrainingConfig:
        """The training with every autoencoder in it.

        Raises: ConfigError, for an axis that an autoencoder does not have, or a value that it does not take.
        """
        return self.training if not self.grids else _spread(self.training, self.grids)

    @property
    def needs_calibration(self) -> bool:
        """Whether an autoencoder has a threshold to calibrate."""
        return any(isinstance(sae.architecture, BatchTopKSae | MatryoshkaSae) for sae in self.all_trained.saes.values())

    @property
    def n_read(self) -> int:
        """Tokens that are read to train on."""
        return -(-self.training.n_steps * self.training.batch_size // self.training.epochs)

    def asked(self, text: TextConfig, *, n_tokens: int | None) -> ActivationsConfig:
        """Return the activations at the hook point on some text."""
        keeping = self.activations.model_dump(include={"dtype", "exclude_special", "windows_at_once", "shard_bytes"})
        return ActivationsConfig(hooks=(self.hook,), text=text, n_tokens=n_tokens, **keeping)


def _at(key: str, values: Any) -> Any:  # noqa: ANN401 - plain data, from a mapping of mappings
    """Return the value at a dotted key; `None` where there is none, which `grid` then refuses by name."""
    for part in key.split("."):
        values = values.get(part) if isinstance(values, Mapping) else None
    return values


def _spread(training: TrainingConfig, grids: Mapping[str, Mapping[str, tuple[Any, ...]]]) -> TrainingConfig:
    saes: dict[str, SaeConfig] = {}
    for name, base in training.saes.items():
        spread = grid(base, grids[name]) if grids.get(name) else {}
        saes |= {f"{name}-{rest}": one for rest, one in spread.items()} or {name: base}
    return TrainingConfig.from_mapping(
        {**training.as_dict(), "saes": {name: one.as_dict() for name, one in saes.items()}}
    )
