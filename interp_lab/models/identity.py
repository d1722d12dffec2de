"""Which model, under which weight processing: attached to a model when it is loaded, read wherever artefacts meet."""

from typing import Any

from interp_lab.identity import ModelIdentity, WeightProcessing
from interp_lab.models.settings import processing_named
from interp_lab.types import HookedModel

_ATTRIBUTE = "interp_lab_identity"


def identity_of(model: HookedModel) -> ModelIdentity:
    """Return what `load_model` recorded about a model; copies of the model carry it along.

    Raises: ValueError, for a model that was built elsewhere and never declared.
    """
    identity = getattr(model, _ATTRIBUTE, None)
    if identity is None:
        raise ValueError(
            f"this {type(model).__name__} carries no identity, because load_model did not build it; load it with "
            "interp_lab.load_model, or say what it is with "
            "interp_lab.models.declare_identity(model, name=..., processing='raw')"
        )
    return identity


def declare_identity(model: HookedModel, *, name: str, processing: WeightProcessing | str) -> ModelIdentity:
    """Attach an identity to a model that was built elsewhere, and return it.

    Args:
        model: changed in place; an earlier identity is replaced.
        name: what the model is called in reports and saved artefacts.
        processing: what was done to its weights, which nothing can verify.
    """
    cfg: Any = model.cfg
    identity = ModelIdentity(
        name=name,
        processing=processing_named(processing),
        n_layers=int(cfg.n_layers),
        d_model=int(cfg.d_model),
        d_vocab=int(cfg.d_vocab),
    )
    setattr(model, _ATTRIBUTE, identity)
    return identity
