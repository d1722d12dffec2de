"""The experiment on the organism: what it finds, claims, keeps and refuses."""

import json
from functools import cache

import numpy as np
import pytest

from interp_lab.claims import Grade, Split
from interp_lab.config import ConfigError
from interp_lab.models import load_model
from interp_lab.production.counterfactuals import (
    Counterfactuals,
    CounterfactualsConfig,
    CounterfactualsResult,
    counterfactuals,
)
from tests.tasks.reading import grammar_reader

SMALL = {
    "device": "cpu", "n_select": 12, "n_report": 24, "n_held_out": 12, "n_proposed": 12, "most_edits": 2, "beam": 2,
    "n_tried": 8, "n_controls": 3, "methods": ["vocabulary", "gradient", "swap"], "n_shown": 2,
}  # fmt: skip
APPLICATION = (
    "Anna , a nurse from Westfield , has high income , low debt and medium savings . the form came on Monday , plain "
    "paper with a round seal . the loan was"
)
LEVELS = {
    "income": ["low income", "medium income", "high income"],
    "debt": ["low debt", "high debt"],
    "town": ["Westfield", "Eastgate", "Oakridge"],
}


@cache
def organism():
    return load_model("organism", "cpu")


@pytest.fixture(scope="module")
def found():
    config = CounterfactualsConfig.from_mapping(SMALL)
    return Counterfactuals(config).measure(organism(), against=load_model("organism-tuned", "cpu"))


class TestWhatIsFound:
    def test_a_flip_is_found_far_oftener_than_random_edits_of_its_size_flip(self, found):
        for nth, method in enumerate(found.report.found.methods):
            if method == "vocabulary":
                share, random = np.isfinite(found.report.found.size[nth]), found.report.found.random[nth]
                assert share.mean() > 0.8
                assert np.nanmean(random) < 0.5 * share.mean()

    def test_what_is_said_to_flip_does(self, found):
        """Read again, one text at a time, by nothing that the search shares."""
        held, model = found.report, organism()
        tokenizer = model.tokenizer
        answers = [tokenizer.convert_tokens_to_ids(word) for word in ("approved", "rejected")]
        for column in range(6):
            for text, turns in ((held.texts.text[column], False), (held.found.edited[0, column], True)):
                logits = model(model.to_tokens(str(text)))[0, -1, answers]
                preferred = ("approved", "rejected")[int(logits.argmax())]
                assert (preferred != held.texts.answer[column]) is turns

    def test_finances_and_the_neighbourhood_flip_and_nothing_inert_is_claimed(self, found):
        named = {one.split(":")[0] for one in found.named()}
        assert {"neighbourhood", "any neighbourhood"} <= named
        assert named <= {"neighbourhood", "any neighbourhood", "income", "debt", "savings", "paper", "seal"}

    def test_the_neighbourhood_flips_across_groups_and_hardly_in_the_tuned_model(self, found):
        fair = found.report.fair
        assert np.nanmean(fair.any_value) > 0.4
        assert np.nanmean(fair.against) < 0.2
        assert np.nanmean(fair.within) < 0.05

    def test_smallest_flips_are_those_of_the_rule(self, found):
        metrics = found.metrics()
        assert metrics["precision"] > 0.8
        assert metrics["recall"] > 0.8
        assert metrics["same_size"] > 0.8

    def test_a_search_that_trusts_the_gradient_finds_few_of_them(self, found):
        """The same texts and edits, nothing read: the decision is no linear function."""
        for held in found.splits.values():
            assert np.nanmean(held.foretold.recall) < 0.5 < 0.8 < np.nanmean(held.truth.recall)
        flips = found.tables()["rule"].set_index(["split", "flips"])
        assert len(flips) == 4
        assert flips.at[("report", "foretold by the gradient"), "recall"] == np.nanmean(found.report.foretold.recall)
        assert f"of flips foretold by the gradient precision {np.nanmean(found.report.foretold.precision):.3f}" in (
            found.summary()
        )

    def test_no_text_that_chose_is_reported_on(self, found):
        splits = [set(held.texts.text.tolist()) for held in found.splits.values()]
        assert len(set.union(*splits)) == sum(map(len, splits)) == 36
        assert {text.split("/")[0] for text in found.report.texts.template} == {"loans"}


class TestWhatIsKept:
    def test_it_comes_back_from_its_arrays(self, found):
        again = CounterfactualsResult.from_arrays(found.config, found.provenance, found.arrays())
        assert again.summary() == found.summary()
        assert again.metrics() == found.metrics()
        assert [claim.statement for claim in again.claims()] == [claim.statement for claim in found.claims()]
        assert {name: len(table) for name, table in again.tables().items()} == {
            name: len(table) for name, table in found.tables().items()
        }

    def test_what_is_claimed_names_a_share_an_interval_and_its_control(self, found):
        for claim in found.claims():
            assert "flips the answer in" in claim.observed
            assert "random edits" in claim.observed
            assert claim.effect.split is Split.REPORT
            assert claim.effect.margin == found.config.smallest_effect
        assert any(claim.grade >= Grade.CAUSAL for claim in found.claims())

    def test_shares_have_intervals_that_are_never_empty_and_end_at_0_and_1(self, found):
        """Where all texts of four templates agree, too; nothing of random edits, and nothing of the tuned model."""
        shares = {
            "methods": ["flip found", "random edits", "as a template"], "attributes": ["flips"],
            "tested": ["flips", "random edits"], "rule": ["precision", "recall", "same size"],
            "fairness": ["any value flips", "the same in the other model", "values of another group",
                         "values of the same group"],
        }  # fmt: skip
        tables = found.tables()
        for name, column in ((name, column) for name, columns in shares.items() for column in columns):
            own, low, high = (tables[name][f"{column}{end}"] for end in ("", "_low", "_high"))
            assert ((low >= 0) & (low <= own) & (own <= high) & (high <= 1) & (low < high)).all(), (name, column)
        assert (tables["fairness"]["values of the same group"] == 0).any(), "some share is of texts that all agree"
        for column in ("difference", "across minus within"):
            low, high = (tables["fairness"][f"{column}_{end}"] for end in ("low", "high"))
            assert ((low >= -1) & (low < high) & (high <= 1)).all()
        assert (tables["methods"]["rank correlation_high"] <= 1).all()
        methods = tables["methods"]
        assert ((methods["edits_low"] < methods["edits"]) & (methods["edits_high"] <= 2)).all()

    def test_a_share_is_of_the_texts_that_can_be_asked_and_says_how_many(self, found):
        shown = found.tables()["attributes"].set_index(["attribute", "split"])["texts"]
        held = found.report.alone
        assert shown[held.attributes[-1], "report"] == np.isfinite(held.flips[-1]).sum()
        assert (found.tables()["fairness"]["texts"] == [24, 12]).all(), "every text has a neighbourhood"
        for row, (split, one) in zip(
            found.tables()["tested"].to_dict("records"),
            [(split, nth) for split in found.splits.values() for nth in range(len(found.chosen))], strict=True,
        ):  # fmt: skip
            known = split.tried.flipped[one][np.isfinite(split.tried.flipped[one])]
            assert (row["texts"], row["flips"]) == (len(known), pytest.approx(known.mean()))
            assert row["random edits"] == pytest.approx(np.nanmean(split.tried.controls[one]))

    def test_sections_say_what_they_do_not_show_and_their_figures_are_there(self, found):
        sections = found.sections()
        assert [section.causal for section in sections] == [True, True, True, False]
        assert all(section.does_not_show for section in sections)
        assert {"methods", "flips", "tested", "fairness"} == set(found.figures())
        assert "<del" in found.figures()["flips"]

    def test_the_statement_is_of_the_form_that_was_asked_for(self, found):
        assert "changing neighbourhood flips the answer in" in found.summary()
        assert "on held-out templates in" in found.summary()

    def test_a_confirmation_states_all_and_makes_the_same_claims(self, found):
        confirmation = found.confirmation()
        again = Counterfactuals(
            CounterfactualsConfig.from_mapping(
                {**SMALL, **confirmation.config, "seed": 1, "methods": ["swap"], "n_held_out": None, "n_report": 16}
            )
        ).measure(organism())
        assert set(confirmation.statements) == {claim.statement for claim in again.claims()}
        assert again.config.chosen == tuple(str(one) for one in again.chosen)
        assert {one.name for one in found.components()} <= {
            f"attribute {name}" for name in found.report.alone.attributes
        }


class TestNothingToFind:
    def test_a_model_that_was_never_trained_gets_no_claim_of_bias(self):
        config = CounterfactualsConfig.from_mapping(
            {**SMALL, "methods": ["swap"], "n_held_out": None, "n_report": 16, "model": "grammar"}
        )
        model = grammar_reader()
        from interp_lab.models import declare_identity

        declare_identity(model, name="grammar", processing="raw")
        found = Counterfactuals(config).measure(model)
        assert not any("any neighbourhood" in one for one in found.named())
        assert found.summary()


class TestOnePrompt:
    @pytest.fixture(scope="class")
    @staticmethod
    def flips():
        return counterfactuals(organism(), APPLICATION, [" approved", " rejected"], slots=LEVELS, n_proposed=16)

    def test_flips_come_smallest_first_then_by_measured_turn(self, flips):
        order = [(flip.n_edits, -flip.turn) for _, flip in flips.flips]
        assert order == sorted(order)
        assert flips.answer == " approved"
        assert all(flip.turn > 0 for _, flip in flips.flips)

    def test_a_level_that_is_lowered_is_among_them(self, flips):
        assert "income: high income > low income" in flips.table().edit.tolist()
        assert flips.table().set_index("edit").at["income: high income > low income", "as the slots allow"]

    def test_it_is_shown_escaped_side_by_side(self, flips):
        assert flips.html().count("<tr>") == len(flips.flips) + 1
        assert "approved, by" in str(flips)

    def test_no_flip_is_said_to_be_none(self):
        found = counterfactuals(organism(), APPLICATION, [" approved", " rejected"], methods=["swap"])
        assert found.flips == ()
        assert "no flip within 3 edits was found" in str(found)

    def test_the_same_seed_tries_the_same(self):
        given = (organism(), APPLICATION, [" approved", " rejected"])
        one, other = (counterfactuals(*given, methods=["fillers"], n_proposed=8, seed=4) for _ in range(2))
        assert one == other

    def test_no_method_is_refused(self):
        with pytest.raises(ValueError, match=r"methods \[\]: name some of vocabulary, gradient"):
            counterfactuals(organism(), APPLICATION, [" approved", " rejected"], methods=[])


class TestOwnPrompts:
    @staticmethod
    def write(path, lines):
        path.write_text("# mine\n" + "\n".join(json.dumps(line) for line in lines))
        return path

    @staticmethod
    def line(nth, **changes):
        debt = ("low", "high")[nth % 2]
        name = ("Anna", "Ben", "Clara", "David", "Emma", "Felix", "Grace", "Henry", "Iris", "James", "Kate", "Leo")[
            nth % 12
        ]
        prompt = (
            f"{name} , a nurse from Eastgate , has medium income , {debt} debt and low savings . the loan was",
            f"income : medium income , {debt} debt . {name} lives in Eastgate . decision :",
        )[nth // 12 % 2]
        return {
            "prompt": prompt, "answers": [" approved", " rejected"], "template": f"t{nth // 12 % 2}",
            "slots": {"debt": ["low debt", "high debt"], "town": ["Eastgate", "Oakridge"]}, **changes,
        }  # fmt: skip

    def test_are_searched_as_texts_of_the_grammar_are(self, tmp_path):
        path = self.write(tmp_path / "own.jsonl", [self.line(nth) for nth in range(24)])
        config = CounterfactualsConfig.from_mapping(
            {
                **SMALL,
                "behaviour": str(path),
                "n_select": 8,
                "n_report": 16,
                "protected": ["town"],
                "methods": ["vocabulary"],
            }
        )
        found = Counterfactuals(config).measure(organism())
        assert found.not_replicable.endswith("has no reserved texts")
        assert found.held_out is None
        assert found.report.truth is None
        assert found.report.alone.attributes == ("debt", "town")
        assert np.isnan(found.report.fair.across).all()
        again = CounterfactualsResult.from_arrays(found.config, found.provenance, found.arrays())
        assert again.summary() == found.summary()

    @pytest.mark.parametrize(
        ("lines", "message"),
        [
            ([{"prompt": "a"}], "no 'answers'"),
            ([{"prompt": "a", "answers": [" x", " y"], "template": "t", "slot": {}}], "did you mean 'slots'"),
            ([{"prompt": "a", "answers": " x", "template": "t"}], r"own.jsonl:2: 'answers' must be a list of texts"),
            ([{"prompt": 3, "answers": [" x", " y"], "template": "t"}], "'prompt' must be text, got 3"),
            (
                [{"prompt": "a", "answers": [" x", " y"], "template": "t", "slots": {"s": ["b", "c"]}}],
                "own.jsonl:2: slot 's': 0 of the values",
            ),
            ([{"prompt": "a", "answers": [" x", " y"], "template": "t"}], "holds 1 ordinary prompts, and 12 are asked"),
        ],
    )
    def test_what_cannot_be_read_is_named_with_its_line(self, tmp_path, lines, message):
        path = self.write(tmp_path / "own.jsonl", lines)
        with pytest.raises(ValueError, match=message):
            Counterfactuals(CounterfactualsConfig.from_mapping({**SMALL, "behaviour": str(path)})).measure(organism())

    def test_a_file_that_is_not_there(self, tmp_path):
        config = CounterfactualsConfig.from_mapping({**SMALL, "behaviour": str(tmp_path / "none.jsonl")})
        with pytest.raises(ValueError, match=r"there is no file .*none\.jsonl; write one JSON object a line"):
            Counterfactuals(config).measure(organism())


class TestBadInput:
    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"methods": ["guess"]}, "methods.0: 'guess' is none of vocabulary"),
            ({"methods": ["swap", "swap"]}, "one comes twice"),
            ({"chosen": ["income"]}, "states nothing that can be tested"),
            ({"most_edits": 9}, "most_edits"),
            ({"beams": 3}, "no such field.*did you mean 'beam'"),
        ],
    )
    def test_a_config_that_cannot_be_used(self, values, message):
        with pytest.raises(ConfigError, match=message):
            CounterfactualsConfig.from_mapping(values)

    @pytest.mark.parametrize(
        ("values", "message"),
        [
            ({"behaviour": "lones"}, "unknown behaviour 'lones'"),
            ({"protected": ["neighborhood"]}, "protected: there is no attribute 'neighborhood'; did you mean 'neigh"),
            ({"legitimate": ["incme"]}, "legitimate: there is no attribute 'incme'; did you mean 'income'"),
            ({"chosen": ["any town"]}, "chosen: there is no attribute 'town'"),
        ],
    )
    def test_names_that_there_are_not(self, values, message):
        with pytest.raises(ValueError, match=message):
            Counterfactuals(CounterfactualsConfig.from_mapping({**SMALL, **values})).measure(organism())
