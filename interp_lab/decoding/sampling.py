"""The next token of every row, each by its own settings and its own generator."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from interp_lab.decoding.settings import DecodingSettings


@dataclass(frozen=True)
class Sampler:
    """The rows' settings as tensors, and every random number they will use."""

    temperature: Float[Tensor, "batch 1"]
    """1 for greedy rows."""
    greedy: Bool[Tensor, " batch"]
    top_k: Int[Tensor, "batch 1"]
    top_p: Float[Tensor, "batch 1"]
    filtered: Bool[Tensor, " batch"]
    """Rows that sample among some tokens only."""
    uniforms: Float[Tensor, "batch step"]
    """One number in [0, 1) per step."""

    @classmethod
    def of(cls, settings: Sequence[DecodingSettings], *, d_vocab: int) -> "Sampler":
        """Build from one setting per row; a row's numbers depend on its seed only."""
        n_steps = max(s.max_new_tokens for s in settings)
        return cls(
            temperature=torch.tensor([[s.temperature or 1.0] for s in settings]).double(),
            greedy=torch.tensor([s.temperature is None for s in settings]),
            top_k=torch.tensor([[min(s.top_k or d_vocab, d_vocab)] for s in settings]),
            # 2 instead of 1, so that rounding in a cumulative sum cannot cut the tail off.
            top_p=torch.tensor([[2.0 if s.top_p in (None, 1.0) else s.top_p] for s in settings]).double(),
            filtered=torch.tensor([s.top_k is not None or s.top_p not in (None, 1.0) for s in settings]),
            uniforms=torch.stack([_uniforms(s, n_steps) for s in settings]),
        )

    def keep(self, index: Int[Tensor, " batch"]) -> "Sampler":
        """Return the sampler of these rows."""
        return replace(self, **{name: value[index] for name, value in vars(self).items()})

    def next_tokens(self, logits: Float[Tensor, "batch d_vocab"], *, step: int) -> Int[Tensor, " batch"]:
        """Return the token that follows, row by row: the likeliest, or one drawn by inverting the distribution."""
        likeliest = logits.argmax(-1)
        if self.greedy.all():
            return likeliest
        device = torch.device("cpu") if logits.device.type == "mps" else logits.device  # no float64 there
        scaled = logits.to(device, torch.float64) / self.temperature.to(device)
        if self.filtered.any():
            rows = self.filtered.nonzero()[:, 0]
            among = candidates(scaled[rows.to(device)], top_k=self.top_k[rows], top_p=self.top_p[rows])
            scaled[rows.to(device)] = scaled[rows.to(device)].masked_fill(~among, -torch.inf)
        drawn = inverse_draw(scaled.softmax(-1), self.uniforms[:, step])
        return torch.where(self.greedy.to(likeliest.device), likeliest, drawn.to(likeliest.device))


def _uniforms(settings: DecodingSettings, n_steps: int) -> Tensor:
    """In float32, so that none rounds to 1 when multiplied in float64."""
    if settings.temperature is None:
        return torch.zeros(n_steps, dtype=torch.float64)
    generator = torch.Generator().manual_seed(settings.seed)
    # One at a time: the numbers a row gets must not depend on how many its neighbours need.
    return torch.cat([torch.rand(1, generator=generator) for _ in range(n_steps)]).double()


def candidates(
    logits: Float[Tensor, "batch d_vocab"], *, top_k: Int[Tensor, "batch 1"], top_p: Float[Tensor, "batch 1"]
) -> Bool[Tensor, "batch d_vocab"]:
    """Return which tokens may be sampled: the `top_k` likeliest, and of those the fewest that hold `top_p` together.

    Source: nucleus sampling, Holtzman et al. 2019, arXiv 1904.09751 (the mass is that among the top k).
    """
    ordered, order = logits.sort(dim=-1, descending=True, stable=True)
    ranks = torch.arange(logits.shape[-1], device=logits.device)
    kept = ranks < top_k.to(logits.device)
    probabilities = ordered.masked_fill(~kept, -torch.inf).softmax(-1)
    mass_before = probabilities.cumsum(-1) - probabilities
    # The first always: where the processor flushes denormal numbers, a top_p as small as that is 0.
    kept &= (mass_before < top_p.to(logits.device)) | (ranks == 0)
    return torch.zeros_like(kept).scatter(-1, order, kept)


def inverse_draw(
    probabilities: Float[Tensor, "batch d_vocab"], uniforms: Float[Tensor, " batch"]
) -> Int[Tensor, " batch"]:
    """Return the token at which each row's cumulative probability passes its uniform number."""
    cumulative = probabilities.cumsum(-1)
    target = uniforms.to(cumulative.device)[:, None] * cumulative[:, -1:]
    return torch.searchsorted(cumulative, target, right=True)[:, 0]
