"""Dictionaries planted in a model: what is measured, on which prompts, at which tokens; numbers worked by hand."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.claims import Split
from interp_lab.effects import metric_values
from interp_lab.effects.parts import parts_of
from interp_lab.hooks import capture
from interp_lab.models import load_model
from interp_lab.sae.activations import ActivationsConfig, TextConfig, stream_activations
from interp_lab.sae.activations.reading import special_tokens
from interp_lab.sae.causal import FeatureEffects, FeatureEffectsConfig
from interp_lab.sae.causal.controls import Stream, borrowed_rows, random_rows
from interp_lab.sae.causal.known_answers import OTHER, OWN, measuring, planted
from interp_lab.sae.causal.logit_lens import logit_effects
from interp_lab.sae.causal.measured import Measuring
from interp_lab.sae.causal.selecting import Selected
from interp_lab.sae.causal.text import text_effects
from interp_lab.sae.chosen import SaeChoice, load_chosen
from tests.engine.models import hooked
from tests.sae.causal.drawn import SMALL, organism, small_run

HOOK = "blocks.2.hook_resid_post"
OPERATIONS = ("mean", "zero", "scale")


def config(**changes):
    return FeatureEffectsConfig(
        model="compiled/linear", task="compiled/linear", text=None, n_held_out=None, operations=OPERATIONS, n_pairs=32,
        n_random=8, n_latents=4, scale=3.0, positions="end", **changes,
    )  # fmt: skip


@pytest.fixture(scope="module")
def found():
    return FeatureEffects(config()).measure(load_model("compiled/linear"), codec=planted())


@pytest.fixture(scope="module")
def parts():
    return parts_of(load_model("compiled/linear"), config()).by_split


def symbols(part):
    return [np.array([one[0][0] for one in of]) for of in (part.pairs.answers, part.pairs.wrong)]


def by_hand(found, part, *, right, wrong):
    """What every chosen latent does on every prompt, if it is that of the right or the wrong symbol."""
    of = symbols(part)
    return np.stack([right * (latent == of[0]) + wrong * (latent == of[1]) for latent in found.selected.latents])


class TestSplits:
    def test_report_is_measured_on_prompts_that_did_not_choose(self, found, parts):
        expected = by_hand(found, parts[Split.REPORT], right=OWN, wrong=OTHER)
        np.testing.assert_allclose(found.report.operations[1], expected, atol=1e-3)
        assert np.abs(expected - by_hand(found, parts[Split.SELECT], right=OWN, wrong=OTHER)).max() > 1

    def test_means_are_those_of_the_prompts_that_choose(self, found, parts):
        """The coordinate of a is set to a mean m in place of 5/2, that of w in place of -1/2: m - 5/2, and -m - 1/2."""
        first = Measuring(load_model("compiled/linear"), planted(), config(), parts[Split.SELECT], cost=False)
        own = replace(first, part=parts[Split.REPORT])
        index = torch.from_numpy(found.selected.latents)
        mean, other = (one.values.mean[index].numpy()[:, None] for one in (first, own))
        right, wrong = symbols(parts[Split.REPORT])
        latents = found.selected.latents[:, None]
        expected = (latents == right) * (mean - 2.5) + (latents == wrong) * -(mean + 0.5)
        np.testing.assert_allclose(found.report.operations[0], expected, atol=1e-3)
        assert np.abs(mean - other).max() > 0.05, "the splits have other means"

    def test_of_the_organism_each_has_its_own_prompts(self):
        run = small_run()
        parts = parts_of(organism(), run.config, partners="any").by_split
        for split, held in ((Split.SELECT, run.select), (Split.REPORT, run.report), (Split.HELD_OUT, run.held_out)):
            part = parts[split]
            assert held.templates.tolist() == list(part.pairs.templates)
            clean = metric_values(organism(), part.pairs.clean, part.metric, mask=part.pairs.mask)
            np.testing.assert_allclose(held.clean, clean, atol=1e-5)

    def test_no_two_splits_share_their_random_directions(self, parts):
        first = Measuring(load_model("compiled/linear"), planted(), config(), parts[Split.SELECT], cost=False)
        keys = {replace(first, split=split).key(stream, 3) for split in Split for stream in Stream}
        assert len(keys) == len(Split) * len(Stream)


@pytest.mark.parametrize("kind", ["llama", "gpt2 folded"])
def test_what_latents_write_is_read_through_the_norm_that_the_model_has(kind):
    """RMSNorm keeps the mean of a direction, LayerNorm takes it out; beside the norm's own forward, times its scale."""
    model, rows = hooked(kind), 1 + torch.randn(3, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    centred = rows - rows.mean(-1, keepdim=True) if kind == "gpt2 folded" else rows
    scale = (centred.square().mean(-1, keepdim=True) + model.cfg.eps).sqrt()
    with torch.no_grad():
        bias = getattr(model.ln_final, "b", None)
        normed = model.ln_final(rows[None])[0] - (0 if bias is None else bias)
        logits = (normed * scale) @ model.unembed.W_U
    found = logit_effects(model, rows, hook="blocks.1.hook_resid_post")
    torch.testing.assert_close(found, logits - logits.mean(-1, keepdim=True))


class TestNumbers:
    def test_operations(self, found, parts):
        """Times three: 5 more of the right symbol, 1 less of the wrong one."""
        expected = by_hand(found, parts[Split.REPORT], right=5.0, wrong=1.0)
        np.testing.assert_allclose(found.report.operations[2], expected, atol=1e-3)

    def test_contrast(self, found, parts):
        """5/2 and -1/2 change places: 3 apart, 3 in size."""
        expected = by_hand(found, parts[Split.REPORT], right=3.0, wrong=3.0)
        np.testing.assert_allclose(found.report.differs, expected, atol=1e-4)
        np.testing.assert_allclose(found.report.strength, expected, atol=1e-4)
        told = [one.estimate for one, size in zip(found.contrast, expected, strict=True) if size.any()]
        assert told == pytest.approx([1] * len(told), abs=1e-4)
        assert len(told) > 1

    def test_along_directions(self):
        """The model is linear: a change along r moves the logits by r times the unembedding, less the wrong one's."""
        run = replace(measuring(), config=config(), split=Split.REPORT)
        pairs, chosen = run.part.pairs, np.unique(symbols(run.part)[0])[:2]
        selected = Selected(np.arange(len(run.rows)), {}, chosen, True)
        random, borrowed = run._along(selected)
        read = run.model.unembed.W_U.detach()
        right, wrong = symbols(run.part)
        at = torch.arange(len(pairs)), pairs.answer_position
        for nth, latent in enumerate(chosen.tolist()):
            change = run.changes(chosen[nth : nth + 1])[at][:, 0]
            assert change.abs().max() > 1
            others = np.setdiff1d(np.arange(len(run.rows)), chosen)
            for measured, rows in (
                (random, random_rows(run.rows[latent], 8, key=run.key(Stream.RANDOM, latent))),
                (borrowed, borrowed_rows(run.rows, latent, others, n=8, key=run.key(Stream.BORROWED, latent))),
            ):
                expected = change * (rows @ (read[:, right] - read[:, wrong]))
                np.testing.assert_allclose(measured[nth], expected.numpy(), atol=1e-3)

    def test_divergence(self, found, parts):
        """Of the predictions with one logit moved: mean ablation moves that of the latent's own symbol."""
        pairs, model = parts[Split.REPORT].pairs, load_model("compiled/linear")
        first = Measuring(model, planted(), config(), parts[Split.SELECT], cost=False)
        at = torch.arange(len(pairs)), pairs.answer_position
        before = model(pairs.clean)[at].double()
        values = planted().encode(capture(model, pairs.clean, [found.hook])[found.hook])[at]
        largest = []
        for nth, latent in enumerate(found.selected.latents.tolist()):
            after = before.clone()
            after[:, latent] += first.values.mean[latent] - values[:, latent]
            p = before.softmax(-1)
            kl = (p * (before.log_softmax(-1) - after.log_softmax(-1))).sum(-1).detach()
            np.testing.assert_allclose(found.report.divergence[nth], kl.numpy(), atol=2e-6)
            largest.append(float(kl.max()))
        assert max(largest) > 5e-5

    def test_matched_latents_write_as_much(self, monkeypatch):
        """Token by token they write elsewhere; prompt by prompt their change is as long as the chosen latent's."""
        run = Measuring(
            organism(), load_chosen(SaeChoice()), FeatureEffectsConfig(**SMALL),
            parts_of(organism(), FeatureEffectsConfig(**SMALL)).by_split[Split.SELECT], cost=False,
        )  # fmt: skip
        size = run.lengths()
        some = size.mean(1).argsort(descending=True)[:6].numpy()
        selected = Selected(some, {}, np.array([0, 1]), True)
        seen, own = {}, type(run.prompts).adding

        def noted(self, rows, changes, *, what):
            seen.update(rows=rows, changes=changes)
            return own(self, rows, changes, what=what)

        monkeypatch.setattr(type(run.prompts), "adding", noted)
        run._beside(selected, np.array([[2, 3], [4, 5]]))
        found = torch.stack(
            [c.square().sum(1).sqrt() * r.norm() for c, r in zip(seen["changes"], seen["rows"], strict=True)]
        )
        wanted = size[some[:2]].repeat_interleave(2, dim=0)
        assert (found > 0).float().mean() > 0.8
        torch.testing.assert_close(found, torch.where(found > 0, wanted, 0))


TEXT = TextConfig(part="held_out", length=32)


def test_text_is_measured_with_a_feature_silent_at_every_token_but_special_ones():
    """Beside a hook by hand."""
    codec, c = load_chosen(SaeChoice()), FeatureEffectsConfig(**{**SMALL, "text": TEXT, "n_windows": 8})
    wanted = ActivationsConfig(hooks=(codec.hook,), text=TEXT, n_tokens=c.n_windows * 32)
    tokens = stream_activations(organism(), wanted).tokens[: c.n_windows].long()
    kept = ~torch.isin(tokens, special_tokens(organism()))
    density = (codec.encode(capture(organism(), tokens, [codec.hook])[codec.hook])[kept] != 0).float().mean(0)
    latents = density.argsort(descending=True)[:6].numpy()
    latent = int(latents[0])
    found = text_effects(organism(), codec, Selected(latents, {}, np.array([0]), True), config=c)

    def silent(activation, hook):
        value = codec.encode(activation)[..., latent] * kept
        return activation - value[..., None] * codec.decoder_rows[latent]

    with torch.no_grad():
        losses = [
            organism().run_with_hooks(tokens, fwd_hooks=hooks).log_softmax(-1)[:, :-1].gather(-1, tokens[:, 1:, None])
            for hooks in ([], [(codec.hook, silent)])
        ]
    rise = (losses[0] - losses[1]).squeeze(-1).mean(1)
    np.testing.assert_allclose(found.silent[0], rise.numpy(), atol=1e-5)
    assert found.density[0] == pytest.approx(float(density[latent]))
    assert np.abs(rise.numpy()).max() > 1e-4
