"""Autoencoders measured one document, one token at a time, from the definitions; nothing here is shared or batched."""

import math


def scores(documents):
    """Every figure of a codec, from a list of documents of tokens.

    Each token is a dict: `x`, `rebuilt` (lists of numbers), `latents`, `ce_clean`, `ce`, `ce_zero`, `ce_mean`,
    `ce_unigram` (`None` where no token follows), `kl`, `kl_zero`, `kl_mean`.
    """
    tokens = [token for document in documents for token in document]
    n, d = len(tokens), len(tokens[0]["x"])
    centre = [sum(token["x"][i] for token in tokens) / n for i in range(d)]
    error = variance = squared = inner = cosine = ratio = active = 0.0
    for token in tokens:
        x, r = token["x"], token["rebuilt"]
        error += sum((a - b) ** 2 for a, b in zip(x, r, strict=True))
        variance += sum((a - m) ** 2 for a, m in zip(x, centre, strict=True))
        squared += sum(b * b for b in r)
        product = sum(a * b for a, b in zip(x, r, strict=True))
        inner += product
        lengths = [math.sqrt(sum(a * a for a in side)) for side in (x, r)]
        cosine += product / (lengths[0] * lengths[1]) if all(lengths) else 0.0
        ratio += lengths[1] / lengths[0] if lengths[0] else 0.0
        active += sum(1 for latent in token["latents"] if latent != 0)
    found = {
        "l0": active / n, "r2": 1 - error / variance, "mse": error / n, "cosine": cosine / n, "l2_ratio": ratio / n,
        "relative_bias": squared / inner if inner else math.nan,
    }  # fmt: skip
    names = ("ce_clean", "ce", "ce_zero", "ce_mean", "ce_unigram", "kl", "kl_zero", "kl_mean")
    losses = {key: _mean([token[key] for token in tokens if token[key] is not None]) for key in names}
    found |= {"ce": losses["ce"], "kl": losses["kl"], "ce_rise": losses["ce"] - losses["ce_clean"]}
    found["ce_unigram"] = losses["ce_unigram"]
    for name in ("zero", "mean", "unigram"):
        floor = losses[f"ce_{name}"]
        found[f"ce_recovered_{name}"] = (floor - losses["ce"]) / (floor - losses["ce_clean"])
    for name in ("zero", "mean"):
        found[f"kl_recovered_{name}"] = 1 - losses["kl"] / losses[f"kl_{name}"]
    return found


def _mean(values):
    return sum(values) / len(values)


def orthogonal_matching_pursuit(target, directions, n):
    """The directions that a greedy search chooses one by one, and what is left of the target, in plain lists."""
    chosen, rest = [], list(target)
    for _ in range(n):
        score = [abs(sum(a * b for a, b in zip(rest, one, strict=True))) for one in directions]
        chosen.append(max((i for i in range(len(directions)) if i not in chosen), key=lambda i: score[i]))
        basis = []
        for i in chosen:  # Gram-Schmidt: what is left is orthogonal to all that were chosen
            rest_of = list(directions[i])
            for b in basis:
                along = sum(p * q for p, q in zip(rest_of, b, strict=True))
                rest_of = [p - along * q for p, q in zip(rest_of, b, strict=True)]
            length = math.sqrt(sum(p * p for p in rest_of))
            basis.append([p / length for p in rest_of])
        rest = list(target)
        for b in basis:
            along = sum(p * q for p, q in zip(rest, b, strict=True))
            rest = [p - along * q for p, q in zip(rest, b, strict=True)]
    return chosen, rest
