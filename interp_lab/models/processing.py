"""Which steps of a weight processing a model admits, so that its identity says what was done."""

from dataclasses import replace
from typing import Any

from interp_lab.identity import WeightProcessing

WITHOUT_WEIGHTS = {"LN": "LNPre", "RMS": "RMSPre"}
"""What TransformerLens calls a norm once its weights are folded away."""


def admitted(requested: WeightProcessing, cfg: Any) -> WeightProcessing:  # noqa: ANN401 - either backend's config
    """Return the request without the steps that would change what the model computes.

    TransformerLens leaves out centring the unembedding under a logit soft cap (tanh does not
    forgive a shift), and folding and centring around norms that follow a sublayer. A step with
    nothing to act on (folding in a model without norms, centring the writes of an RMSNorm model)
    stays in: what it promises of the weights holds.
    """
    from transformer_lens.utilities.activation_functions import softcap_enabled
    from transformer_lens.utilities.architectures import POST_NORM_ARCHITECTURES

    architecture = getattr(cfg, "original_architecture", None) or getattr(cfg, "architecture", None)
    shortformer = getattr(cfg, "positional_embedding_type", None) == "shortformer"
    keeps_norms = shortformer or architecture in POST_NORM_ARCHITECTURES
    keeps_unembed = shortformer or softcap_enabled(getattr(cfg, "output_logits_soft_cap", None))
    return replace(
        requested,
        fold_ln=requested.fold_ln and not keeps_norms,
        center_writing_weights=requested.center_writing_weights and not keeps_norms,
        center_unembed=requested.center_unembed and not keeps_unembed,
    )
