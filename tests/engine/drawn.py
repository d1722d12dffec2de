"""Interventions drawn at random: hook points, indices, operations, payload shapes, gates, positions, starts."""

import torch

from interp_lab.hooks import at_site, capture, hook_names, n_heads_at, read_only_hooks
from interp_lab.interventions import Intervention, Op
from interp_lab.types import Site

_BLOCK = (
    "hook_resid_pre", "hook_resid_mid", "hook_resid_post", "hook_attn_out", "hook_mlp_out", "hook_mlp_in",
    "hook_q_input", "hook_k_input", "hook_v_input", "attn.hook_q", "attn.hook_k", "attn.hook_v", "attn.hook_rot_q",
    "attn.hook_rot_k", "attn.hook_z", "attn.hook_result", "attn.hook_pattern", "attn.hook_attn_scores",
    "mlp.hook_pre", "mlp.hook_pre_linear", "mlp.hook_post", "ln1.hook_normalized", "ln2.hook_normalized",
    "ln1.hook_scale",
)  # fmt: skip
_OUTSIDE = ("hook_embed", "hook_pos_embed", "ln_final.hook_normalized", "ln_final.hook_scale")


def editable_hooks(model, tokens):
    """The hook points of interest that this model has, runs through, and lets one edit."""
    wanted = [*_OUTSIDE, *(f"blocks.{layer}.{part}" for layer in range(model.cfg.n_layers) for part in _BLOCK)]
    with torch.no_grad():
        fires = set(model.run_with_cache(tokens)[1])
    shown = read_only_hooks(model)
    switched_on = set(hook_names(model))
    return [hook for hook in wanted if hook in fires & switched_on and hook.split(".", 2)[-1] not in shown]


class Draw:
    """Draws interventions for one model and one batch of prompts; the same seed draws the same ones."""

    def __init__(self, model, tokens, *, seed, first_real=0):
        self.model, self.tokens, self.first_real = model, tokens, first_real
        self.generator = torch.Generator().manual_seed(seed)
        self.hooks = editable_hooks(model, tokens)
        self.values = capture(model, tokens, self.hooks)

    def below(self, n):
        return int(torch.randint(n, (), generator=self.generator))

    def chance(self, p):
        return bool(torch.rand((), generator=self.generator) < p)

    def position(self):
        return self.first_real + self.below(self.tokens.shape[1] - self.first_real)

    def site(self, *, has_position):
        hook = self.hooks[self.below(len(self.hooks))]
        plain = Site(hook)
        head = self.below(n_heads_at(self.model, hook)) if plain.has_head_axis and self.chance(0.6) else None
        position = self.position() if has_position else None
        neuron = ".mlp." in hook and self.chance(0.6)
        return Site(
            hook, head=head, position=position, latent=self.below(self.values[hook].shape[-1]) if neuron else None
        )

    def payload(self, site, op, shape, per_example):
        """Random, and harmless to norms: scales stay positive."""
        if not per_example:
            short = self.below(len(shape) + 1)
            shape = shape[short:]  # as few trailing axes as one likes
        if op is Op.SCALE or site.hook.endswith("hook_scale"):
            return 0.5 + torch.rand(shape, generator=self.generator, dtype=torch.float64)
        return torch.randn(shape, generator=self.generator, dtype=torch.float64)

    def intervention(self, name):
        n = len(self.tokens)
        own_positions = self.chance(0.3)
        sites = [self.site(has_position=not own_positions and self.chance(0.5)) for _ in range(1 + self.below(3))]
        sites = tuple(dict.fromkeys(sites))
        vectors = all(site.latent is None for site in sites)
        ops = [Op.REPLACE, Op.SCALE, Op.ADD, *([Op.PROJECT_OUT, Op.CLAMP] if vectors else [])]
        op, per_example = ops[self.below(len(ops))], self.chance(0.5)
        along = (Op.PROJECT_OUT, Op.CLAMP)
        if op in along and any("scores" in site.hook or "scale" in site.hook for site in sites):
            op = Op.SCALE  # masked scores are infinite, and a scale is no vector
        if op is Op.ADD and any(site.hook.endswith("hook_scale") for site in sites):
            op = Op.SCALE
        payloads = tuple(
            self.payload(site, op, self.shape(site, own_positions, per_example), per_example) for site in sites
        )
        if op in along:
            payloads = tuple(payload if payload.ndim else payload.reshape(1) for payload in payloads)
        gate = torch.rand(n, generator=self.generator) < 0.6 if self.chance(0.3) else None
        if gate is not None:
            gate[self.below(n)] = True
        positions = torch.tensor([self.position() for _ in range(n)]) if own_positions else None
        since = torch.tensor([self.position() for _ in range(n)]) if self.chance(0.3) else None
        tokens = None if own_positions or self.chance(0.6) else self.selected(sites, gate)
        settings = {"gate": gate, "positions": positions, "since": since, "tokens": tokens}
        return Intervention(sites, op, payloads, name, per_example, **settings)

    def selected(self, sites, gate):
        """Some of the tokens, of which every site has one in a prompt that is open."""
        tokens = torch.rand(self.tokens.shape, generator=self.generator) < 0.4
        row = 0 if gate is None else int(gate.nonzero()[0])
        for site in sites:
            tokens[row, -1 if site.position is None else site.position] = True
        return tokens

    def shape(self, site, own_positions, per_example):
        at = Site(site.hook, head=site.head, position=0 if own_positions else site.position, latent=site.latent)
        value = self.values[site.hook].expand(len(self.tokens), *self.values[site.hook].shape[1:])
        shape = at_site(value, at).shape
        return tuple(shape) if per_example else tuple(shape[1:])

    def interventions(self, n):
        return [self.intervention(f"{nth}") for nth in range(n)]
