"""What can be asked of the experiment: maps, own groups, own prompts; and what it refuses to be asked."""

import json

import numpy as np
import pytest

from interp_lab.claims import Grade
from interp_lab.identity import WeightProcessing
from interp_lab.models import declare_identity, load_model
from interp_lab.patching.changes import Patch
from interp_lab.patching.config import PatchingConfig
from interp_lab.tasks import pairs_for
from tests.patching.results import config_of, effects_at, grammar_drawn_once, grammar_model, measure, only, organism


@pytest.fixture(scope="module", autouse=True)
def draw_once():
    with pytest.MonkeyPatch.context() as patch:
        only(patch, grammar_drawn_once)
        yield


class TestSites:
    def test_every_map_is_measured_and_laid_out(self):
        names = ("attn_out", "mlp_out", "resid_mid", "q", "k", "v", "pattern", "z_by_place", "neurons")
        model = grammar_model(n_heads=4, n_key_value_heads=2, d_model=16)
        found = measure(model, task="grammar/facts", sites=names, groups={"both": ("0.0", "0.1")}, n_held_out=None)
        assert tuple(found.maps) == (*names, "groups")
        n_cells = {name: len(labels.rows) * len(labels.columns) for name, labels in found.maps.items()}
        assert n_cells == {
            "attn_out": 2, "mlp_out": 2, "resid_mid": 2, "q": 4, "k": 2, "v": 2, "pattern": 4, "z_by_place": 8,
            "neurons": 16, "groups": 1,
        }  # fmt: skip
        # In a single layer, what attention and MLP make of the country stays where the country is.
        assert len(set(found.names)) == len(found.names) == sum(n_cells.values())
        assert {"k denoise", "groups noise", "neurons disagreement"} <= set(found.figures())
        idle = {name for nth, name in enumerate(found.names) if not np.abs(found.report.changes[:, nth]).max() > 0}
        assert idle == {f"{what} at country" for what in ("0.hook_attn_out", "0.hook_mlp_out", "0.hook_resid_mid",
                                                         "0.0", "0.1", "0.2", "0.3")}  # fmt: skip

    def test_a_group_is_its_members_together(self):
        """In one layer heads add up to what attention writes; a group of all of them is `attn_out` everywhere."""
        found = measure(
            grammar_model(),
            task="grammar/facts",
            n_held_out=None,
            sites=("z",),
            groups={"all": ("0.0", "0.1"), "out": ("0.hook_attn_out",)},
        )
        heads, written = (found.names.index(name) for name in ("all (0.0+0.1)", "out (0.hook_attn_out)"))
        assert np.allclose(found.report.changes[:, heads], found.report.changes[:, written], atol=1e-5)

    def test_attention_only_models_are_patched_on_induction(self):
        """The pairs differ in what is copied and not in where to look: the induction heads matter, 0.0 does not."""
        found = measure(load_model("organism-attn"), task="induction", sites=("z",), n_pairs=32, n_held_out=8)
        assert found.names[found.chosen[0]] == "1.0"
        assert effects_at(found, "1.0", Patch.NOISE) > 0.8
        assert abs(effects_at(found, "0.0", Patch.NOISE)) < 0.02
        told = {claim.grade for claim in found.claims() if " at 0.0 " in claim.statement}
        assert told <= {Grade.DESCRIPTIVE}
        # The task has two reserved templates: too few to replicate anything on, and the summary says so.
        assert found.summary().endswith(
            "claims hold; not testable on held-out templates: 2 templates cannot reject at 5%: hold out at least 4"
        )
        assert max(claim.grade for claim in found.claims()) is Grade.CAUSAL

    def test_attention_only_models_have_no_maps_of_mlps(self):
        with pytest.raises(ValueError, match=r"the model has no MLPs, .* leave 'mlp_out' out of sites"):
            measure(load_model("organism-attn"), task="induction", sites=("mlp_out",))


class TestPositions:
    @pytest.fixture(scope="class")
    def one_template(self, tmp_path_factory):
        path = tmp_path_factory.mktemp("own") / "pairs.jsonl"
        drawn = pairs_for(organism(), "grammar/facts", 192, seed=0, reserved=False)
        wanted = [nth for nth in range(192) if drawn.templates[nth] == drawn.templates[0]][:16]
        path.write_text("\n".join(json.dumps(as_line(drawn, nth)) for nth in wanted))
        return path

    def test_on_prompts_of_one_template_tokens_stand_on_the_axis(self, one_template):
        found = measure(
            organism(), task=str(one_template), sites=("resid_pre",), places="position", n_pairs=16, n_held_out=None
        )
        columns = found.maps["resid_pre"].columns
        changed = next(nth for nth, label in enumerate(columns) if "/" in label)
        shares = found.maps["resid_pre"].laid_out(found.intervals[Patch.DENOISE].estimate)
        assert np.allclose(shares[0], [float(nth == changed) for nth in range(len(columns))], atol=1e-5)
        assert list(found.figures()["resid_pre denoise"].layout.xaxis.ticktext) == list(columns)
        assert found.total.n_clusters == 8
        assert "All prompts are of one template" in found.sections()[0].does_not_show
        assert max(claim.grade for claim in found.claims()) is Grade.CAUSAL

    def test_several_templates_are_refused_with_the_remedy(self):
        with pytest.raises(ValueError, match=r"places='position' needs prompts of one template.*use places='role'"):
            measure(grammar_model(), task="grammar/facts", sites=("resid_pre",), places="position")

    def test_a_file_without_held_out_templates(self, one_template):
        with pytest.raises(ValueError, match=r"holds 0 reserved pairs, and n=8 .* or set n_held_out to null"):
            measure(organism(), task=str(one_template), sites=("z",))

    def test_a_file_with_too_few_pairs(self, one_template):
        with pytest.raises(ValueError, match="holds 16 ordinary pairs, and n=20 are asked for"):
            measure(organism(), task=str(one_template), sites=("z",), n_pairs=20, n_held_out=None)


def as_line(pairs, nth):
    return {
        "clean": pairs.clean_texts[nth],
        "corrupted": pairs.corrupted_texts[nth],
        "answer": " " + pairs.spelling[pairs.answers[nth][0][0]].strip(),
        "wrong": " " + pairs.spelling[pairs.wrong[nth][0][0]].strip(),
        "template": pairs.templates[nth],
    }


class TestBadInput:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"sites": ("z", "resid_pre", "z")}, "sites names one map twice: z, resid_pre, z"),
            ({"sites": ("heads",)}, "sites"),
            ({"sites": ()}, "sites"),
            ({"groups": {"none": ()}}, "group 'none' names no site; give at least one, such as '1.3'"),
            ({"groups": {"odd": ("head three",)}}, "'head three' names no site; write a head as '1.3'"),
            ({"n_pairs": 8}, "n_pairs"),
            ({"metric": "accuracy"}, "metric"),
        ],
        ids=["duplicate maps", "unknown map", "no map", "empty group", "no site", "too few pairs", "unknown metric"],
    )
    def test_is_refused_by_the_config(self, changes, message):
        with pytest.raises(ValueError, match=message):
            config_of(**changes)

    def test_an_unknown_task(self):
        with pytest.raises(ValueError, match=r"unknown task 'indirect_objects'; did you mean 'indirect_object'"):
            measure(grammar_model(), task="indirect_objects")

    def test_too_few_pairs_for_a_control(self, tmp_path):
        """One pair of each template: whom should it be compared with?"""
        lines = [
            {"clean": f"{' '.join(['the'] * nth)} the capital of Germany is", "answer": " Berlin",
             "corrupted": f"{' '.join(['the'] * nth)} the capital of France is", "wrong": " Paris",
             "template": f"t{nth // 2}"}
            for nth in range(16)
        ]  # fmt: skip
        path = tmp_path / "pairs.jsonl"
        path.write_text("\n".join(json.dumps(line) for line in lines))
        with pytest.raises(ValueError, match=r"n_pairs=16 leaves a control without its pair.*draw more examples per"):
            measure(grammar_model(), task=str(path), n_held_out=None)

    def test_answers_of_several_tokens(self, tmp_path):
        drawn = pairs_for(grammar_model(), "grammar/facts", 16, seed=0, reserved=False)
        lines = [{**as_line(drawn, nth), "answer": " Berlin and Paris"} for nth in range(16)]
        path = tmp_path / "pairs.jsonl"
        path.write_text("\n".join(map(json.dumps, lines)))
        for metric in ("logit_difference", "log_probability"):
            with pytest.raises(ValueError, match=f"several tokens, and {metric} reads one; .*teacher_forced"):
                measure(grammar_model(), task=str(path), n_held_out=None, metric=metric)

    def test_a_group_that_the_model_has_not(self):
        with pytest.raises(ValueError, match=r"head 7 is out of range .* use 0 to 1"):
            measure(grammar_model(), task="grammar/facts", groups={"mine": ("0.7",)})

    def test_a_model_that_nobody_named(self):
        model = grammar_model()
        declare_identity(model, name="x", processing=WeightProcessing.named("raw"))
        assert PatchingConfig().model == "organism"
        found = measure(model, task="grammar/facts", sites=("z",), n_held_out=None)
        assert found.provenance.model.name == "x"
