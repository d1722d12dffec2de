"""Attention of the native bridge, with scores and pattern passed *through* their hook points.

TransformerLens 3.9 shows a native model's pattern to its hooks after the attention output has been
computed, so that an edit reaches nothing, and shows the pattern once more under the name of the scores.
"""

from typing import Any

import torch
from torch import Tensor
from transformer_lens.hook_points import HookPoint
from transformer_lens.model_bridge.sources.native import NativeAttention


class HookedNativeAttention(NativeAttention):
    """The same computation and the same parameters; `through` connects it to the bridge's hook points."""

    hook_scores: HookPoint
    hook_pattern: HookPoint

    def through(self, scores: HookPoint, pattern: HookPoint) -> None:
        """Pass scores (masked, before the softmax) and pattern through these hook points from now on."""
        self.hook_scores, self.hook_pattern = scores, pattern

    def forward(  # ty: ignore[incompatible-method-override] - the bridge takes None for "no pattern to show"
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        **_others: Any,  # noqa: ANN401 - rotary positions, which this model has not
    ) -> tuple[Tensor, None]:
        """Return the output; the pattern is withheld, because the bridge would fire its hook point again."""
        batch, seq, _ = hidden_states.shape
        q = self.q(hidden_states).unflatten(-1, (self.n_heads, self.d_head)).transpose(1, 2)
        k = self.k(hidden_states).unflatten(-1, (self.n_kv_heads, self.d_head)).transpose(1, 2)
        v = self.v(hidden_states).unflatten(-1, (self.n_kv_heads, self.d_head)).transpose(1, 2)
        k, v = (part.repeat_interleave(self.kv_repeats, dim=1) for part in (k, v))
        masked = self.causal_mask[:seq, :seq] if self.causal else torch.zeros_like(self.causal_mask[:seq, :seq])
        if attention_mask is not None:
            masked = self._combine_attention_mask(masked, attention_mask, batch=batch)
        scores = self._capped(q @ k.transpose(-2, -1) / self.scale).masked_fill(masked, -torch.inf)
        pattern = self.hook_scores(scores).softmax(-1)
        # A row that is masked throughout (padding) has no distribution; it attends to nothing.
        pattern = self.hook_pattern(torch.where(pattern.isnan(), 0.0, pattern))
        return self.o((pattern @ v).transpose(1, 2).flatten(2)), None

    def _capped(self, scores: Tensor) -> Tensor:
        cap = self.attn_scores_soft_cap
        return cap * torch.tanh(scores / cap) if cap > 0 else scores
