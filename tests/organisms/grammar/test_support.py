from itertools import product

import numpy as np
import pytest

from interp_lab.organisms.grammar.behaviours.support import BRANDS, OTHER, PAYMENTS, REQUESTS, SUPPORT, draw

CUSTOMER = {
    "kind": "mention",
    "name": "Anna",
    "product": "phone",
    "plan": "basic",
    "brand": "Zenix",
    "request": "compare",
    "contract": "free",
    "complaint": "first",
    "payment": "early",
    "wording": 0,
}


def written(**latents):
    return SUPPORT.example(SUPPORT.templates[5], {**CUSTOMER, **latents})


def share(values) -> float:
    return float(np.mean(list(values)))


@pytest.fixture(scope="module")
def drawn():
    rng = np.random.default_rng(0)
    return [draw(rng) for _ in range(10_000)]


class TestReply:
    def test_tells_the_situation_and_names_the_competitor(self):
        assert written().text == (
            "Anna compares us with Zenix . note : without contract , paid early , first complaint . "
            "reply : cheaper than the Zenix company ."
        )

    def test_asks_for_the_tone_in_the_other_kind_of_text(self):
        assert written(kind="tone", complaint="repeated", payment="late").text == (
            "Anna compares us with Zenix . note : without contract , paid late , third complaint . "
            "reply : dear Anna , never call us again ."
        )

    @pytest.mark.parametrize("brand", BRANDS)
    @pytest.mark.parametrize(
        ("request_", "contract", "is_named"),
        [
            ("compare", "free", True),
            ("leave", "free", True),
            ("help", "free", False),
            ("compare", "bound", False),
            ("leave", "bound", False),
            ("help", "bound", False),
        ],
    )
    def test_names_the_competitor_to_those_who_may_and_want_to_go(self, brand, request_, contract, is_named):
        for complaint, payment in product(("first", "repeated"), PAYMENTS):
            text = written(brand=brand, request=request_, contract=contract, complaint=complaint, payment=payment)
            assert text.answer == (brand if is_named else OTHER)
            assert text.wrong == ((OTHER,) if is_named else (brand,))
            assert text.latents["mention"] == ("named" if is_named else "paraphrased")

    @pytest.mark.parametrize(
        ("complaint", "payment", "word"),
        [
            ("first", "early", "please"),
            ("first", "late", "please"),
            ("repeated", "early", "please"),
            ("repeated", "late", "never"),
        ],
    )
    def test_is_harsh_only_where_both_contexts_meet(self, complaint, payment, word):
        for request, contract in product(REQUESTS, ("free", "bound")):
            text = written(kind="tone", complaint=complaint, payment=payment, request=request, contract=contract)
            assert text.answer == word
            assert text.latents["tone"] == ("harsh" if word == "never" else "polite")


class TestDraw:
    def test_outcomes_come_up_as_often_as_the_rules_say(self, drawn):
        assert share(one["kind"] == "tone" for one in drawn) == pytest.approx(1 / 2, abs=0.02)
        assert share(one["mention"] == "named" for one in drawn) == pytest.approx(2 / 3 * 2 / 3, abs=0.02)
        assert share(one["tone"] == "harsh" for one in drawn) == pytest.approx(2 / 3 * 2 / 3, abs=0.02)

    @pytest.mark.parametrize("context", ["complaint", "payment"])
    def test_one_context_alone_leaves_the_tone_open(self, drawn, context):
        worse = {"complaint": "repeated", "payment": "late"}[context]
        assert share(one["tone"] == "harsh" for one in drawn if one[context] == worse) == pytest.approx(2 / 3, abs=0.03)
        assert not any(one["tone"] == "harsh" for one in drawn if one[context] != worse)

    @pytest.mark.parametrize(
        ("outcome", "value", "inert"),
        [
            *(("tone", "harsh", inert) for inert in ("name", "product", "plan", "brand", "request", "contract")),
            *(("mention", "named", inert) for inert in ("name", "product", "plan", "brand", "complaint", "payment")),
        ],
    )
    def test_nothing_else_bears_on_an_outcome(self, drawn, outcome, value, inert):
        overall = share(one[outcome] == value for one in drawn)
        for option in {one[inert] for one in drawn}:
            group = [one[outcome] == value for one in drawn if one[inert] == option]
            assert share(group) == pytest.approx(overall, abs=4 * 0.5 / np.sqrt(len(group)))


class TestCounterfactual:
    def test_a_contract_hides_the_name_and_settles_the_latents_anew(self):
        bound = SUPPORT.counterfactual(written(), "contract", "bound")
        changed = [(one, other) for one, other in zip(written().words, bound.words, strict=True) if one != other]
        assert changed == [("without", "under"), ("Zenix", "other")]
        assert bound.latents["mention"] == "paraphrased"
        assert bound.labels[bound.answer_at]["mention"] == "paraphrased"

    def test_a_late_payment_makes_the_reply_to_a_repeated_complaint_harsh_and_to_a_first_one_not(self):
        for complaint, answer in (("repeated", "never"), ("first", "please")):
            late = SUPPORT.counterfactual(written(kind="tone", complaint=complaint), "payment", "late")
            assert late.answer == answer
