"""Direct logit attribution: what each part of a model adds to a logit difference by its own, past all later layers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from interp_lab.hooks import ready_tokens, record
from interp_lab.metrics import Metric
from interp_lab.patching.gradients import written_by
from interp_lab.patching.logit_reading import LogitReading
from interp_lab.types import HookedModel, Site, Tokens


@dataclass(frozen=True)
class DirectLogitAttribution:
    """What the parts of a model add to a metric, example by example; over all parts it sums to the metric."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    """`embedding`, `position embedding`, `attention` or `head`, `MLP` or `neuron`, and `bias`."""
    sites: tuple[Site | None, ...]
    """Where each part can be ablated; `None` for biases."""
    metric: str
    unit: str
    values: Float[np.ndarray, "component example"]

    def of_kind(self, kind: str) -> "DirectLogitAttribution":
        """Return the parts of one kind.

        Raises: ValueError, for a kind that no part is of.
        """
        index = [nth for nth, each in enumerate(self.kinds) if each == kind]
        if not index:
            raise ValueError(f"no part is of kind {kind!r}; there are {', '.join(dict.fromkeys(self.kinds))}")
        return DirectLogitAttribution(
            names=tuple(self.names[nth] for nth in index),
            kinds=(kind,) * len(index),
            sites=tuple(self.sites[nth] for nth in index),
            metric=self.metric,
            unit=self.unit,
            values=self.values[index],
        )


@dataclass(frozen=True)
class _Parts:
    """Parts of one kind, on one batch."""

    kind: str
    names: Sequence[str]
    sites: Sequence[Site | None]
    values: Float[Tensor, "component batch"]


def direct_logit_attribution(
    model: HookedModel,
    tokens: Tokens,
    *,
    metric: Metric,
    heads: bool = True,
    neurons: bool = False,
    mask: Bool[Tensor, "_ _"] | None = None,
    batch_size: int = 64,
) -> DirectLogitAttribution:
    """Split a logit difference, or another fixed combination of logits, into what each part of the model writes to it.

    Exact for the final norm held at the scale that it has on each prompt: its centring, weight and bias are taken into
    account, folded or not, so that all parts sum to the metric; that they do is checked.

    What it does not show: what a part does through later layers, and that the metric would move by its value if the
    part were ablated (the norm rescales, later parts make up for it). It describes; ablation tests.

    Args:
        metric: such as `metrics.logit_difference`; each example may read its own positions and tokens.
        heads: split each attention output into heads.
        neurons: split each MLP output into neurons.
        mask: True at tokens, False at padding; needed for left-padded prompts.
        batch_size: prompts per forward pass.

    Raises: ValueError, for a metric that is not a fixed combination of logits, logits with a cap, MLPs without
        neurons, or a model whose parts, as they are read here, do not sum to the metric.
    Source: Elhage et al. 2021 (the residual stream as a sum of what its parts write); Wang et al. 2022, arXiv
        2211.00593 (heads by their direct effect on a logit difference).
    """
    tokens = ready_tokens(model, tokens)
    if mask is not None and mask.shape != tokens.shape:
        raise ValueError(
            f"the mask has shape {tuple(mask.shape)} and the prompts {tuple(tokens.shape)}; give one for both"
        )
    _require_uncapped(model)
    names = _hooks(model, heads=heads, neurons=neurons)
    batches: list[list[_Parts]] = []
    for rows in torch.arange(len(tokens)).split(batch_size):
        options = {} if mask is None else {"attention_mask": mask[rows].long().to(tokens.device)}
        with torch.no_grad(), record(model, names) as kept:
            logits = model(tokens[rows.to(tokens.device)], **options)
        reading = LogitReading(model, metric.rows(rows), logits, kept)
        with torch.no_grad():
            parts = [*_stream(model, reading), *_layers(model, reading, heads=heads, neurons=neurons), _biases(reading)]
        _require_sum(parts, reading, metric.rows(rows)(logits))
        batches.append(parts)
    first = batches[0]
    values = [torch.cat([parts[nth].values for parts in batches], dim=1) for nth in range(len(first))]
    return DirectLogitAttribution(
        names=tuple(name for parts in first for name in parts.names),
        kinds=tuple(parts.kind for parts in first for _ in parts.names),
        sites=tuple(site for parts in first for site in parts.sites),
        metric=metric.name,
        unit=metric.unit,
        values=torch.cat(values).double().cpu().numpy(),
    )


def _require_uncapped(model: HookedModel) -> None:
    cap = getattr(model.cfg, "output_logits_soft_cap", None)
    if cap is not None and cap > 0:
        raise ValueError(
            f"logits of this model are capped at {cap}, so parts of the model do not add up to them; measure what the "
            "parts do by ablating or patching them"
        )


def _hooks(model: HookedModel, *, heads: bool, neurons: bool) -> list[str]:
    """Return the hook points to record."""
    n_layers = int(model.cfg.n_layers)
    if neurons and _has_mlp(model, 0) and "blocks.0.mlp.hook_post" not in model.hook_dict:
        raise ValueError("the MLPs of this model have no neurons of their own (experts do); use neurons=False")
    names = ["hook_embed", "blocks.0.hook_resid_pre", f"blocks.{n_layers - 1}.hook_resid_post"]
    for layer in range(n_layers):
        names.append(f"blocks.{layer}.attn.hook_z" if heads else f"blocks.{layer}.hook_attn_out")
        if _has_mlp(model, layer):
            names.append(f"blocks.{layer}.mlp.hook_post" if neurons else f"blocks.{layer}.hook_mlp_out")
    return names


def _has_mlp(model: HookedModel, layer: int) -> bool:
    return len(written_by(model, layer)) == 2


def _stream(model: HookedModel, reading: LogitReading) -> Iterator[_Parts]:
    """Yield what the first layer receives: token embeddings, and what is added to them."""
    embedding, received = reading.at_reads("hook_embed"), reading.at_reads("blocks.0.hook_resid_pre")
    if model.cfg.positional_embedding_type == "standard":
        positions = reading.of(received - embedding)
        yield _Parts("position embedding", ["position embedding"], [Site("hook_pos_embed")], positions[None])
        received = embedding
    yield _Parts("embedding", ["embedding"], [Site("hook_embed")], reading.of(received)[None])


def _layers(model: HookedModel, reading: LogitReading, *, heads: bool, neurons: bool) -> Iterator[_Parts]:
    blocks: Sequence[Any] = getattr(model, "blocks")  # noqa: B009 - weights are no part of the protocol
    for layer, block in enumerate(blocks):
        if heads:
            yield from _heads(reading, layer, block.attn)
        else:
            site = Site(f"blocks.{layer}.hook_attn_out")
            yield _Parts("attention", [f"attention {layer}"], [site], reading.of(reading.at_reads(site.hook))[None])
        if not _has_mlp(model, layer):
            continue
        if neurons:
            yield from _neurons(reading, layer, block.mlp)
        else:
            site = Site(f"blocks.{layer}.hook_mlp_out")
            yield _Parts("MLP", [f"MLP {layer}"], [site], reading.of(reading.at_reads(site.hook))[None])


def _heads(reading: LogitReading, layer: int, attention: Any) -> Iterator[_Parts]:  # noqa: ANN401 - of either backend
    values = reading.of_heads(f"blocks.{layer}.attn.hook_z", attention.W_O)
    sites = [Site.of_head(layer, head) for head in range(len(values))]
    yield _Parts("head", [str(site) for site in sites], sites, values)
    yield from _bias(reading, f"attention bias {layer}", attention.b_O)


def _neurons(reading: LogitReading, layer: int, mlp: Any) -> Iterator[_Parts]:  # noqa: ANN401 - of either backend
    hook = f"blocks.{layer}.mlp.hook_post"
    values = reading.of_neurons(hook, mlp.W_out)
    sites = [Site(hook, latent=neuron) for neuron in range(len(values))]
    yield _Parts("neuron", [f"neuron {layer}.{site.latent}" for site in sites], sites, values)
    yield from _bias(reading, f"MLP bias {layer}", mlp.b_out)


def _bias(reading: LogitReading, name: str, bias: Tensor | None) -> Iterator[_Parts]:
    if bias is not None:
        yield _Parts("bias", [name], [None], reading.of(bias)[None])


def _biases(reading: LogitReading) -> _Parts:
    """Return what does not come from the residual stream."""
    names = ["final norm bias", "unembedding bias"]
    return _Parts("bias", names, [None, None], torch.stack([reading.norm_bias, reading.logit_bias]))


def _require_sum(parts: Sequence[_Parts], reading: LogitReading, metric: Float[Tensor, " batch"]) -> None:
    """Refuse parts that do not sum to the metric, up to rounding: something writes to the logits that is not read."""
    total = torch.cat([part.values for part in parts]).sum(0)
    excess = (total - metric).abs() - reading.rounding
    if bool((excess > 0).any()):
        worst = int(excess.argmax())
        raise ValueError(
            f"the parts sum to {float(total[worst]):.4g} and the metric is {float(metric[worst]):.4g} on one prompt "
            f"({worst} of its batch): this model's logits are not what its parts write (there may be a norm behind its "
            "attention or MLPs, or a bridge may keep weights in another form); try heads=False and neurons=False, or "
            "load it with processing='folded'"
        )
