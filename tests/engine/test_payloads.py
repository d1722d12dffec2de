"""Payloads of every shape and dtype, in sweeps and in `applied`; and what callers may do with them."""

import numpy as np
import pytest
import torch

from interp_lab.engine import sweep
from interp_lab.interventions import Intervention, Op, applied, patches
from interp_lab.metrics import log_probability
from interp_lab.types import Site
from tests.engine.compare import difference, plain, require_literal
from tests.engine.models import KINDS, diverging, hooked, prompts
from tests.engine.test_latents import LinearCodec
from tests.oracles import patching as oracle
from tests.tiny import tiny_model

RESID, Z, PATTERN = Site("blocks.1.hook_resid_pre"), Site("blocks.1.attn.hook_z"), Site("blocks.1.attn.hook_pattern")


@pytest.fixture
def model():
    return hooked("gpt2")


@pytest.fixture
def base(model):
    """As many prompts as positions: axes that are mixed up have the right size."""
    return prompts(model, n=9, length=9)


@pytest.mark.parametrize(
    ("site", "short", "whole"),
    [
        (RESID, (9, 16), (9, 1, 16)),
        (Z, (9, 4), (9, 1, 1, 4)),
        (PATTERN, (9, 9), (9, 1, 1, 9)),
        (RESID, (9,), (9, 1, 1)),
    ],
)
def test_of_each_prompt_need_no_axes_for_all_positions_and_heads(model, base, site, short, whole):
    payload = torch.rand(short, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    made = [Intervention((site,), Op.SCALE, (payload.reshape(s),), "x", per_example=True) for s in (short, whole)]
    found = sweep(model, base, made, difference(model, base)[0])
    np.testing.assert_allclose(found.values[0], found.values[1], atol=1e-12)
    assert np.abs(found.changes).min() > 1e-6
    metric, logits = difference(model, base)[0], []
    for each in made:
        with torch.no_grad(), applied(model, each):
            logits.append(model(base))
    np.testing.assert_allclose(found.values[0], metric(logits[0]), atol=1e-9)
    torch.testing.assert_close(logits[0], logits[1])


def test_of_a_codecs_latents_may_be_one_number_one_each_or_one_for_each_prompt(model, base):
    codec, generator = LinearCodec(16), torch.Generator().manual_seed(0)
    one, each = torch.tensor(2.0), torch.randn(7, generator=generator, dtype=torch.float64)
    by_prompt = Intervention(
        (Site(RESID.hook, latent=2),), Op.ADD, (torch.arange(1.0, 10),), "by prompt", per_example=True, codec=codec
    )
    everything = [
        Intervention((RESID,), Op.ADD, (one,), "one number", codec=codec),
        Intervention((RESID,), Op.ADD, (each,), "one each", codec=codec),
        Intervention((Site(RESID.hook, position=5),), Op.ADD, (each,), "at one position", codec=codec),
        Intervention((RESID,), Op.ADD, (each,), "at its own", codec=codec, positions=torch.arange(9) - 9),
    ]
    require_literal(model, base, [*everything, by_prompt])


def test_of_different_dtypes_meet(model, base):
    payloads = torch.arange(16), torch.linspace(-1, 1, 16), torch.linspace(-1, 1, 16, dtype=torch.float64)
    require_literal(model, base, [Intervention((RESID,), Op.ADD, (payload,), "x") for payload in payloads])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", ["gpt2", "llama", "alibi"])
def test_in_half_precision_sweeps_are_as_near_the_truth_as_the_model_is(kind, dtype):
    """The truth: the same weights in float64."""
    half = tiny_model(seed=1, dtype=dtype, **KINDS[kind])
    exact = tiny_model(seed=1, dtype=torch.float64, **KINDS[kind])
    exact.load_state_dict(half.state_dict())
    base = prompts(half)
    source = diverging(base, [3, 0, 6, 1], n_tokens=20)
    sites = [Site.of_head(layer, head) for layer in range(3) for head in range(4)]
    sites += [RESID, PATTERN, Site("blocks.1.attn.hook_attn_scores", head=1), Site("blocks.0.attn.hook_k")]
    made = patches(exact, [[site] for site in sites], source, base=base)
    metric, function = difference(half, base)
    truth = sweep(exact, base, made, metric).values
    literal, _ = oracle.literal_sweep(half, base, [plain(each, 4) for each in made], function)
    errors = [
        np.abs(values - truth).mean() for values in (sweep(half, base, made, metric).values, literal.double().numpy())
    ]
    assert errors[0] <= 1.5 * errors[1]


def test_of_patches_can_take_part_in_a_run_with_gradients(model, base):
    made = patches(model, [[Site.of_head(1, 1)], [RESID]], diverging(base, [1] * 9, n_tokens=20), base=base)
    scaled = [Intervention(each.sites, Op.SCALE, each.payloads, "scaled", per_example=True) for each in made]
    for each in [*made, *scaled]:
        with applied(model, each):
            (gradient,) = torch.autograd.grad(model(base)[:, -1, 0].sum(), model.W_E)
        assert gradient.abs().sum() > 0


def test_metrics_that_read_a_position_twice(model, base):
    answers, positions = base[:, :3], torch.tensor([[4, 4, 7]] * 9)
    metric = log_probability(answers, positions=positions)
    made = [
        Intervention((Site.of_head(1, 1),), Op.ADD, (torch.ones(4),), "push"),
        Intervention((RESID,), Op.SCALE, (torch.arange(16.0),), "scale"),
    ]
    require_literal(model, base, made, (metric, lambda logits: oracle.log_probability(logits, answers, positions)))
