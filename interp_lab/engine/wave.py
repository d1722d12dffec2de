"""One pass through the layers with all items of a chunk, each from where it enters."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from interp_lab.engine.attention import Before, Prompts, attend
from interp_lab.engine.edits import Edits, write_grouped, write_packed
from interp_lab.engine.layout import Group, Layout, Rows, groups
from interp_lab.engine.support import KEYS_AND_VALUES, Entry, Stage, local_name
from interp_lab.hooks import edited
from interp_lab.types import HookedModel, Site

Keep = Callable[[str, Tensor], None]
"""Takes the full name of an activation and the tensor, one row per token: hook points, and a block's `queries`, `keys`
and `values` as they meet each other."""


@dataclass(frozen=True)
class Untouched:
    """Activations of the untouched prompts that items need: where they enter, and keys and values."""

    n_pos: int
    kept: dict[str, Tensor] = field(default_factory=dict)
    """By full name; one row per token, prompt behind prompt."""

    def at(self, name: str, rows: Rows, begin: int, end: int) -> Tensor:
        """Return the activations of some of the tokens."""
        token = rows.examples[begin:end] * self.n_pos + rows.positions[begin:end]
        return self.kept[name][token]

    def before(self, layer: int) -> Before:
        """Return keys and values of a layer, prompt by prompt."""
        keys, values = (self.kept[f"blocks.{layer}.{name}"].unflatten(0, (-1, self.n_pos)) for name in _KV)
        return Before(keys, values)


_KV = ("keys", "values")

IN_CACHE = 8 * 2**20
"""Bytes of MLP activations at once on a CPU: activation functions read and write them several times."""


def needed(model: HookedModel, entries: Iterable[Entry]) -> set[str]:
    """Return what must be kept of the untouched run for items with these entries."""
    entries, parallel = set(entries), bool(getattr(model.cfg, "parallel_attn_mlp", False))
    names: set[str] = set()
    for entry in entries:
        local = _PARALLEL[entry.stage] if parallel else _SEQUENTIAL[entry.stage]
        names |= {name if entry.stage is Stage.EMBED else f"blocks.{entry.layer}.{name}" for name in local}
    lowest = min(entries, default=Entry(int(model.cfg.n_layers), Stage.PRE))
    above = range(lowest.layer + (lowest.stage > Stage.PRE), int(model.cfg.n_layers))
    return names | {f"blocks.{layer}.{name}" for layer in above for name in _KV}


_SEQUENTIAL = {
    Stage.EMBED: ("hook_embed", "hook_pos_embed"),
    Stage.PRE: ("hook_resid_pre",),
    Stage.Z: ("attn.hook_z", "hook_resid_pre"),
    Stage.ATTN_OUT: ("hook_attn_out", "hook_resid_pre"),
    Stage.MID: ("hook_resid_mid",),
    Stage.MLP_OUT: ("hook_mlp_out", "hook_resid_mid"),
    Stage.POST: ("hook_resid_post",),
}
_PARALLEL = {
    **_SEQUENTIAL,
    Stage.Z: ("attn.hook_z", "hook_resid_pre", "hook_mlp_out"),
    Stage.ATTN_OUT: ("hook_attn_out", "hook_resid_pre", "hook_mlp_out"),
    Stage.MLP_OUT: ("hook_attn_out", "hook_resid_pre", "hook_mlp_out"),
}


@dataclass(frozen=True)
class Wave:
    """The items of a chunk on their way up."""

    model: Any
    """A HookedTransformer."""
    layout: Layout
    prompts: Prompts
    untouched: Untouched
    edits: Edits
    keep: Keep | None = None
    """For the untouched run itself, whose items are whole prompts that enter at the embedding: what it is kept by."""

    @cached_property
    def _groups(self) -> list[Group]:
        return list(groups(self.layout, self.layout.rows))

    @cached_property
    def _last_groups(self) -> list[Group]:
        rows = self.layout.read_rows
        return self._groups if rows is self.layout.rows else list(groups(self.layout, rows))

    def run(self) -> Float[Tensor, "token d_model"]:
        """Return the residual stream behind the last layer at the tokens that are read."""
        plain = {hook: write_packed(writes) for hook, writes in self.edits.items() if not Site(hook).by_query}
        if not plain:
            return self._run()
        with edited(self.model, plain):
            return self._run()

    def _run(self) -> Tensor:
        first = int(self.layout.codes[0]) // len(Stage)
        resid = self._embedding()
        for layer in range(first, int(self.model.cfg.n_layers)):
            resid = self._layer(layer, resid)
        assert resid is not None, "a model has layers"
        return resid

    def _embedding(self) -> Tensor | None:
        n = self.layout.rows.entered(Entry(0, Stage.EMBED).code)
        if n == 0:
            return None
        embedded = self._fire("hook_embed", self.untouched.at("hook_embed", self.layout.rows, 0, n))
        if self.model.cfg.positional_embedding_type != "standard":
            return embedded
        return embedded + self._fire("hook_pos_embed", self.untouched.at("hook_pos_embed", self.layout.rows, 0, n))

    def _layer(self, layer: int, resid: Tensor | None) -> Tensor | None:
        """Run one layer: join, compute, join, in the order of the stages."""
        block, cfg, name = self.model.blocks[layer], self.model.cfg, f"blocks.{layer}."
        rows = self.layout.rows if layer < cfg.n_layers - 1 else self.layout.read_rows
        pre = self._join(resid, name + "hook_resid_pre", self.layout.rows, Entry(layer, Stage.PRE))
        if pre is not None:
            pre = self._fire(name + "hook_resid_pre", pre)
        z = None if pre is None else self._attention(layer, pre, rows)
        z = self._join(z, name + "attn.hook_z", rows, Entry(layer, Stage.Z))
        attn_out = None
        if z is not None:
            attn_out = _output(block.attn, self._fire(name + "attn.hook_z", z))
            attn_out = block.ln1_post(attn_out[None])[0] if cfg.use_normalization_before_and_after else attn_out
        attn_out = self._join(attn_out, name + "hook_attn_out", rows, Entry(layer, Stage.ATTN_OUT))
        if attn_out is not None:
            attn_out = self._fire(name + "hook_attn_out", attn_out)
        pre = None if pre is None else self._at_rows(pre, rows)
        pre = self._join(pre, name + "hook_resid_pre", rows, Entry(layer, Stage.ATTN_OUT))
        post = self._second_half(layer, pre, attn_out, rows)
        post = self._join(post, name + "hook_resid_post", rows, Entry(layer, Stage.POST))
        return None if post is None else self._fire(name + "hook_resid_post", post)

    def _second_half(self, layer: int, pre: Tensor | None, attn_out: Tensor | None, rows: Rows) -> Tensor | None:
        """Return the residual stream behind the layer, for all that have entered before it."""
        cfg, name = self.model.cfg, f"blocks.{layer}."
        if cfg.attn_only:
            return None if pre is None or attn_out is None else pre + attn_out
        if cfg.parallel_attn_mlp:
            n = rows.entered(Entry(layer, Stage.PRE).code)
            mlp_out = self._mlp(layer, None if pre is None else pre[:n])
            mlp_out = self._join(mlp_out, name + "hook_mlp_out", rows, Entry(layer, Stage.MLP_OUT))
            pre = self._join(pre, name + "hook_resid_pre", rows, Entry(layer, Stage.MLP_OUT))
            attn_out = self._join(attn_out, name + "hook_attn_out", rows, Entry(layer, Stage.MLP_OUT))
            if pre is None or attn_out is None or mlp_out is None:
                return None
            return pre + attn_out + self._fire(name + "hook_mlp_out", mlp_out)
        mid = None if pre is None or attn_out is None else pre + attn_out
        mid = self._join(mid, name + "hook_resid_mid", rows, Entry(layer, Stage.MID))
        if mid is not None:
            mid = self._fire(name + "hook_resid_mid", mid)
        mlp_out = self._join(self._mlp(layer, mid), name + "hook_mlp_out", rows, Entry(layer, Stage.MLP_OUT))
        mid = self._join(mid, name + "hook_resid_mid", rows, Entry(layer, Stage.MLP_OUT))
        if mid is None or mlp_out is None:
            return None
        return mid + self._fire(name + "hook_mlp_out", mlp_out)

    def _mlp(self, layer: int, resid: Tensor | None) -> Tensor | None:
        if resid is None or not len(resid):
            return None
        block, size = self.model.blocks[layer], len(resid)
        inside = f"blocks.{layer}.mlp."
        if resid.device.type == "cpu" and not any(hook.startswith(inside) for hook in self.edits):
            size = max(1, IN_CACHE // (resid.element_size() * int(self.model.cfg.d_mlp)))
        out = torch.cat([block.mlp(block.ln2(part[None]))[0] for part in resid.split(size)])
        return block.ln2_post(out[None])[0] if self.model.cfg.use_normalization_before_and_after else out

    def _attention(self, layer: int, pre: Tensor, rows: Rows) -> Tensor:
        block, n = self.model.blocks[layer], len(pre)
        normal = block.ln1(pre[None])[0]
        n_items = int(self.layout.rows.item[n - 1]) + 1
        is_last = layer == self.model.cfg.n_layers - 1
        here = [group.prefix(n_items) for group in (self._last_groups if is_last else self._groups)]
        keep = self.keep
        keys = normal
        if self.model.cfg.positional_embedding_type == "shortformer":
            keys = normal + self._shortformer_positions(n)
        return attend(
            block.attn,
            self._at_rows(keys, rows),
            keys,
            normal,
            queries=rows,
            keys=self.layout.rows,
            groups=[group for group in here if group is not None],
            before=None if keep is not None else self.untouched.before(layer),
            prompts=self.prompts,
            fire=lambda name, activation, group: write_grouped(
                self.edits.get(f"blocks.{layer}.{name}", []), activation, group
            ),
            keep=lambda name, value: None if keep is None else keep(f"blocks.{layer}.{name}", value),
        )

    def _shortformer_positions(self, n: int) -> Tensor:
        index = self.layout.rows.examples[:n], self.layout.rows.positions[:n]
        weights = self.model.pos_embed.W_pos[self.prompts.places[index]]
        return weights * self.prompts.visible[index][:, None]

    def _at_rows(self, activation: Tensor, rows: Rows) -> Tensor:
        """Return an activation at the tokens that are left: at the last layer, those that are read."""
        if rows is self.layout.rows:
            return activation
        return activation[rows.among_all[: int((rows.full < len(activation)).sum())]]

    def _join(self, activation: Tensor | None, name: str, rows: Rows, entry: Entry) -> Tensor | None:
        """Return an activation with all that have entered up to a point: new ones have that of the untouched run."""
        have, n = 0 if activation is None else len(activation), rows.entered(entry.code)
        if n == have:
            return activation
        joining = self.untouched.at(name, rows, have, n)
        return joining if activation is None else torch.cat([activation, joining])

    def _fire(self, name: str, activation: Tensor) -> Tensor:
        """Pass a hook point, where items are edited and the untouched run is kept."""
        activation = self.model.hook_dict[name](activation[None])[0]
        if self.keep is not None:
            self.keep(name, activation)
        return activation


def rows_at(model: HookedModel, hook: str, layout: Layout) -> Rows:
    """Return the tokens of a chunk that are left at a hook point: behind the last keys, only those that are read."""
    is_last = Site(hook).layer == int(model.cfg.n_layers) - 1
    return layout.read_rows if is_last and local_name(hook) not in KEYS_AND_VALUES else layout.rows


def _output(attn: Any, z: Float[Tensor, "token head d_head"]) -> Float[Tensor, "token d_model"]:  # noqa: ANN401 - as above
    return z.flatten(1) @ attn.W_O.flatten(0, 1) + attn.b_O
