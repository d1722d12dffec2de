"""Which prompts are ablated, with values from where, and what sets are made of."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.attention.relations import acts
from interp_lab.attention.relations.acts import head_ablations, relation_effects
from interp_lab.attention.relations.places import Relation, relations_named
from interp_lab.attention.relations.prompts import RelationPrompts, relation_prompts
from interp_lab.claims import Split
from interp_lab.hooks import edited
from interp_lab.interventions import Ablation
from tests.attention.relations.toy import Head, model_of

CAPITAL, STEREOTYPE = relations_named(["country-capital", "pronoun-profession"])
KINDS = (Ablation.ZERO, Ablation.MEAN_BY_TEMPLATE, Ablation.RESAMPLE)


@pytest.fixture(scope="module")
def model():
    return model_of([Head(looks=True, says=4.0), Head(looks=True), Head(says=48.0), Head(), Head(), Head()])


@pytest.fixture(scope="module")
def prompts(model) -> RelationPrompts:
    return relation_prompts(model, CAPITAL, n=64, n_held_out=32, seed=0)


class TestPrompts:
    def test_no_prompt_is_in_two_parts(self, prompts):
        texts = [text for pairs in prompts.parts.values() for text in pairs.clean_texts]
        assert len(set(texts)) == len(texts)

    def test_held_out_templates_are_reserved_and_seen_by_no_other_part(self, prompts):
        named = {split: set(pairs.templates) for split, pairs in prompts.parts.items()}
        assert named[Split.SELECT] == named[Split.REPORT]
        assert not named[Split.SELECT] & named[Split.HELD_OUT]
        assert all(prompts.parts[Split.HELD_OUT].reserved)

    @pytest.mark.parametrize("split", [Split.REPORT, Split.HELD_OUT])
    def test_values_come_from_prompts_of_the_same_templates_that_are_not_measured(self, prompts, split):
        reference, asked = prompts.to_ablate(split, seed=0)
        assert not set(reference.clean_texts) & set(asked.clean_texts)
        assert set(reference.templates) == set(asked.templates)
        assert set(asked.clean_texts) <= set(prompts.parts[split].clean_texts)

    def test_no_effect_is_measured_where_heads_are_chosen(self, prompts):
        with pytest.raises(ValueError, match="no effect is measured there"):
            prompts.to_ablate(Split.SELECT, seed=0)

    @pytest.mark.parametrize(
        ("relation", "settings", "message"),
        [(CAPITAL, {"n": 8, "n_held_out": None}, "8 prompts are too few for 'country-capital'.*has 1 example"),
         (CAPITAL, {"n": 64, "n_held_out": 4}, "n_held_out=4 leaves one prompt of"),
         (Relation("r", "country_facts", key="country"), {"n": 48, "n_held_out": 8}, "tokenizer|unk"),
         (Relation("r", "grammar/fact", key="country"), {"n": 64, "n_held_out": None}, "did you mean 'facts'")],
        ids=["too few", "too few held out", "a task that does not suit", "no such task"],
    )  # fmt: skip
    def test_refuses(self, model, relation, settings, message):
        with pytest.raises(ValueError, match=message):
            relation_prompts(model, relation, **settings, seed=0)

    def test_templates_that_are_too_few_are_refused(self, model, monkeypatch):
        pairs = relation_prompts(model, CAPITAL, n=64, n_held_out=None, seed=0).parts[Split.SELECT]
        three = sorted(set(pairs.templates))[:3]
        few = pairs.rows([nth for nth, name in enumerate(pairs.templates) if name in three])
        monkeypatch.setattr("interp_lab.attention.relations.prompts.pairs_for", lambda *_, **__: few)
        with pytest.raises(ValueError, match=r"prompts of 3 templates .*at least 4 are needed; name a task"):
            relation_prompts(model, CAPITAL, n=64, n_held_out=None, seed=0)


class TestAblations:
    @pytest.mark.parametrize("kind", KINDS)
    def test_equals_the_model_run_with_the_head_replaced(self, model, prompts, kind):
        reference, asked = prompts.to_ablate(Split.REPORT, seed=0)
        effects = relation_effects(
            model, asked, reference=reference, metric="logit_difference", kinds=(kind,),
            carriers=np.zeros((1, 6), dtype=bool), n_random_sets=5,
        )  # fmt: skip
        cut = head_ablations(model, asked, reference=reference, kind=kind)[0]
        read = asked.logit_difference()
        with torch.no_grad(), edited(model, cut.edits()):
            literal = read(model(asked.clean)).numpy()
        assert np.allclose(effects.baseline + effects.changes[0, 0, 0], literal, atol=1e-4)
        assert np.isnan(effects.sets).all()

    def test_resampled_values_are_those_of_a_reference_prompt_of_the_template(self, model, prompts):
        reference, asked = prompts.to_ablate(Split.REPORT, seed=0)
        _, cache = model.run_with_cache(reference.clean)
        there = cache["z", 0][:, :, 0].detach()
        (payload,) = head_ablations(model, asked, reference=reference, kind=Ablation.RESAMPLE, seed=3)[0].payloads
        for row, name in enumerate(asked.templates):
            own = [nth for nth, of in enumerate(reference.templates) if of == name]
            distance = (there[own] - payload[row]).abs().flatten(1).max(1).values
            assert float(distance.min()) < 1e-5

    def test_what_looks_without_saying_anything_changes_nothing(self, model, prompts):
        reference, asked = prompts.to_ablate(Split.REPORT, seed=0)
        effects = relation_effects(
            model, asked, reference=reference, metric="logit_difference", kinds=KINDS,
            carriers=np.zeros((1, 6), dtype=bool), n_random_sets=5,
        )  # fmt: skip
        assert np.allclose(effects.changes[:, 0, [1, 3, 4, 5]], 0, atol=1e-5)
        assert np.allclose(effects.changes[0, 0, 0], -4, atol=1e-4)

    @pytest.mark.parametrize("kind", KINDS[1:])
    def test_prompts_of_a_template_must_have_one_length(self, model, prompts, kind):
        reference, asked = prompts.to_ablate(Split.REPORT, seed=0)
        shorter = asked.mask.clone()
        shorter[0, asked.answer_position[0]] = False
        with pytest.raises(ValueError, match=r"differ in length; .*ablations: \[zero\]"):
            head_ablations(model, replace(asked, mask=shorter), reference=reference, kind=kind)

    @pytest.mark.parametrize("kind", KINDS[1:])
    def test_a_template_without_reference_is_refused(self, model, prompts, kind):
        reference, asked = prompts.to_ablate(Split.REPORT, seed=0)
        others = [nth for nth, name in enumerate(reference.templates) if name != asked.templates[0]]
        with pytest.raises(ValueError, match="no reference prompt is of template"):
            head_ablations(model, asked, reference=reference.rows(others), kind=kind)


class TestSets:
    def test_changes_of_sets_are_those_of_all_members_at_once(self, model, prompts):
        reference, asked = prompts.to_ablate(Split.REPORT, seed=0)
        carriers = np.array([[True, False, True, False, False, False]])
        effects = relation_effects(
            model, asked, reference=reference, metric="logit_difference", kinds=KINDS, carriers=carriers,
            n_random_sets=5,
        )  # fmt: skip
        assert np.allclose(effects.sets[:, 0], effects.changes[:, carriers].sum(1), atol=1e-4), "one layer: they add up"
        assert np.allclose(effects.sets[:, 1:], 0, atol=1e-5)

    @pytest.mark.parametrize(("n_carriers", "n_sets"), [(1, 0), (2, 6), (4, 1), (5, 1)])
    def test_a_lone_carrier_makes_no_set_and_few_others_no_random_ones(self, model, prompts, n_carriers, n_sets):
        reference, asked = prompts.to_ablate(Split.REPORT, seed=0)
        effects = relation_effects(
            model, asked, reference=reference, metric="logit_difference", kinds=KINDS[:1],
            carriers=np.arange(6)[None] < n_carriers, n_random_sets=5,
        )  # fmt: skip
        assert np.isfinite(effects.sets[0]).all(-1).tolist() == [True] * n_sets + [False] * (6 - n_sets)


class TestSpy:
    def test_values_are_taken_from_nothing_that_is_measured(self, model, monkeypatch):
        """Every call of the sweep and every source of values, as the experiment makes them."""
        from tests.attention.relations.toy import measured

        asked, sources = [], []
        sweep, ablations, patches = acts.sweep, acts.ablations, acts.patches

        def rows(tokens) -> set[tuple[int, ...]]:
            return set(map(tuple, tokens.tolist()))

        def spy_sweep(model, tokens, *rest, **named):
            asked.append(rows(tokens))
            return sweep(model, tokens, *rest, **named)

        def spy_ablations(*rest, **named):
            sources.append(rows(named["reference"]) if named.get("reference") is not None else set())
            return ablations(*rest, **named)

        def spy_patches(model, groups, source, **named):
            sources.append(rows(source))
            return patches(model, groups, source, **named)

        for name, spy in (("sweep", spy_sweep), ("ablations", spy_ablations), ("patches", spy_patches)):
            monkeypatch.setattr(acts, name, spy)
        measured(model)
        assert len(asked) == len(sources) == 6, "three kinds, report half and held-out templates"
        for tokens, source in zip(asked, sources, strict=True):
            assert tokens
            assert not tokens & source
