"""Which model something was made on, and under which weight processing."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from jaxtyping import Float
from torch import Tensor

from interp_lab.types import nearest


@dataclass(frozen=True)
class WeightProcessing:
    """What was done to the weights after loading.

    Folding and centring leave log-probabilities alone but change the residual stream, so a
    direction, probe or SAE is meaningful only under the processing it was made with.
    """

    fold_ln: bool = True
    """LayerNorm weights and biases folded into the next linear map."""
    center_writing_weights: bool = True
    """Maps that write to the residual stream made mean-zero (LayerNorm models only)."""
    center_unembed: bool = True
    """Unembedding made mean-zero over the vocabulary (logits shift, log-probabilities do not)."""
    fold_value_biases: bool = True
    """Value biases moved into the output bias of the attention layer."""

    @classmethod
    def named(cls, name: str) -> "WeightProcessing":
        """Return what `str` of a processing names: `folded` (TransformerLens's default), `raw`, or steps joined by `+`.

        Raises: ValueError, for a name that is none of these.
        """
        presets = {"folded": cls(), "raw": cls(False, False, False, False)}
        if name in presets:
            return presets[name]
        steps = [step.name for step in fields(cls)]
        unknown = next((part for part in name.split("+") if part not in steps), None)
        if unknown is not None:
            raise ValueError(
                f"unknown weight processing {unknown!r}{nearest(unknown, [*presets, *steps])}; "
                f"use 'folded', 'raw', or steps joined by '+': {', '.join(steps)}"
            )
        return cls(**{step: step in name.split("+") for step in steps})

    def difference(self, other: "WeightProcessing") -> list[str]:
        """Return the names of the steps on which the two disagree."""
        return [f.name for f in fields(self) if getattr(self, f.name) != getattr(other, f.name)]

    def __str__(self) -> str:
        """`folded`, `raw`, or the steps that were applied."""
        for name in ("folded", "raw"):
            if self == self.named(name):
                return name
        return "+".join(f.name for f in fields(self) if getattr(self, f.name))


def steps_seen_at(hook: str) -> frozenset[str]:
    """Return the steps of weight processing that change activations at a hook point.

    Folding LayerNorm weights changes only what is between a norm and the maps that read it; centring changes what
    is written to the residual stream; value biases move from values to the output of attention; centring the
    unembedding changes nothing before the logits. At a hook point that is none of these, every step may matter.
    """
    last = hook.rpartition(".")[2]
    if last.startswith(("hook_resid", "hook_embed", "hook_pos_embed")) or last in ("hook_attn_out", "hook_mlp_out"):
        return frozenset({"center_writing_weights"})
    if ".attn." in hook and last in ("hook_z", "hook_v"):
        return frozenset({"fold_value_biases"})
    if (".mlp." in hook and last in ("hook_pre", "hook_post")) or last in ("hook_q", "hook_k", "hook_pattern"):
        return frozenset()
    return frozenset(step.name for step in fields(WeightProcessing))


@dataclass(frozen=True)
class ModelIdentity:
    """Which model, under which weight processing: what two artefacts must share before they meet."""

    name: str
    """As given to `load_model`."""
    processing: WeightProcessing
    n_layers: int
    d_model: int
    d_vocab: int

    def require_same(self, other: "ModelIdentity", *, what: str, hooks: Sequence[str] | None = None) -> None:
        """Refuse to combine `what` (made on `other`) with this model.

        Args:
            hooks: where `what` belongs; steps of the weight processing that leave activations there alone may differ.
                `None` compares every step.

        Raises: ValueError, naming each field that differs and the way out.
        """
        differing = [f.name for f in fields(self) if getattr(self, f.name) != getattr(other, f.name)]
        if hooks is not None and "processing" in differing:
            seen = frozenset[str]().union(*(steps_seen_at(hook) for hook in hooks))
            if not seen.intersection(self.processing.difference(other.processing)):
                differing.remove("processing")
        if not differing:
            return
        told = "; ".join(f"{name}: {getattr(other, name)}, not the model's {getattr(self, name)}" for name in differing)
        only_processing = differing == ["processing"]
        remedy = f"load the model with processing={str(other.processing)!r}" if only_processing else "use its own model"
        raise ValueError(f"{what} does not belong to this model ({told}); {remedy}, or make {what} again")

    def as_dict(self) -> dict[str, Any]:
        """Return plain data for JSON and safetensors headers."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "ModelIdentity":
        """Rebuild from `as_dict`."""
        values: dict[str, Any] = {**data, "processing": WeightProcessing(**data["processing"])}
        return cls(**values)


@dataclass(frozen=True)
class Direction:
    """A direction in activation space, tied to the hook point and the model that it was found on."""

    vector: Float[Tensor, " d_model"]
    """Not normalised: the scale is part of what was measured."""
    hook: str
    model: ModelIdentity
    method: str
    """How it was found, such as `mean difference`."""
