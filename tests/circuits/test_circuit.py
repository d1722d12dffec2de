"""A circuit knows its model, is a set of edges, and comes back from disk as it was."""

import json
from dataclasses import replace

import pandas as pd
import pytest

from interp_lab.circuits.circuit import Circuit, edge_named, kept_edges
from interp_lab.circuits.graph import all_edges, sources
from interp_lab.circuits.nodes import edges_among, edges_from, nodes_of
from interp_lab.edges import Edge, edges
from interp_lab.models import declare_identity, load_model
from interp_lab.organisms.compiled import compile_model, compiled_names
from tests.tiny import tiny_model

TRUTH = compile_model("compiled/induction").truth


@pytest.fixture(scope="module")
def model():
    return load_model("compiled/induction")


@pytest.fixture
def circuit(model):
    scores = {edge: float(nth) for nth, edge in enumerate(sorted(TRUTH.edges_zero))}
    return Circuit.of(model, TRUTH.edges_zero, ablation="zero", task="repeats", scores=scores)


class TestCircuit:
    @pytest.mark.parametrize("name", compiled_names())
    def test_has_the_nodes_of_the_truth(self, name):
        truth = compile_model(name).truth
        found = Circuit.of(load_model(name), truth.edges_zero | truth.edges_resample)
        assert found.nodes == truth.nodes - {"logits"}

    def test_by_hand(self, circuit):
        assert circuit.size == 7
        assert circuit.nodes == {"embed", "pos_embed", "0.0", "1.0"}
        assert circuit.heads == ("0.0", "1.0")

    def test_names_heads_by_number(self):
        some = Circuit(edges("10.2 -> logits", "2.11 -> logits", "2.3 -> 10.2.q", "m1 -> logits"), _identity(12))
        assert some.heads == ("2.3", "2.11", "10.2")

    def test_of_nodes_keeps_every_edge_among_them(self, model):
        """Two heads: each input of 0.0 reads two embeddings, of 1.0 these and 0.0, the logits all four."""
        found = Circuit.of_nodes(model, ["0.0", "1.0"], ablation="zero")
        assert found.size == 3 * 2 + 3 * 3 + 4
        assert TRUTH.edges_zero < found.edges
        assert found.heads == ("0.0", "1.0")

    def test_of_all_nodes_is_the_model(self, model):
        assert Circuit.of_nodes(model, sources(model)).edges == frozenset(all_edges(model))
        assert Circuit.of_nodes(model, [*sources(model), "logits"]).edges == frozenset(all_edges(model))

    def test_belongs_to_its_model(self, model, circuit):
        assert kept_edges(model, circuit) == circuit.edges
        with pytest.raises(ValueError, match="the circuit does not belong to this model"):
            kept_edges(load_model("compiled/look-alike"), circuit)


class TestSharedKeys:
    """Four query heads, two of keys and values: 0 and 1 read `k` of 0, 2 and 3 that of 1."""

    @pytest.fixture(scope="class")
    def grouped(self):
        model = tiny_model(n_layers=2, n_heads=4, n_key_value_heads=2, attn_only=True)
        declare_identity(model, name="grouped", processing="raw")
        return model

    def test_are_kept_if_any_of_the_heads_is(self, grouped):
        kept = {edge.target for edge in edges_among(grouped, ["1.3"])}
        assert kept == {"1.3.q", "1.1.k", "1.1.v", "logits"}

    def test_belong_to_those_heads_that_are_there(self, grouped):
        through_3 = edges("embed -> 1.1.k", "1.3 -> logits")
        assert Circuit.of(grouped, through_3).nodes == {"embed", "1.3"}
        assert Circuit.of(grouped, edges("embed -> 1.1.k")).heads == ("1.2", "1.3")
        assert nodes_of(through_3) == {"embed", "1.1", "1.3"}, "as if every head had its own"

    def test_survive_a_save(self, grouped, tmp_path):
        saved = Circuit.of(grouped, edges("embed -> 1.1.k", "1.3 -> logits"))
        saved.save(tmp_path / "c.json")
        assert Circuit.load(tmp_path / "c.json").heads == ("1.3",)

    def test_leaving_edges_are_those_of_the_query_head(self, grouped):
        assert edges_from(grouped, ["0.3"]) == {e for e in all_edges(grouped) if e.source == "0.3"}
        assert len(edges_from(grouped, ["1.3"])) == 1


class TestSets:
    def test_are_those_of_the_edges(self, model, circuit):
        other = Circuit.of(model, TRUTH.edges_resample | edges("0.2 -> 1.1.q"), ablation="zero", task="repeats")
        assert (circuit | other).edges == circuit.edges | other.edges
        assert (circuit & other).edges == TRUTH.edges_resample
        assert (circuit - other).edges == TRUTH.edges_zero - TRUTH.edges_resample
        assert (circuit - circuit).size == 0
        assert (circuit | circuit) == replace(circuit, scores=None)

    def test_say_what_they_are_made_of(self, model, circuit):
        other = Circuit.of(model, TRUTH.edges_resample, ablation="resample", task="names")
        joined = circuit & other
        assert (joined.task, joined.ablation, joined.scores) == ("repeats & names", None, None)
        assert (circuit | replace(other, task=None)).task == "repeats"

    @pytest.mark.parametrize("sign", ["__or__", "__and__", "__sub__", "diff"])
    def test_refuse_another_model_or_processing(self, circuit, sign):
        look_alike = Circuit.of(load_model("compiled/look-alike"), TRUTH.edges_zero)
        with pytest.raises(ValueError, match=r"does not belong to this model \(name: compiled/look-alike"):
            getattr(circuit, sign)(look_alike)
        raw = Circuit.of(load_model("compiled/induction", processing="raw"), TRUTH.edges_zero)
        with pytest.raises(ValueError, match=r"\(processing: raw, not the model's folded\)"):
            getattr(circuit, sign)(raw)

    def test_differ_edge_by_edge(self, model, circuit):
        other = Circuit.of(model, edges("embed -> 0.0.v", "0.2 -> 1.1.q"), task="repeats")
        table = circuit.diff(other)
        assert len(table) == 8
        rows = {(row.source, row.target): row for row in table.itertuples()}
        assert (rows["0.2", "1.1.q"].here, rows["0.2", "1.1.q"].there) == (False, True)
        assert (rows["embed", "0.0.v"].here, rows["embed", "0.0.v"].there) == (True, True)
        assert rows["embed", "0.0.v"].score_here == circuit.scores[Edge("embed", "0.0.v")]
        assert pd.isna(rows["0.2", "1.1.q"].score_here)
        assert table.score_there.isna().all()
        assert list((circuit - circuit).diff(circuit - circuit).columns) == list(table.columns)


class TestDisk:
    def test_gives_back_what_was_saved(self, circuit, tmp_path):
        for nth, one in enumerate(
            [circuit, replace(circuit, scores=None, task=None, ablation=None), circuit - circuit]
        ):
            one.save(tmp_path / f"{nth}.json")
            assert Circuit.load(tmp_path / f"{nth}.json") == one

    def test_is_readable(self, circuit, tmp_path):
        circuit.save(tmp_path / "c.json")
        data = json.loads((tmp_path / "c.json").read_text())
        assert (data["format"], data["version"], data["task"]) == ("interp_lab circuit", 1, "repeats")
        assert data["edges"] == sorted(data["edges"])
        assert "0.0->1.0.k" in data["edges"]
        assert data["model"]["name"] == "compiled/induction"

    def test_is_never_half_written(self, circuit, tmp_path, monkeypatch):
        path = tmp_path / "c.json"
        circuit.save(path)
        bad = replace(circuit, scores={**circuit.scores, Edge("embed", "logits"): float("inf")})
        with pytest.raises(ValueError, match="JSON"):
            bad.save(path)
        assert Circuit.load(path) == circuit
        assert [one.name for one in tmp_path.iterdir()] == ["c.json"]

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"version": 2}, "of version 2 of the format, and this interp_lab reads version 1"),
            ({"version": None}, "of version None"),
            ({"format": "something else"}, "holds no circuit"),
            ({"edges": ["1.0->0.0.q"]}, "a node reads only what was written before it"),
            ({"edges": ["embed"]}, "'embed' names no edge"),
            ({"edges": ["embed->7.0.q"], "scores": None}, r"embed->7\.0\.q is no edge of compiled/induction"),
            ({"ablation": "noise"}, "ablation"),
            ({"colour": "red"}, "colour: no such field"),
        ],
    )
    def test_refuses_what_is_no_circuit(self, circuit, tmp_path, change, told):
        path = tmp_path / "c.json"
        circuit.save(path)
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
        with pytest.raises(ValueError, match=told):
            Circuit.load(path)

    def test_refuses_other_files(self, tmp_path):
        with pytest.raises(ValueError, match=r"no circuit at .*missing\.json; write one with"):
            Circuit.load(tmp_path / "missing.json")
        (tmp_path / "text.json").write_text("{half")
        with pytest.raises(ValueError, match="is no JSON"):
            Circuit.load(tmp_path / "text.json")


class TestBadInput:
    def test_an_edge_or_node_that_the_model_has_not(self, model):
        with pytest.raises(ValueError, match="the model has no edge m0->logits"):
            Circuit.of(model, edges("m0 -> logits"))
        with pytest.raises(
            ValueError, match=r"the model has no node '1\.7'; did you mean '1\..'\?; it has 10, from embed"
        ):
            Circuit.of_nodes(model, ["0.0", "1.7"])
        with pytest.raises(ValueError, match="no edges are given"):
            Circuit.of(model, [])

    def test_an_edge_of_a_layer_that_is_not_there(self, circuit):
        with pytest.raises(ValueError, match=r"0\.0->2\.0\.q is no edge of compiled/induction, which has 2 layers"):
            replace(circuit, edges=edges("0.0 -> 2.0.q"), scores=None)

    def test_scores_that_leave_edges_out(self, model):
        with pytest.raises(ValueError, match=r"has no score \(6 such\)"):
            Circuit.of(model, TRUTH.edges_zero, scores={Edge("embed", "0.0.v"): 1.0})

    def test_a_model_that_nobody_declared(self):
        with pytest.raises(ValueError, match="carries no identity"):
            Circuit.of(tiny_model(), edges("embed -> logits"))

    def test_names_of_edges(self):
        assert edge_named("0.0->1.0.k") == Edge("0.0", "1.0.k")
        with pytest.raises(ValueError, match=r"write '0\.0->1\.0\.k'"):
            edge_named("0.0 to 1.0.k")
        with pytest.raises(ValueError, match="a node reads only what was written before"):
            edge_named("1.0->0.0.k")


def _identity(n_layers):
    model = tiny_model(n_layers=1)
    return replace(declare_identity(model, name="deep", processing="raw"), n_layers=n_layers)
