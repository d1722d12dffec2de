"""What steering costs: decoding with it against without, and a dose-response in one batch against a run per dose."""

import torch

from interp_lab.decoding import DecodingSettings, Steer, decode
from interp_lab.interventions import Intervention, Op, every_write
from interp_lab.models import load_model
from interp_lab.models.layout import store_as_multiplied_
from interp_lab.types import Site
from tests.benchmarks.decoding import KIND, SHAPE
from tests.benchmarks.harness import Comparison
from tests.tiny import tiny_model

BATCH, LENGTH, N_NEW = 32, 16, 32
DOSES, OPS = torch.linspace(-4, 4, 9), (Op.ADD, Op.CLAMP, Op.PROJECT_OUT)
MIDDLE = [Site("blocks.1.hook_resid_post")]
SETTINGS = DecodingSettings(max_new_tokens=N_NEW, stop_tokens=())


def comparisons() -> list[Comparison]:
    organism, larger = load_model("organism", device="cpu"), tiny_model(**SHAPE, **KIND)
    store_as_multiplied_(larger)
    models = [("the organism", organism), ("4 layers of 256", larger)]
    streams = [[Site(f"blocks.{layer}.hook_resid_post") for layer in layers] for layers in ([1], range(4))]
    return [
        *(steered(name, model, sites, op) for name, model in models for op in OPS for sites in streams),
        *(steered(name, model, every_write(model), Op.PROJECT_OUT) for name, model in models),
        dose_response(*models[0]),
    ]


def vector(model, seed=1):
    return 0.05 * torch.randn(int(model.cfg.d_model), generator=torch.Generator().manual_seed(seed))


def pushing(model, sites, op=Op.ADD, **options) -> Steer:
    return Steer(Intervention(tuple(sites), op, (vector(model),) * len(sites), "steer"), **options)


def steered(name, model, sites, op) -> Comparison:
    """The ratio is the share of its speed that decoding keeps; 0.95 is an overhead of 5 %."""
    prompts = torch.randint(5, 500, (BATCH, LENGTH), generator=torch.Generator().manual_seed(0))
    steer = pushing(model, sites, op)
    return Comparison(
        f"{name}, {op} at {len(sites)} hook points, audited, {BATCH} x {LENGTH} tokens",
        "the same, not steered",
        lambda: len(decode(model, prompts, SETTINGS, steers=[steer]).tokens),
        lambda: len(decode(model, prompts, SETTINGS).tokens),
        lambda ours, reference: ours == reference,
    )


def dose_response(name, model) -> Comparison:
    prompt = torch.randint(5, 500, (1, LENGTH), generator=torch.Generator().manual_seed(0))

    def together():
        steer = pushing(model, MIDDLE, coefficients=DOSES)
        return decode(model, prompt.expand(len(DOSES), -1), SETTINGS, steers=[steer]).tokens

    def one_by_one():
        steers = [pushing(model, MIDDLE, coefficients=DOSES[nth : nth + 1]) for nth in range(len(DOSES))]
        return tuple(decode(model, prompt, SETTINGS, steers=[steer]).tokens[0] for steer in steers)

    return Comparison(
        f"{name}, {len(DOSES)} coefficients in one batch",
        "a run for each",
        together,
        one_by_one,
        lambda ours, reference: ours == reference,
    )
