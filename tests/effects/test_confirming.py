"""A choice stated in advance is found or refused, what is put up is sorted, and names are alike in all methods."""

from pathlib import Path

import pytest

from interp_lab.claims import Claim, Evidence, Split
from interp_lab.effects.confirming import ToTest, component_name, confirmation_of, places_of
from interp_lab.hypotheses import OWN_RUN, with_own_run
from interp_lab.types import Interval


def put_up(statement, estimate, *, margin=0.1, p=0.001, unit="logits"):
    effect = Interval(estimate, estimate - 0.01, estimate + 0.01)
    return ToTest(
        Claim(statement, "", Evidence("", unit, effect, effect, p, "", Split.REPORT, 8, margin)), statement[:1], "open"
    )


class TestConfirmation:
    def test_puts_up_what_holds_the_largest_in_units_of_the_smallest_of_interest_first(self):
        found = confirmation_of(
            {"chosen": ["a"]},
            [put_up("a", 1.0), put_up("b", -3.0), put_up("c", 2.0, margin=1.0), put_up("d", 9.0, p=0.5)],
        )
        assert found.statements == ("b", "a", "c")
        assert found.components == {"a": "a", "b": "b", "c": "c"}
        assert found.config == {"chosen": ["a"]}
        assert not found.refuted_if

    def test_is_none_where_nothing_holds(self):
        assert confirmation_of({}, [put_up("d", 9.0, p=0.5), put_up("e", 0.05)]) is None

    def test_finds_its_own_run(self):
        config = {"made_in": {"run": OWN_RUN, "artefact": "directions"}, "beside": [{"run": OWN_RUN}], "n": 3}
        assert with_own_run(config, Path("/runs/one")) == {
            "made_in": {"run": "/runs/one", "artefact": "directions"}, "beside": [{"run": "/runs/one"}], "n": 3,
        }  # fmt: skip


class TestStated:
    def test_places_are_in_the_order_of_what_is_stated(self):
        assert places_of(["c", "a"], ["a", "b", "c"], what="letter") == [2, 0]

    def test_what_there_is_not_is_refused_with_the_nearest_or_all(self):
        with pytest.raises(ValueError, match=r"chosen names '1.9', and there is no such head; did you mean '1.3'"):
            places_of(["1.3", "1.9"], ["1.3", "0.2"], what="head")
        with pytest.raises(ValueError, match="there are one, two"):
            places_of(["zzzz"], ["one", "two"], what="number")


class TestNames:
    @pytest.mark.parametrize(
        ("site", "name"),
        [
            ("1.3", "1.3"), ("1.3 at end", "1.3 at end"), ("2.hook_mlp_out", "mlp_out 2"),
            ("blocks.2.hook_mlp_out", "mlp_out 2"), ("2.hook_resid_pre at end", "resid_pre 2 at end"),
            ("1.hook_resid_post at end", "resid_pre 2 at end"), ("3.hook_resid_post", "resid_post 3"),
            ("0.attn.hook_k[2]", "k 0[2]"), ("2.hook_resid_pre@5", "resid_pre 2@5"),
            ("2.hook_resid_post#7", "2.hook_resid_post#7"), ("0.mlp.hook_post#7", "0.mlp.hook_post#7"),
            ("hook_embed", "hook_embed"), ("mine (1.3+1.4)", "mine (1.3+1.4)"),
        ],
    )  # fmt: skip
    def test_are_those_of_all_methods(self, site, name):
        assert component_name(site, n_layers=4) == name
