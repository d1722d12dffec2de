"""Path patching equals the algorithm of the paper, run literally, in both of its readings."""

import numpy as np
import pytest

from interp_lab.circuits.edge_patches import edge_effects
from interp_lab.circuits.path_patching import path_effects
from interp_lab.edges import Edge
from interp_lab.metrics import logit_difference
from interp_lab.models import load_model
from interp_lab.organisms.compiled import compile_model
from tests.circuits.models import metric_of, pairs_for
from tests.oracles import edges as oracle

KINDS = ("gpt2", "llama", "neox", "attention only")
RECEIVERS = (["logits"], ["2.1.q"], ["1.0.k", "2.1.v", "2.0.q"], ["m2", "logits"])


@pytest.fixture(scope="module", params=KINDS)
def case(request):
    return pairs_for(request.param)


def found_and_expected(case, senders, receivers, between):
    model, pairs = case
    found = path_effects(model, pairs[0], senders, receivers, metric_of(pairs), other=pairs[1], between=between)
    recomputed = between == "MLPs recomputed"
    literal = [oracle.path_effect(model, pairs, one, receivers, mlps_recomputed=recomputed) for one in senders]
    return found.changes, np.stack([one.numpy() for one in literal])


class TestPathPatching:
    @pytest.mark.parametrize("receivers", RECEIVERS, ids=", ".join)
    @pytest.mark.parametrize("between", ["MLPs recomputed", "direct"])
    def test_equals_the_literal_algorithm(self, case, between, receivers):
        if case[0].cfg.attn_only:
            receivers = [one for one in receivers if one != "m2"]
        senders = ["embed", "0.1", "0.3"] + ([] if case[0].cfg.attn_only else ["m0"])
        found, expected = found_and_expected(case, senders, receivers, between)
        assert np.abs(expected).max() > 1e-4
        np.testing.assert_allclose(found, expected, atol=1e-8 * max(1, np.abs(expected).max()))

    def test_without_mlps_both_readings_are_the_same(self):
        case, senders = pairs_for("attention only"), ["0.0", "1.2", "embed"]
        direct, _ = found_and_expected(case, senders, ["logits"], "direct")
        recomputed, _ = found_and_expected(case, senders, ["logits"], "MLPs recomputed")
        np.testing.assert_allclose(direct, recomputed, atol=1e-9)

    def test_with_one_receiver_the_direct_reading_is_an_edge(self, case):
        model, pairs = case
        found, _ = found_and_expected(case, ["0.2"], ["2.1.q"], "direct")
        edge = edge_effects(
            model, pairs[0], [Edge("0.2", "2.1.q")], metric_of(pairs), ablation="resample", other=pairs[1]
        )
        np.testing.assert_allclose(found, edge.changes, atol=1e-10)


def test_known_answer():
    """compiled/induction: 0.0 acts by way of 1.0's keys and of nothing else; 1.0 by way of the logits."""
    compiled, model = compile_model("compiled/induction"), load_model("compiled/induction")
    pairs = compiled.sample_pairs(8, seed=0)
    metric, options = logit_difference(pairs.answers, pairs.wrong), {"other": pairs.corrupted, "between": "direct"}
    keys = path_effects(model, pairs.clean, ["0.0"], ["1.0.k"], metric, **options).changes
    rest = path_effects(model, pairs.clean, ["0.0"], ["1.0.q", "1.0.v", "1.1.k", "logits"], metric, **options).changes
    out = path_effects(model, pairs.clean, ["1.0", "1.1"], ["logits"], metric, **options).changes
    assert (keys < -5).all()
    np.testing.assert_allclose(rest, 0, atol=1e-3)
    assert (out[0] < -5).all()
    np.testing.assert_allclose(out[1], 0, atol=1e-3)


class TestBadInput:
    @pytest.mark.parametrize(
        ("senders", "receivers", "message"),
        [
            ([], ["logits"], "no senders are given"),
            (["0.0"], [], "no receivers are given"),
            (["0.9"], ["logits"], r"no sender '0\.9'; did you mean '0\."),
            (["0.0"], ["1.0"], r"no receiver '1\.0'"),
            (["0.0", "0.0"], ["logits"], "name one twice"),
            (["2.0"], ["1.0.q", "2.1.k"], r"no path runs from 2\.0 to 1\.0\.q, 2\.1\.k"),
        ],
    )
    def test_nodes(self, senders, receivers, message):
        model, pairs = pairs_for("gpt2")
        with pytest.raises(ValueError, match=message):
            path_effects(model, pairs[0], senders, receivers, metric_of(pairs), other=pairs[1], between="direct")
