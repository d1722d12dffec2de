"""Decoding as it is defined: one row at a time, unpadded, the whole sequence run anew for every token.

Literal on purpose, and without interp_lab: no cache, no batch, an attention mask of ones; edits are plain hooks that
index absolute positions, which they may, because the whole sequence is always there.
"""

import math

import torch


def literal_decode(model, prompt, n_new, *, edits=(), choose=None):
    """Generated ids, and the logits that each was chosen from.

    edits: (hook name, function(activation, prompt length) that edits in place).
    choose: function(logits, step) -> id; the likeliest by default.
    """
    sequence, steps = list(prompt), []
    hooks = [(name, lambda value, hook, edit=edit: edited(value, edit, len(prompt))) for name, edit in edits]
    for step in range(n_new):
        tokens = torch.tensor([sequence])
        with torch.no_grad(), model.hooks(fwd_hooks=hooks):
            logits = model(tokens, attention_mask=torch.ones_like(tokens))[0, -1]
        steps.append(logits)
        sequence.append(int(logits.argmax()) if choose is None else choose(logits, step))
    return sequence[len(prompt) :], torch.stack(steps)


def edited(value, edit, prompt_length):
    value = value.clone()
    edit(value, prompt_length)
    return value


def literal_steered(model, prompt, n_new, *, hook, change):
    """As `literal_decode`, with one hook that walks over the tokens one by one.

    change: function(vector, position, sequence, prompt length) -> the vector afterwards, or None where it does not act.
    Returns generated ids, logits that each was chosen from, and the length of the change by position, where it acted.
    """
    sequence, steps, lengths = list(prompt), [], {}

    def walk(value, hook):
        value = value.clone()
        for position in range(len(sequence)):
            before = value[0, position].clone()
            after = change(before, position, sequence, len(prompt))
            if after is not None:
                value[0, position] = after
                lengths[position] = float((after - before).norm())
        return value

    for _ in range(n_new):
        with torch.no_grad(), model.hooks(fwd_hooks=[(hook, walk)]):
            logits = model(torch.tensor([sequence]))[0, -1]
        steps.append(logits)
        sequence.append(int(logits.argmax()))
    return sequence[len(prompt) :], torch.stack(steps), lengths


def literal_sample(logits, *, temperature, uniform, top_k=None, top_p=None):
    """The id whose slice of the cumulative distribution, in order of id, holds the uniform number."""
    weights = {token: math.exp(float(logit - logits.max()) / temperature) for token, logit in enumerate(logits)}
    ranked = sorted(weights, key=lambda token: -weights[token])
    ranked = ranked[: top_k or len(ranked)]
    total, among, mass = sum(weights[token] for token in ranked), [], 0.0
    for token in ranked:
        if top_p is not None and mass >= top_p:
            break
        among.append(token)
        mass += weights[token] / total
    left = uniform * sum(weights[token] for token in among)
    for token in sorted(among):
        left -= weights[token]
        if left < 0:
            return token
    return max(among)
