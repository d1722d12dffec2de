"""Attribution methods as their papers define them: one prompt, one node, one run at a time; without interp_lab.

A node is (hook, index): the full name of a hook point and an index into the activation of a single prompt (without its
batch axis). A metric is a plain function of the logits [pos, d_vocab] of prompt number `row`.
"""

import torch


def run(model, prompt, edits=(), mask=None):
    """Logits [pos, d_vocab] of one prompt under edits `(hook, function of the activation)`."""

    def hook_for(function):
        return lambda activation, hook: function(activation.clone())

    options = {} if mask is None else {"attention_mask": mask[None].long()}
    return model.run_with_hooks(prompt[None], fwd_hooks=[(name, hook_for(edit)) for name, edit in edits], **options)[0]


def activations(model, prompt, hooks, mask=None):
    """Activations of one prompt, without the batch axis."""
    kept = {}

    def keep(name):
        def edit(activation):
            kept[name] = activation[0].detach().clone()
            return activation

        return edit

    with torch.no_grad():
        run(model, prompt, [(name, keep(name)) for name in hooks], mask)
    return kept


def gradient(model, prompt, hook, metric, row, mask=None, others=()):
    """Gradient of the metric with respect to one activation, without the batch axis."""
    kept = {}

    def keep(activation):
        kept["at"] = activation.detach().requires_grad_(True)
        return kept["at"]

    edits = [*others, (hook, keep)]
    (found,) = torch.autograd.grad(metric(run(model, prompt, edits, mask), row), kept["at"])
    return found[0]


def patched_effect(model, base, donor, nodes, metric, row, mask=None):
    """Exact: metric with the nodes taken from the donor, minus metric without."""
    lent = activations(model, donor, [hook for hook, _ in nodes], mask)

    def put(hook, index):
        def edit(activation):
            activation[0][index] = lent[hook][index]
            return activation

        return edit

    with torch.no_grad():
        after = metric(run(model, base, [(hook, put(hook, index)) for hook, index in nodes], mask), row)
        return float(after - metric(run(model, base, mask=mask), row))


def attribution(model, base, donor, node, metric, row, mask=None):
    """Nanda 2023: change of the node times the gradient at the base run."""
    hook, index = node
    change = activations(model, donor, [hook], mask)[hook] - activations(model, base, [hook], mask)[hook]
    return float((change * gradient(model, base, hook, metric, row, mask))[index].sum())


def integrated_gradients(model, base, donor, node, metric, row, steps, mask=None):
    """The same with the mean gradient at the midpoints of a line between the two prompts' token embeddings."""
    hook, index = node
    ends = [activations(model, prompt, ["hook_embed", hook], mask) for prompt in (base, donor)]
    total = torch.zeros_like(ends[0][hook])
    for k in range(1, steps + 1):
        share = (k - 0.5) / steps
        between = (1 - share) * ends[0]["hook_embed"] + share * ends[1]["hook_embed"]
        others = [("hook_embed", lambda activation, between=between: between[None].clone())]
        total += gradient(model, base, hook, metric, row, mask, others)
    return float(((ends[1][hook] - ends[0][hook]) * total / steps)[index].sum())


def attention_fix(model, base, donor, node, metric, row, mask=None, dropped=None):
    """Kramar et al. 2024: patch the query or key, look at the attention probabilities of its layer, and weigh their
    change with the gradient with respect to them."""
    hook, index = node
    pattern = hook.rsplit(".", 1)[0] + ".hook_pattern"
    before = activations(model, base, [pattern], mask)[pattern]
    lent = activations(model, donor, [hook], mask)[hook]
    kept = {}

    def put(activation):
        activation[0][index] = lent[index]
        return activation

    def keep(activation):
        kept["after"] = activation[0].clone()
        return activation

    with torch.no_grad():
        run(model, base, [(hook, put), (pattern, keep)], mask)
    others = [] if dropped is None else held_constant(model, dropped)
    return float(((kept["after"] - before) * gradient(model, base, pattern, metric, row, mask, others)).sum())


def held_constant(model, layer):
    """Edits that let no gradient through what a layer adds to the residual stream."""
    names = [f"blocks.{layer}.hook_{part}_out" for part in ("attn", "mlp")]
    return [(name, lambda activation: activation.detach()) for name in names if name in model.hook_dict]


def dropped_gradient(model, base, hook, metric, row, layer, mask=None):
    """Gradient at a hook point, with a layer's additions to the stream held constant from there on."""
    kept = {}

    def keep(activation):
        kept["at"] = activation.detach().requires_grad_(True)
        return kept["at"]

    edits = [(hook, keep), *held_constant(model, layer)]
    value = metric(run(model, base, edits, mask), row)
    if not value.requires_grad:
        return torch.zeros_like(kept["at"][0])
    (found,) = torch.autograd.grad(value, kept["at"], allow_unused=True)
    return torch.zeros_like(kept["at"][0]) if found is None else found[0]


def gradient_dropped(model, base, donor, node, metric, row, mask=None):
    """Kramar et al. 2024, GradDrop for a node inside a layer: sum over layers of sizes, divided by L - 1."""
    hook, index = node
    change = activations(model, donor, [hook], mask)[hook] - activations(model, base, [hook], mask)[hook]
    sizes = [
        float((change * dropped_gradient(model, base, hook, metric, row, layer, mask))[index].sum().abs())
        for layer in range(model.cfg.n_layers)
    ]
    return sum(sizes) / (model.cfg.n_layers - 1)


def direct_effect(vector, final, norm, unembedding, token):
    """What a vector adds to one logit through a final norm whose scale is that of the whole stream.

    norm: (kind "LN" | "RMS" | None, weight, bias, eps); the bias belongs to no vector.
    """
    kind, weight, _, eps = norm
    if kind == "LN":
        vector, final = vector - vector.mean(), final - final.mean()
    if kind is not None:
        vector = vector / torch.sqrt((final * final).mean() + eps)
    return float((vector * weight * unembedding[:, token]).sum())
