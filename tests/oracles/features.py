"""Statistics of features as one would write them who holds everything in memory; imports nothing from interp_lab."""

import math
from collections import Counter, defaultdict

import numpy as np


def moments(latents, documents):
    """Density, count, mean, standard deviation, maximum and number of documents of every latent."""
    found = []
    for column in latents.T:
        values = [float(value) for value in column if value > 0]
        n = len(values)
        mean = sum(values) / n if n else math.nan
        std = math.sqrt(sum((value - mean) ** 2 for value in values) / n) if n else math.nan
        seen = {document for document, value in zip(documents, column, strict=True) if value > 0}
        found.append((n / len(column), n, mean, std, max(values, default=0.0), len(seen)))
    return np.array(found, dtype=float)


def histogram(latents, edges):
    """How many active values of each latent lie between two edges."""
    return np.stack([np.histogram(column[column > 0], edges)[0] for column in latents.T])


def best_of_documents(column, documents, keys, n):
    """Rows of the `n` active tokens with the least keys, one of a document, in the order of the keys."""
    best = {}
    for row, (value, document) in enumerate(zip(column, documents, strict=True)):
        if value > 0 and (document not in best or keys[row] < keys[best[document]]):
            best[document] = row
    return sorted(best.values(), key=lambda row: (keys[row], row))[:n]


def context(row, column, tokens, spans, *, before, after):
    """Place in its context, tokens and values around a row, as far as the same stretch of text goes."""
    first = row
    while first > 0 and row - first < before and spans[first - 1] == spans[row]:
        first -= 1
    last = row
    while last + 1 < len(tokens) and last - row < after and spans[last + 1] == spans[row]:
        last += 1
    around = range(first, last + 1)
    return row - first, [int(tokens[at]) for at in around], [float(column[at]) for at in around]


def token_rows(column, tokens):
    """Token: count, mean value, share of the summed activation, and lift."""
    values = defaultdict(list)
    for value, token in zip(column, tokens, strict=True):
        if value > 0:
            values[int(token)].append(float(value))
    total, n_active = sum(map(sum, values.values())), sum(map(len, values.values()))
    often, n = Counter(map(int, tokens)), len(tokens)
    return {
        token: (len(own), sum(own) / len(own), sum(own) / total, (len(own) / often[token]) / (n_active / n))
        for token, own in values.items()
    }


def entropy(shares):
    """Of shares, in bits."""
    return -sum(share * math.log2(share) for share in shares if share > 0)


def phi(latents):
    """Correlation of being active, between all latents."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.corrcoef((latents > 0).astype(float).T)
