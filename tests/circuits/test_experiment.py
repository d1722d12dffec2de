"""The experiment on models whose edges are known: what is found, on which prompts, and what may be claimed of it."""

from dataclasses import replace

import numpy as np
import pytest

from interp_lab.circuits import Circuit, experiment, splits
from interp_lab.circuits.claimed import NEEDED, SUFFICES
from interp_lab.circuits.edge_patches import edge_effects
from interp_lab.circuits.graph import all_edges
from interp_lab.circuits.masked import circuit_values
from interp_lab.circuits.nodes import edges_from
from interp_lab.circuits.references import circuit_of, roles_of
from interp_lab.claims import Grade, Split
from interp_lab.cli.result_tables import show_circuit
from interp_lab.cli.show import console
from interp_lab.config import ConfigError, RunRef
from interp_lab.edges import edges
from interp_lab.effects.parts import parts_of
from interp_lab.identity import ModelIdentity, WeightProcessing
from interp_lab.models import identity_of
from interp_lab.organisms.compiled import compile_model
from interp_lab.registry import load_result
from interp_lab.runs.keep import keep
from tests.circuits.results import config_of, measure, model_of

INDUCTION, LINEAR, BACKUP = "compiled/induction", "compiled/linear", "compiled/backup"


@pytest.fixture(scope="module")
def found():
    return measure(INDUCTION, ablation="zero")


def same_bits(one, other):
    first, second = one.arrays(), other.arrays()
    return first.keys() == second.keys() and all(
        np.array_equal(first[name], second[name], equal_nan=first[name].dtype.kind == "f") for name in first
    )


class TestKnownCircuits:
    @pytest.mark.parametrize(
        ("name", "ablation"),
        [(INDUCTION, "zero"), ("compiled/look-alike", "zero"), ("compiled/copying", "zero"),
         ("compiled/duplicate-token", "zero"), ("compiled/duplicate-token", "resample")],
    )  # fmt: skip
    def test_exactly_the_true_edges_are_found(self, name, ablation):
        truth = compile_model(name).truth
        result = measure(name, ablation=ablation, n_greedy=0, n_held_out=None)
        assert frozenset(result.plan.edges) == (truth.edges_zero if ablation == "zero" else truth.edges_resample)
        assert result.faithfulness.shares["ratio of means"].estimate == pytest.approx(1, abs=1e-3)
        assert result.complement.shares["ratio of means"].estimate == pytest.approx(0, abs=1e-3)

    @pytest.mark.parametrize("method", ["EAP-IG inputs", "ACDC"])
    def test_other_methods_keep_as_much(self, method):
        """The duplicate-token model: three true edges."""
        result = measure("compiled/duplicate-token", method=method, steps=64, keeps=0.9, n_greedy=0, n_held_out=None)
        assert frozenset(result.plan.edges) >= compile_model("compiled/duplicate-token").truth.edges_resample
        assert result.faithfulness.shares["ratio of means"].low > 0.9
        assert bool(len(result.residual)) == (method == "EAP-IG inputs")

    def test_two_edges_suffice_where_clean_and_corrupted_prompts_are_attended_alike_and_the_table_says_so(self):
        """Resampled keys and queries point to the same place, so that only values matter: f is 1, and 0.1 under zero
        ablation. No one figure is the circuit's."""
        result = measure(INDUCTION)
        assert frozenset(result.plan.edges) == edges("embed -> 1.0.v", "1.0 -> logits")
        assert result.faithfulness.shares["ratio of means"].estimate == pytest.approx(1, abs=1e-3)
        assert result.metrics()["faithfulness_least"] < 0.01
        assert "over ablations, edges or nodes, and orders of averaging: 0.00 to 1.00" in result.summary()

    def test_a_backup_is_found_by_greedy_removal_alone(self):
        """The first head's circuit is wholly faithful; without that head the model does as before, and it nothing."""
        given = edges("pos_embed -> 0.0.q 0.0.k", "embed -> 0.0.v 1.0.q 1.0.v", "0.0 -> 1.0.k", "1.0 -> logits")
        circuit = Circuit.of(model_of(BACKUP), given)
        result = measure(BACKUP, circuit=circuit, method="given", ablation="zero", n_greedy=1)
        assert result.faithfulness.shares["ratio of means"].estimate == pytest.approx(1, abs=1e-3)
        assert result.plan.greedy == ("1.0",)
        assert result.greedy_gaps.at(0).estimate == pytest.approx(10, abs=1e-2)
        assert "Without 1.0, chosen on other prompts" in result.sections()[2].suggests
        assert "curve" not in result.figures()
        assert [one.title for one in result.sections()][-1].startswith("Completeness")


class TestSplits:
    def test_the_circuit_does_not_see_what_is_reported(self, found, monkeypatch):
        """Prompts of the report split and of held-out templates turned over: the same circuit, and other figures."""
        original = experiment.parts_of

        def spoilt(model, config, metric=None):
            drawn = original(model, config, metric)
            parts = {
                split: part if split is Split.SELECT else replace(part, metric=part.pairs.probability_difference())
                for split, part in drawn.by_split.items()
            }
            return replace(drawn, by_split=parts)

        monkeypatch.setattr(experiment, "parts_of", spoilt)
        again = measure(INDUCTION, ablation="zero")
        assert again.plan == found.plan
        assert again.tried == found.tried
        assert again.report.circuit.mean() < 1.1 < found.report.circuit.mean()

    def test_selection_prompts_are_reported_nowhere(self, found, monkeypatch):
        seen = {}
        original = splits.measured

        def watched(bench, part, plan, **options):
            seen[id(part)] = part
            return original(bench, part, plan, **options)

        monkeypatch.setattr(experiment, "measured", watched)
        measure(INDUCTION, ablation="zero")
        drawn = parts_of(model_of(INDUCTION), found.config).by_split
        select = set(drawn[Split.SELECT].pairs.clean_texts)
        assert len(seen) == 2
        assert all(not select & set(part.pairs.clean_texts) for part in seen.values())

    def test_without_held_out_templates(self):
        result = measure(INDUCTION, ablation="zero", n_held_out=None, n_greedy=0)
        assert result.held_out is None
        assert {claim.grade for claim in result.claims()} == {Grade.CAUSAL}
        assert "not testable on held-out templates: there are none" in result.summary()


class TestNumbers:
    """Each is measured anew, by itself."""

    @pytest.fixture(scope="class")
    def part(self, found):
        return parts_of(model_of(INDUCTION), found.config).by_split[Split.REPORT]

    def values(self, part, *circuits):
        return circuit_values(model_of(INDUCTION), part.pairs.clean, list(circuits), part.metric, ablation="zero")

    def test_ends(self, found, part):
        every, kept = frozenset(found.all_edges), frozenset(found.plan.edges)
        expected = self.values(part, kept, every - kept, frozenset(), every)
        held = found.report
        np.testing.assert_allclose([held.circuit, held.complement, held.empty, held.clean], expected, atol=1e-4)

    def test_nodes_and_greedy(self, found, part):
        every, kept = frozenset(found.all_edges), frozenset(found.plan.edges)
        assert found.plan.nodes == ("0.0", "1.0")
        gone = [edges_from(model_of(INDUCTION), [node]) for node in found.plan.nodes]
        expected = self.values(part, *(kept - one for one in gone), *(every - one for one in gone))
        np.testing.assert_allclose(found.report.without_node.reshape(4, -1), expected, atol=1e-4)
        both = edges_from(model_of(INDUCTION), found.plan.greedy)
        np.testing.assert_allclose(found.report.greedy[:, -1], self.values(part, kept - both, every - both), atol=1e-4)

    def test_edges_one_by_one_are_exact_and_of_the_report_split(self, found, part):
        own = edge_effects(model_of(INDUCTION), part.pairs.clean, found.plan.edges, part.metric, ablation="zero")
        np.testing.assert_allclose(found.report.edges, own.changes, atol=1e-4)
        table = found.tables()["edges"].set_index(["source", "target"])
        names = [(edge.source, edge.target) for edge in found.plan.edges]
        means = dict(zip(names, own.changes.mean(1), strict=True))
        assert table["effect"].to_dict() == pytest.approx(means, abs=1e-4)

    def test_the_curve_ends_at_the_model_and_starts_with_the_largest(self, found):
        curve = found.curve()
        assert curve.n_edges[-1] == len(found.all_edges) == 106
        np.testing.assert_allclose(curve.values[-1], found.report.clean, atol=1e-4)
        random = found.curve(of_random=True)
        assert curve.cpr().estimate > random.cpr().estimate

    def test_worth_of_nodes_is_a_loss_whichever_way_the_metric_goes(self, found):
        """Both heads are worth the whole logit difference, in circuit and model; of a cost, its rise."""
        in_circuit, in_model = found.node_worth
        assert in_circuit.estimate == pytest.approx(found.report.circuit.mean() - found.report.without_node[0].mean(-1))
        assert (in_model.estimate > 0.5).all()
        costly = measure(INDUCTION, ablation="zero", by="loss", n_greedy=0, n_held_out=None)
        assert costly.is_cost
        assert (costly.node_worth[0].estimate > 0.5).all()
        lost = costly.tables()["nodes"]["lost_in_circuit"].tolist()
        assert lost == sorted(lost, reverse=True)


class TestClaims:
    def test_hold_and_are_replicated(self, found):
        assert {claim.grade for claim in found.claims()} == {Grade.REPLICATED}
        assert set(found.tested) == {SUFFICES, NEEDED}
        first, second = found.claims()
        own = "keep compiled/induction up on their own (zero ablation of all others)"
        assert first.statement == f"7 edges of compiled/induction {own}"
        needs = "compiled/induction needs 7 edges for compiled/induction (zero ablation of them)"
        assert second.statement == needs
        assert all("100% of the behaviour" in claim.observed for claim in (first, second))
        kept = found.report.circuit - found.report.empty
        assert first.effect.effect.estimate == pytest.approx(kept.mean())
        control = (found.report.random - found.report.empty).mean()
        assert first.effect.versus_control.estimate == pytest.approx(kept.mean() - control, abs=1e-5)

    def test_follow_the_numbers(self, found):
        """A circuit that keeps nothing, and without which nothing is lost."""
        idle = replace(found.report, circuit=found.report.empty.copy(), complement=found.report.clean.copy())
        fallen = replace(found, report=idle)
        assert {claim.grade for claim in fallen.claims()} == {Grade.DESCRIPTIVE}
        assert fallen.metrics()["n_causal_claims"] == 0

    def test_random_circuits_that_do_as_well_leave_nothing(self, found):
        alike = np.broadcast_to(found.report.circuit, found.report.random.shape).copy()
        ordinary = replace(found, report=replace(found.report, random=alike))
        assert ordinary.grade(SUFFICES) is Grade.DESCRIPTIVE
        assert ordinary.grade(NEEDED) is Grade.REPLICATED

    def test_what_is_kept_on_held_out_templates_alone_replicates(self, found):
        held = replace(found.held_out, circuit=found.held_out.empty.copy())
        assert replace(found, held_out=held).grade(SUFFICES) is Grade.CAUSAL

    def test_the_whole_model_is_no_circuit(self):
        every = Circuit.of(model_of("compiled/duplicate-token"), all_edges(model_of("compiled/duplicate-token")))
        whole = measure("compiled/duplicate-token", method="given", circuit=every, ablation="zero", n_greedy=0)
        assert len(whole.report.random) == 0
        assert {"edges", "merit", "nodes", "sensitivity"} <= set(whole.tables())
        assert "random" not in whole.figures()
        assert whole.not_asked == "the circuit is the whole model of 106 edges, which leaves nothing out"
        assert whole.claims() == []

    def test_without_a_behaviour_nothing_is_claimed(self, found):
        """The corrupted prompts come out as well as the clean ones."""
        flat = replace(found, report=replace(found.report, corrupted=found.report.clean.copy()))
        assert flat.claims() == []
        assert "not asked: the corruption costs 0.0" in flat.summary()
        assert "Nothing is claimed" in flat.sections()[1].suggests

    def test_a_share_above_one_is_told(self, found):
        more = replace(found.report, circuit=found.report.clean * 1.5)
        told = replace(found, report=more)
        assert "above 1" in told.summary()
        assert "clearly above 1" in told.sections()[1].suggests


class TestKept:
    def test_comes_back_from_a_run_folder(self, found, tmp_path):
        keep(found, None, tmp_path / "run")
        again = load_result(tmp_path / "run")
        assert same_bits(again, found)
        assert again.plan == found.plan
        assert again.summary() == found.summary()
        assert again.circuit == found.circuit

    def test_same_seed_same_bits_and_another_seed_others(self, found):
        assert same_bits(measure(INDUCTION, ablation="zero"), found)
        assert not same_bits(measure(INDUCTION, ablation="zero", seed=1), found)

    def test_progress_goes_up_to_the_end(self):
        told = []
        measure(INDUCTION, n_held_out=None, progress=lambda done, total, what: told.append(done / total))
        assert told == sorted(told)
        assert told[-1] == 1.0

    def test_every_section_has_something_to_show(self, found):
        for section in found.sections():
            assert section.causal
            assert section.suggests
            assert section.does_not_show
            assert section.figures or section.tables


class TestReferences:
    @pytest.fixture(scope="class")
    def run(self, found, tmp_path_factory):
        folder = tmp_path_factory.mktemp("runs") / "circuit"
        keep(found, None, folder)
        return folder

    def test_a_circuit_of_another_run_is_measured_again(self, found, run):
        ref = {"run": str(run), "artefact": "circuit"}
        again = measure(INDUCTION, ablation="zero", method="given", given=ref, seed=5, n_greedy=0, n_held_out=None)
        assert again.plan.edges == found.plan.edges
        assert again.tables()["edges"]["score"].isna().all()

    def test_circuits_of_other_tasks_are_read_beside(self, found, run):
        ref = {"run": str(run), "artefact": "circuit"}
        other = {"other task": circuit_of(RunRef.from_mapping(ref), found.provenance.model)}
        result = measure(INDUCTION, ablation="zero", n_greedy=0, n_held_out=None, beside=other)
        np.testing.assert_allclose(result.report.beside[0], result.report.circuit, atol=1e-5)
        shared = result.tables()["shared_parts"]
        assert shared["circuits"].tolist() == [2, 2]
        assert result.sections()[-1].title.startswith("Reuse")
        assert "The circuit of other task keeps f = 1" in result.sections()[-1].suggests

    def test_what_heads_look_like(self, found, tmp_path):
        from interp_lab.attention import AttentionHeads, AttentionHeadsConfig

        config = AttentionHeadsConfig(model=INDUCTION, period=6, n_sequences=32)
        keep(AttentionHeads(config).measure(model_of(INDUCTION)), None, tmp_path / "heads")
        looks = roles_of(RunRef(run=tmp_path / "heads", artefact="heads"), found.provenance.model)
        assert looks["0.0"] == "previous token"
        assert looks["1.0"] == "induction"
        named = measure(INDUCTION, ablation="zero", roles=looks, n_greedy=0, n_held_out=None)
        assert named.tables()["nodes"].set_index("node")["looks_like"].to_dict() == {
            "0.0": "previous token",
            "1.0": "induction",
        }

    def test_are_refused_where_they_are_of_something_else(self, run, found, tmp_path):
        own = found.provenance.model
        with pytest.raises(ValueError, match=r"artefact 'heads' of .* is no circuit; it is called 'circuit'"):
            circuit_of(RunRef(run=run, artefact="heads"), own)
        with pytest.raises(ValueError, match=r"is a run of 'circuits'; a run of 'attention_heads' is needed"):
            roles_of(RunRef(run=run, artefact="heads"), own)
        assert own.processing != WeightProcessing.named("raw")
        raw = ModelIdentity(own.name, WeightProcessing.named("raw"), own.n_layers, own.d_model, own.d_vocab)
        with pytest.raises(ValueError, match="the run in "):
            circuit_of(RunRef(run=run, artefact="circuit"), raw)
        with pytest.raises(ValueError, match="no run folder"):
            circuit_of(RunRef(run=tmp_path / "nowhere", artefact="circuit"), own)


class TestSmallCircuits:
    def test_of_one_edge_is_kept_and_shown_although_it_has_no_parts(self, tmp_path):
        found = measure(INDUCTION, method="given", circuit=Circuit.of(model_of(INDUCTION), edges("embed -> logits")))
        keep(found, None, tmp_path / "run")
        again = load_result(tmp_path / "run")
        assert again.plan.nodes == ()
        assert "nodes" not in again.tables()
        assert [claim.grade for claim in again.claims()] == [Grade.DESCRIPTIVE] * 2
        assert "; 0% of the behaviour" in again.claims()[0].observed
        assert all(
            section.figures or section.tables for section in again.sections() if "Completeness" not in section.title
        )

    def test_the_claim_of_need_is_told_beside_what_the_others_keep(self, found):
        first, second = found.claims()
        assert "the circuit: f = 1.000" in first.observed
        assert "all other edges: f = 0.000" in second.observed


class TestNothingToKeep:
    def test_where_ablating_everything_helps_nothing_is_claimed(self, found):
        """What is kept would be a share of a loss, with the sign turned."""
        higher = replace(found.report, empty=found.report.clean + 3.0)
        odd = replace(found, report=higher)
        assert odd.claims() == []
        assert "what the model gains over the empty circuit, -3.0" in odd.summary()

    def test_acdc_says_what_was_kept_and_what_was_asked_for(self):
        result = measure("compiled/linear", method="ACDC", thresholds=(0.2,), n_greedy=0, n_held_out=None)
        (tried,) = result.tried
        assert tried.kept == pytest.approx(1.5, abs=1e-3)  # it leaves out what works against the answer
        assert f"they keep {tried.kept:.0%} of the behaviour (99% were asked for)" in result.sections()[0].suggests
        assert result.sections()[-1].title == "How the circuit was chosen"

    def test_acdc_with_thresholds_that_leave_nothing(self):
        with pytest.raises(ValueError, match=r"ACDC leaves no edge at any of thresholds=\[5.0\] .*give smaller ones"):
            measure(LINEAR, method="ACDC", thresholds=(5.0,))


class TestGivenCircuits:
    def test_are_measured_or_refused_and_never_ignored(self):
        one = Circuit.of(model_of(INDUCTION), edges("1.0 -> logits"))
        with pytest.raises(ValueError, match="method 'exact' looks for one; set method to 'given'"):
            measure(INDUCTION, circuit=one)
        with pytest.raises(ValueError, match="the config names another"):
            measure(INDUCTION, method="given", nodes=("1.0",), circuit=one)
        with pytest.raises(ValueError, match=r"name it by nodes, edges, given, or measure\(circuit=...\)"):
            measure(INDUCTION, method="given")

    def test_two_of_one_name_beside_each_other(self, found, tmp_path):
        keep(found, None, tmp_path / "a" / "run")
        keep(found, None, tmp_path / "b" / "run")
        refs = [{"run": str(tmp_path / one / "run"), "artefact": "circuit"} for one in "ab"]
        with pytest.raises(ValueError, match=r"two circuits are called 'compiled/induction \(run\)'"):
            measure(INDUCTION, beside_refs=refs)
        again = measure(INDUCTION, ablation="zero", n_greedy=0, n_held_out=None, beside_refs=refs[:1])
        assert list(again.tables()["overlaps"][["circuit", "other"]].iloc[0]) == [
            "this circuit", "compiled/induction (run)",
        ]  # fmt: skip

    def test_a_run_that_is_not_there_is_named_by_the_key_that_asks_for_it(self, tmp_path):
        with pytest.raises(ValueError, match=r"given names a run that cannot be used: .*make one with `interp-lab run"):
            measure(INDUCTION, method="given", given={"run": str(tmp_path / "no"), "artefact": "circuit"})


class TestKnownTruth:
    def test_the_ranking_is_held_against_the_true_edges(self, found):
        assert found.known.estimate == 1.0
        assert found.metrics()["auroc"] == 1.0
        assert "AUROC of 1.000" in found.sections()[0].suggests

    def test_of_trained_models_nothing_is_known(self, found):
        other = replace(found, provenance=replace(found.provenance, model=replace(found.provenance.model, name="x")))
        assert other.known is None


class TestBadInput:
    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"method": "given", "nodes": ("1.0",), "n_edges": 3}, "n_edges=3 cuts a ranking, and method 'given'"),
            ({"n_random": 20}, "n_random"),
            ({"nodes": ("1.0",)}, "method 'exact' looks for one"),
            ({"method": "exakt"}, "method"),
            ({"keeps": 0}, "keeps"),
            ({"thresholds": ()}, "thresholds"),
        ],
    )
    def test_configs(self, changes, message):
        with pytest.raises(ConfigError, match=message):
            config_of(**changes)

    def test_more_edges_than_there_are(self):
        with pytest.raises(ValueError, match="n_edges=107, and the model has 106 edges"):
            measure(INDUCTION, n_edges=107)

    def test_a_node_that_the_model_has_not(self):
        with pytest.raises(ValueError, match=r"no node '1.9'"):
            measure(INDUCTION, method="given", nodes=("1.9",))

    def test_a_circuit_of_another_model(self):
        other = Circuit.of(model_of(BACKUP), edges("1.0 -> logits"))
        with pytest.raises(ValueError, match="the circuit"):
            measure(INDUCTION, method="given", circuit=other)
        assert identity_of(model_of(BACKUP)).name == BACKUP


class TestPrinted:
    def test_the_largest_edges_with_both_splits(self, found):
        with console.capture() as told:
            show_circuit(found)
        lines = told.get().splitlines()
        assert "a circuit of 7 edges" in lines[0]
        (row,) = [line for line in lines if line.startswith("1.0 -> logits")]
        effect = found.interval(found.report.edges).estimate[found.plan.edges.index(*edges("1.0 -> logits"))]
        assert f"{effect:.2f} (" in row
        assert "the 7 largest of 7" in told.get()
