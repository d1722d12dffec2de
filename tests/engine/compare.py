"""The comparison that every parity test makes: a sweep against the literal oracle, effect by effect."""

import numpy as np
import torch

from interp_lab.engine import sweep
from interp_lab.metrics import kl_divergence, log_probability, logit_difference, next_token_loss, rank, user_metric
from tests.engine.models import d_vocab
from tests.oracles import patching as oracle


def plain(intervention, n_prompts):
    """The oracle's plain data for an intervention."""
    each = range(n_prompts)
    codec = intervention.codec
    return [
        {
            "hook": site.hook,
            "head": site.head,
            "latent": site.latent,
            "positions": positions_of(site, intervention, n_prompts),
            "op": str(intervention.op),
            "payload": [payload[row] if intervention.per_example else payload for row in each],
            "open": [intervention.gate is None or bool(intervention.gate[row]) for row in each],
            "since": [0] * n_prompts if intervention.since is None else intervention.since.tolist(),
            "tokens": None if intervention.tokens is None else intervention.tokens.tolist(),
            "codec": None if codec is None else (codec.encode, codec.decode),
        }
        for site, payload in zip(intervention.sites, intervention.payloads, strict=True)
    ]


def positions_of(site, intervention, n_prompts):
    if site.position is not None:
        return [site.position] * n_prompts
    return None if intervention.positions is None else intervention.positions.tolist()


def tolerance(model):
    return 1e-9 if next(iter(model.parameters())).dtype == torch.float64 else 1e-5


def require_same(found, expected, *, atol):
    """Compare numbers of any size: relative above 1, absolute below."""
    np.testing.assert_allclose(found, np.asarray(expected), atol=atol, rtol=atol)


def require_literal(model, tokens, interventions, metrics=None, *, mask=None, moves=True, atol=None, **options):
    """A sweep gives the oracle's values; unless told otherwise, every intervention does something.

    metrics: a pair of a metric and the plain function of full logits that it stands for.
    """
    metric, function = metrics or difference(model, tokens)
    found = sweep(model, tokens, interventions, metric, mask=mask, **options)
    each = [plain(intervention, len(tokens)) for intervention in interventions]
    values, baseline = oracle.literal_sweep(model, tokens, each, function, mask=mask)
    atol = atol or tolerance(model)
    require_same(found.baseline, baseline, atol=atol)
    for name, ours, theirs in zip(found.names, found.values, values.numpy(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=atol, rtol=atol, err_msg=name)
    require_same(found.changes, values - baseline, atol=2 * atol)
    if moves:
        still = [
            name for name, change in zip(found.names, found.changes, strict=True) if abs(change).max() < 100 * atol
        ]
        assert not still, f"these touched nothing, so their parity says nothing: {still}"
    return found


def answers(model, n, seed=5):
    """Two different tokens per prompt."""
    drawn = torch.randint(d_vocab(model) - 1, (2, n), generator=torch.Generator().manual_seed(seed))
    right, other = drawn
    return right, torch.where(other >= right, other + 1, other)


def difference(model, tokens, positions=None):
    """Logit difference at the last position, or at one for each prompt."""
    right, wrong = answers(model, len(tokens))
    at = torch.full((len(tokens),), tokens.shape[1] - 1) if positions is None else torch.as_tensor(positions)
    return (
        logit_difference(right, wrong, positions=at),
        lambda logits: oracle.logit_difference(logits, right, wrong, at),
    )


def every_metric(model, tokens, *, first=None):
    """Metrics of one position, several and all; of two columns, and of the whole vocabulary.

    first: for each prompt, its first real token.
    """
    n, length = tokens.shape
    first = torch.zeros(n, dtype=torch.long) if first is None else first
    right, _ = answers(model, n)
    middle = (first + length - 1) // 2
    two, both = torch.stack([right, tokens[:, 0]], 1), torch.stack([middle, torch.full((n,), length - 1)], 1)
    with torch.no_grad():
        reference = model(prompts_like(tokens)).detach()
    everywhere = [range(length)] * n
    return {
        "logit difference at the end": difference(model, tokens),
        "logit difference in the middle": difference(model, tokens, middle),
        "log-probability of two tokens": (
            log_probability(two, positions=both),
            lambda logits: oracle.log_probability(logits, two, both),
        ),
        "next-token loss": (
            next_token_loss(tokens, first=first + 1),
            lambda logits: oracle.next_token_loss(logits, tokens, first + 1),
        ),
        "KL at one position": (
            kl_divergence(reference, positions=middle),
            lambda logits: oracle.kl_divergence(logits, reference, middle[:, None]),
        ),
        "KL everywhere": (
            kl_divergence(reference),
            lambda logits: oracle.kl_divergence(logits, reference, everywhere),
        ),
        "rank": (rank(right), lambda logits: oracle.rank(logits, right, [length - 1] * n)),
        "a user's own": (
            user_metric(lambda logits: logits.square().mean((1, 2)), name="size", unit="logits^2"),
            lambda logits: torch.stack([row.square().mean() for row in logits]),
        ),
    }


def prompts_like(tokens):
    return tokens.flip(0)
