"""Evaluations of codecs of which everything is known, and against a literal loop, document by document."""

import math

import numpy as np
import pytest
import torch

from interp_lab import load_model
from interp_lab.hooks import capture
from interp_lab.sae.activations import ActivationsConfig, TextConfig
from interp_lab.sae.activations.reading import pieces
from interp_lab.sae.evaluation import evaluate, fitting
from interp_lab.sae.evaluation.measured import METRICS
from interp_lab.tasks import grammar_documents
from tests.oracles.evaluation import scores
from tests.sae.evaluation.small import (
    EMBED,
    IDENTITY,
    NOISY,
    RESID,
    SHRUNK,
    Made,
    Words,
    Z,
    bundled,
    config,
    measured,
    model,
    read,
    standard,
)


def value(found, name, metric):
    return found.interval(name, metric).estimate


class TestKnownCodecs:
    def test_the_identity_keeps_everything(self):
        found = standard()
        for metric in ("r2", "cosine", "l2_ratio", "relative_bias"):
            assert value(found, "identity", metric) == pytest.approx(1.0)
        for metric in ("ce_recovered_zero", "ce_recovered_mean", "kl_recovered_zero", "kl_recovered_mean"):
            assert value(found, "identity", metric) == 1.0
        for metric in ("mse", "kl", "ce_rise"):
            assert value(found, "identity", metric) == pytest.approx(0.0, abs=1e-6)

    def test_ablations_recover_nothing_of_themselves(self):
        found = standard()
        for quantity in ("ce", "kl"):
            assert value(found, "mean", f"{quantity}_recovered_mean") == 0
            assert value(found, "zero", f"{quantity}_recovered_zero") == 0
        assert value(found, "mean", "r2") == pytest.approx(0.0, abs=0.05)  # the mean is that of other text
        assert value(found, "zero", "l2_ratio") == 0
        assert math.isnan(value(found, "zero", "relative_bias"))

    def test_the_mean_of_the_very_text_is_worth_exactly_nothing(self):
        rows = torch.cat([capture(model(), piece.tokens.long(), [RESID])[RESID][piece.kept] for piece in read()])
        mean = rows.double().mean(0).float()
        found = measured({"its_mean": Made(lambda x: mean.expand_as(x))}, baselines=())
        assert value(found, "its_mean", "r2") == pytest.approx(0.0, abs=1e-6)

    def test_shrinkage_is_seen_as_such(self):
        found = standard()
        assert value(found, "shrunk", "relative_bias") == pytest.approx(0.9, abs=1e-5)
        assert value(found, "shrunk", "l2_ratio") == pytest.approx(0.9, abs=1e-5)
        assert value(found, "shrunk", "cosine") == pytest.approx(1.0, abs=1e-5)
        assert value(found, "shrunk", "r2") < 0.9901

    def test_a_shift_lowers_r2(self):
        found = measured({"shifted": Made(lambda x: x + 1)}, baselines=())
        assert value(found, "shifted", "mse") == pytest.approx(model().cfg.d_model, rel=1e-5)
        assert value(found, "shifted", "r2") < 0.97

    def test_the_embedding_as_a_dictionary(self):
        """One word is active per token, and nothing is lost; words that do not come are dead."""
        found = measured({"words": Words(model().W_E.detach())}, EMBED, baselines=())
        assert value(found, "words", "l0") == 1
        assert value(found, "words", "r2") == pytest.approx(1.0)
        assert value(found, "words", "ce_recovered_mean") == pytest.approx(1.0, abs=1e-5)
        tokens = torch.cat([piece.labels.tokens for piece in read(EMBED)])
        counted = torch.bincount(tokens, minlength=model().cfg.d_vocab).numpy()
        np.testing.assert_array_equal(found.fired["words"], counted)
        assert found.n_dead("words") == (counted == 0).sum()
        assert found.metrics()["words.dead_in_400_tokens"] == (counted == 0).sum()

    def test_heads_of_z_are_flattened(self):
        found = measured({"identity": IDENTITY, "half": Made(lambda x: 0.5 * x)}, Z, baselines=())
        assert value(found, "identity", "ce_recovered_mean") == 1.0
        assert found.fired["half"].shape == (model().cfg.n_heads * model().cfg.d_head,)
        assert 0 < value(found, "half", "ce_rise") < value(found, "zero", "ce_rise")


@pytest.fixture(scope="module")
def tokens_by_document():
    """What the noisy codec and both ablations do, token by token, each in a run of the model of its own."""
    mean, seen = fitted().mean, unigram_counts()
    rebuilt = {"clean": lambda x: x, "own": NOISY.rebuild, "zero": torch.zeros_like, "mean": mean.expand_as}
    documents = {}
    for piece in read():
        tokens = piece.tokens.long()
        x = capture(model(), tokens, [RESID])[RESID]
        logs = {}
        for name, make in rebuilt.items():
            changed = torch.where(piece.kept[..., None], make(x), x)
            with torch.inference_mode():
                logits = model().run_with_hooks(tokens, fwd_hooks=[(RESID, lambda value, hook, to=changed: to)])
            logs[name] = logits.double().log_softmax(-1)
        for place, (batch, pos) in enumerate(piece.kept.nonzero().tolist()):
            text = piece.digests[int(piece.labels.documents[place])]
            own = {name: log[batch, pos] for name, log in logs.items()}
            ce = (
                dict.fromkeys(own)
                if pos + 1 == tokens.shape[1]
                else {name: -float(log[tokens[batch, pos + 1]]) for name, log in own.items()}
            )
            ce["unigram"] = None if ce["own"] is None else -math.log(seen[int(tokens[batch, pos + 1])] / sum(seen))
            kl = {name: float((own["clean"].exp() * (own["clean"] - log)).sum()) for name, log in own.items()}
            row = x[batch, pos].double().tolist()
            documents.setdefault(text, []).append(
                {"x": row, "rebuilt": NOISY.rebuild(x[batch, pos]).double().tolist(), "latents": row,
                 "ce": ce["own"], "ce_clean": ce["clean"], "ce_zero": ce["zero"], "ce_mean": ce["mean"],
                 "ce_unigram": ce["unigram"],
                 "kl": kl["own"], "kl_zero": kl["zero"], "kl_mean": kl["mean"]}
            )  # fmt: skip
    return list(documents.values())


def fitted():
    return fitting.fit(model(), {}, RESID, config=standard().config)


def fit_pieces(hook=RESID):
    return list(pieces(model(), fitting.reading_config(model(), hook, config=standard().config, fit=True)))


def unigram_counts():
    """How often each token follows another of the train side, and a tenth."""
    counts = [0.1] * model().cfg.d_vocab
    for piece in fit_pieces():
        for batch, pos in piece.kept.nonzero().tolist():
            if pos + 1 < piece.tokens.shape[1]:
                counts[int(piece.tokens[batch, pos + 1])] += 1
    return counts


class TestAgainstTheLiteralLoop:
    def test_every_figure(self, tokens_by_document):
        expected = scores(tokens_by_document)
        for metric in METRICS:
            assert value(standard(), "noisy", metric) == pytest.approx(expected[metric], rel=1e-4, abs=1e-5), metric

    def test_documents_and_their_sums(self, tokens_by_document):
        found = standard()
        assert found.n_documents == len(tokens_by_document)
        np.testing.assert_array_equal(found.shared["tokens"], [len(document) for document in tokens_by_document])
        ce = [sum(token["ce"] for token in document if token["ce"]) for document in tokens_by_document]
        assert found.unigram_loss().estimate == pytest.approx(scores(tokens_by_document)["ce_unigram"], rel=1e-5)
        np.testing.assert_allclose(found.own["ce"][found.names.index("noisy")], ce, rtol=1e-4, atol=1e-3)

    def test_an_interval_is_that_of_resampled_documents(self, tokens_by_document):
        rng = np.random.default_rng(0)
        drawn = [
            scores([tokens_by_document[i] for i in rng.integers(len(tokens_by_document), size=len(tokens_by_document))])
            for _ in range(30)
        ]
        for metric in ("r2", "ce", "ce_recovered_mean"):
            interval = standard().interval("noisy", metric)
            half = (interval.high - interval.low) / 2
            assert half == pytest.approx(1.96 * np.std([one[metric] for one in drawn]), rel=0.5), metric


def test_mean_and_covariance_are_those_of_the_train_side(monkeypatch):
    """Centred, also where the first of many batches is not like the others."""
    monkeypatch.setattr(fitting, "_LOGITS_AT_ONCE", 1)
    rows = torch.cat([capture(model(), piece.tokens.long(), [RESID])[RESID][piece.kept] for piece in fit_pieces()])
    found, expected = fitted(), torch.cov(rows.double().T, correction=0)
    torch.testing.assert_close(found.mean, rows.mean(0), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.covariance, expected, rtol=1e-3, atol=1e-3)
    first = rows[: int(fit_pieces()[0].kept.sum())].mean(0)
    assert (first - rows.mean(0)).square().sum() > 0.02 * expected.trace()  # so that it matters


class TestNothingDependsOn:
    def test_how_many_windows_are_read_at_once(self, monkeypatch):
        monkeypatch.setattr(fitting, "_LOGITS_AT_ONCE", 1)
        single = measured({"identity": IDENTITY, "shrunk": SHRUNK, "noisy": NOISY}, baselines=("pca",))
        for name, expected in standard().metrics().items():
            assert single.metrics()[name] == pytest.approx(expected, rel=1e-4, abs=1e-5, nan_ok=True), name

    def test_what_is_measured_beside(self):
        alone = measured({"noisy": NOISY}, baselines=()).metrics()
        assert {name for name in alone if math.isnan(alone[name])} == {"zero.relative_bias"}
        finite = {name: number for name, number in alone.items() if math.isfinite(number)}
        assert finite == {name: standard().metrics()[name] for name in finite}

    def test_the_order_of_documents(self):
        documents = list(grammar_documents(40, seed=3))
        text = {"held_out_share": 0.5, "packed": False, "length": 12}
        counts = {part: n_kept(documents, TextConfig(part=part, **text)) for part in ("held_out", "train")}
        own = config(
            text={"part": "held_out", **text}, n_tokens=counts["held_out"], n_fit_tokens=counts["train"], baselines=()
        )
        forth, back = (
            evaluate(model(), {"noisy": NOISY}, RESID, config=own, documents=order).metrics()
            for order in (documents, documents[::-1])
        )
        for name, expected in forth.items():
            assert back[name] == pytest.approx(expected, rel=1e-5, abs=1e-6, nan_ok=True), name


def n_kept(documents, text):
    asked = ActivationsConfig(hooks=(RESID,), text=text)
    return sum(int(piece.kept.sum()) for piece in pieces(model(), asked, documents=documents))


class TestMemory:
    def test_grows_with_documents_not_with_tokens_times_latents(self):
        sae = bundled()
        found = measured({"sae": sae}, sae.hook, n_tokens=2000, baselines=())
        kept = sum(array.nbytes for array in found.arrays().values())
        assert kept < 2000 * sae.n_latents * 4 / 10


def test_a_bridge_is_measured_alike():
    bridge = load_model("organism", "cpu", backend="bridge")
    asked = config(baselines=(), n_tokens=200)
    ours, theirs = (evaluate(one, {"shrunk": SHRUNK}, RESID, config=asked).metrics() for one in (model(), bridge))
    for name, expected in ours.items():
        assert theirs[name] == pytest.approx(expected, rel=1e-4, abs=1e-5, nan_ok=True), name
