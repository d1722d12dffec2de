"""What every edge of an attention-only transformer is worth, found one forward pass at a time.

Literal on purpose, and without interp_lab: the input of a target is a sum over sources, so an edge is ablated by taking
the source's term out of that one sum (zero), or by putting the term of the corrupted run in its place (resample).
"""

from contextlib import contextmanager

import torch


def all_edges(n_layers, n_heads):
    """Every (source, target): embeddings and lower heads, to each q, k, v of each head and to the logits."""
    sources = ["embed", "pos_embed"]
    found = []
    for layer in range(n_layers):
        heads = [f"{layer}.{head}" for head in range(n_heads)]
        found += [(source, f"{head}.{part}") for head in heads for part in "qkv" for source in sources]
        sources = sources + heads
    return found + [(source, "logits") for source in sources]


@contextmanager
def split_inputs(model, results=False):
    """Give every head its own q, k and v input, and (slow) every head's output its own hook."""
    before = model.cfg.use_split_qkv_input, model.cfg.use_attn_result
    model.set_use_split_qkv_input(True)
    model.set_use_attn_result(results)
    try:
        yield
    finally:
        model.set_use_split_qkv_input(before[0])
        model.set_use_attn_result(before[1])


def contributions(model, tokens):
    """What each source writes: a tensor [batch, pos, d_model] by node name."""
    with split_inputs(model, results=True), torch.no_grad():
        _, cache = model.run_with_cache(tokens)
    found = {"embed": cache["hook_embed"], "pos_embed": cache["hook_pos_embed"]}
    for layer in range(model.cfg.n_layers):
        for head in range(model.cfg.n_heads):
            found[f"{layer}.{head}"] = cache[f"blocks.{layer}.attn.hook_result"][:, :, head]
    return found


def place(model, target):
    """The hook point of a target, and the index of its head there (None for the logits)."""
    if target == "logits":
        return f"blocks.{model.cfg.n_layers - 1}.hook_resid_post", None
    layer, head, part = target.split(".")
    return f"blocks.{layer}.hook_{part}_input", int(head)


def logit_difference(logits, answers, wrong):
    """Answer minus wrong answer at the last position, per prompt."""
    rows = torch.arange(len(answers))
    return logits[rows, -1, answers] - logits[rows, -1, wrong]


def shifted_input(head, change):
    """A hook that adds `change` to the input of one head (or to the whole residual stream)."""

    def add(activation, hook):
        activation = activation.clone()
        if head is None:
            return activation + change
        activation[:, :, head] += change
        return activation

    return add


def edge_changes(model, clean, corrupted, ablation):
    """For every edge, the change of the target's input that ablates it."""
    here, there = contributions(model, clean), contributions(model, corrupted)
    instead = {
        source: torch.zeros_like(value) if ablation == "zero" else there[source] for source, value in here.items()
    }
    return {edge: instead[edge[0]] - here[edge[0]] for edge in all_edges(model.cfg.n_layers, model.cfg.n_heads)}


def edge_effects(model, pairs, ablation):
    """Change of the logit difference [batch] when one edge is ablated, for each (source, target)."""
    clean, corrupted, answers, wrong = pairs
    effects = {}
    with split_inputs(model), torch.no_grad():
        logits, cache = model.run_with_cache(clean)
        whole = logit_difference(logits, answers, wrong)
        for edge, change in edge_changes(model, clean, corrupted, ablation).items():
            hook, head = place(model, edge[1])
            layer = int(hook.split(".")[1])  # what lies below the target is the clean run's, so start there
            lower, edit = cache[f"blocks.{layer}.hook_resid_pre"], (hook, shifted_input(head, change))
            logits = model.run_with_hooks(lower, start_at_layer=layer, fwd_hooks=[edit])
            effects[edge] = logit_difference(logits, answers, wrong) - whole
    return effects


def attention_gained(model, tokens, part):
    """For every edge into the q (or k) of a head: what cutting it adds to the head's attention [batch, query, key]."""
    written, gained = contributions(model, tokens), {}
    with split_inputs(model), torch.no_grad():
        _, cache = model.run_with_cache(tokens)
        for source, target in all_edges(model.cfg.n_layers, model.cfg.n_heads):
            if not target.endswith(f".{part}"):
                continue
            hook, head = place(model, target)
            layer = int(target.split(".")[0])
            lower, name = cache[f"blocks.{layer}.hook_resid_pre"], f"blocks.{layer}.attn.hook_pattern"
            with model.hooks(fwd_hooks=[(hook, shifted_input(head, -written[source]))]):
                _, cut = model.run_with_cache(lower, start_at_layer=layer, stop_at_layer=layer + 1, names_filter=name)
            gained[source, target] = (cut[name] - cache[name])[:, head]
    return gained


def keep_only(model, pairs, edges, ablation):
    """Logit difference [batch] on the clean prompts with all edges but `edges` ablated at once.

    Every input is built anew: from what kept sources write in this very run, and for all other sources from nothing, or
    from what they wrote in the corrupted run.
    """
    clean, corrupted, answers, wrong = pairs
    there = contributions(model, corrupted)
    current = {}

    def remember(activation, hook):
        if hook.name == "hook_embed":
            current["embed"] = activation
        elif hook.name == "hook_pos_embed":
            current["pos_embed"] = activation
        else:
            layer = hook.name.split(".")[1]
            current.update({f"{layer}.{head}": activation[:, :, head] for head in range(activation.shape[2])})

    def total(target):
        kept = sum(
            (current[source] for source in current if (source, target) in edges), torch.zeros_like(there["embed"])
        )
        if ablation == "zero":
            return kept
        return kept + sum(there[source] for source in current if (source, target) not in edges)

    def build(activation, hook):
        if hook.name.endswith("hook_resid_post"):
            return total("logits")
        layer, part = hook.name.split(".")[1], hook.name.split("hook_")[1][0]
        return torch.stack([total(f"{layer}.{head}.{part}") for head in range(activation.shape[2])], dim=2)

    hooks = [("hook_embed", remember), ("hook_pos_embed", remember)]
    for layer in range(model.cfg.n_layers):
        hooks += [(f"blocks.{layer}.hook_{part}_input", build) for part in "qkv"]
        hooks.append((f"blocks.{layer}.attn.hook_result", remember))
    hooks.append((f"blocks.{model.cfg.n_layers - 1}.hook_resid_post", build))
    with split_inputs(model, results=True), torch.no_grad():
        return logit_difference(model.run_with_hooks(clean, fwd_hooks=hooks), answers, wrong)
