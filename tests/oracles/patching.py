"""Intervening as it is defined: one full forward pass per intervention, edited prompt by prompt in a loop.

Literal on purpose, and without interp_lab. What is done to one hook point is a mapping:

    hook       full name
    head       index on the head axis, or None
    positions  for each prompt the position (absolute; a query position of patterns and scores), or None for all of them
    latent     index on the last axis, or on the codec's latents, or None
    op         "replace", "add", "scale", "project out" or "clamp"
    payload    for each prompt a tensor that broadcasts to what is indexed
    open       for each prompt whether it is touched at all
    since      for each prompt the first position that is touched
    tokens     for each prompt and position whether it is touched, or left out
    codec      (encode, decode) or None

An intervention is a list of these. At one hook point they follow each other in the order of the list; under a codec
the latents are encoded once, all changed, and what the change decodes to is added (the codec's error stays).
"""

import torch

BY_QUERY = ("hook_pattern", "hook_attn_scores")


def literal_sweep(model, tokens, interventions, metric, *, mask=None):
    """Metric (a plain function of full logits) under each intervention, and of the untouched model."""
    values = [metric(literal_logits(model, tokens, edits, mask=mask)) for edits in interventions]
    return torch.stack(values), metric(literal_logits(model, tokens, [], mask=mask))


def literal_logits(model, tokens, edits, *, mask=None):
    by_hook = {}
    for edit in edits:
        by_hook.setdefault(edit["hook"], []).append(edit)
    hooks = [
        (name, lambda value, hook, name=name: edited(value, by_hook[name], len(tokens), name.endswith(BY_QUERY)))
        for name in by_hook
    ]
    options = {} if mask is None else {"attention_mask": mask.long()}
    with torch.no_grad():
        return model.run_with_hooks(tokens, fwd_hooks=hooks, **options)


def edited(value, edits, n_prompts, by_query):
    if len(value) == 1:  # positional embeddings that all prompts share
        value = value.expand(n_prompts, *value.shape[1:])
    value = value.clone()
    codec = edits[0]["codec"]
    if codec is None:
        write(value, edits, by_query)
        return value
    encode, decode = codec
    shape = value.shape
    if value.ndim == 4 and edits[0]["head"] is None:  # heads side by side
        value = value.reshape(*shape[:2], -1)
    latents = encode(value)
    changed = latents.clone()
    write(changed, edits, by_query)
    return (value + decode(changed) - decode(latents)).reshape(shape)


def write(value, edits, by_query):
    for edit in edits:
        for row in range(len(value)):
            if edit["open"][row]:
                view = value[row][index_of(edit, row, value.ndim - 1, by_query)]
                changed = operated(edit["op"], view, edit["payload"][row].to(view)).expand_as(view)
                late = touched(edit, row, view, value.shape[2 if by_query else 1], by_query)
                view.copy_(torch.where(late, changed, view))


def index_of(edit, row, n_axes, by_query):
    index = [slice(None)] * n_axes
    if edit["positions"] is not None:
        index[1 if by_query else 0] = edit["positions"][row]
    if edit["head"] is not None:
        index[0 if by_query else 1] = edit["head"]
    if edit["latent"] is not None:
        index[-1] = edit["latent"]
    return tuple(index)


def touched(edit, row, view, n_pos, by_query):
    """Which entries of a view lie at or behind the first position that is touched, among the tokens to touch."""
    tokens = edit.get("tokens")
    late = torch.tensor([at >= edit["since"][row] and (tokens is None or bool(tokens[row][at])) for at in range(n_pos)])
    if edit["positions"] is not None:
        return late[edit["positions"][row] % n_pos]
    axis = 1 if by_query and edit["head"] is None else 0
    return late.reshape([n_pos if nth == axis else 1 for nth in range(view.ndim)])


def operated(op, value, payload):
    if op == "replace":
        return payload
    if op == "add":
        return value + payload
    if op == "scale":
        return value * payload
    payload = payload.expand_as(value)
    if op == "clamp":
        unit = payload / payload.norm(dim=-1, keepdim=True)
        return value - unit * (value * unit).sum(-1, keepdim=True) + payload
    return value - payload * (value * payload).sum(-1, keepdim=True) / (payload * payload).sum(-1, keepdim=True)


def literal_cache(model, tokens, *, mask=None):
    options = {} if mask is None else {"attention_mask": mask.long()}
    with torch.no_grad():
        return model.run_with_cache(tokens, **options)[1]


def literal_patch(cache, tokens, sites, *, positions=None):
    """Edits that set sites, given as (hook, head, position, latent), to their values in the cache of the source."""
    edits = []
    for hook, head, position, latent in sites:
        at = positions if position is None else [position] * len(tokens)
        edit = {"hook": hook, "head": head, "positions": at, "latent": latent, "op": "replace", "codec": None}
        value, by_query = cache[hook].expand(len(tokens), *cache[hook].shape[1:]), hook.endswith(BY_QUERY)
        payload = [value[row][index_of(edit, row, value.ndim - 1, by_query)] for row in range(len(tokens))]
        edits.append({**edit, "payload": payload, "open": [True] * len(tokens), "since": [0] * len(tokens)})
    return edits


def logit_difference(logits, answers, wrong, positions):
    return torch.stack(
        [
            logits[row, positions[row], answers[row]] - logits[row, positions[row], wrong[row]]
            for row in range(len(logits))
        ]
    )


def log_probability(logits, answers, positions):
    """Of several tokens, each predicted at its own position: the sum."""
    totals = []
    for row in range(len(logits)):
        parts = [logits[row, at].log_softmax(-1)[token] for token, at in zip(answers[row], positions[row], strict=True)]
        totals.append(torch.stack(parts).sum())
    return torch.stack(totals)


def next_token_loss(logits, tokens, first):
    """Mean over the tokens from `first[row]` to the end, each predicted from the position before it."""
    losses = []
    for row in range(len(logits)):
        span = range(int(first[row]), tokens.shape[1])
        losses.append(-torch.stack([logits[row, at - 1].log_softmax(-1)[tokens[row, at]] for at in span]).mean())
    return torch.stack(losses)


def kl_divergence(logits, reference, positions):
    """KL(reference || logits), averaged over the positions of each prompt."""
    found = []
    for row in range(len(logits)):
        each = []
        for at in positions[row]:
            p, q = reference[row, at].log_softmax(-1), logits[row, at].log_softmax(-1)
            each.append((p.exp() * (p - q)).sum())
        found.append(torch.stack(each).mean())
    return torch.stack(found)


def rank(logits, answers, positions):
    """Tokens with a higher logit than the answer."""
    ranks = []
    for row in range(len(logits)):
        at = logits[row, positions[row]]
        ranks.append(sum(float(logit > at[answers[row]]) for logit in at))
    return torch.tensor(ranks)
