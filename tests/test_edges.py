import pytest

from interp_lab.edges import Edge, edges


class TestEdge:
    def test_is_written_with_an_arrow(self):
        assert edges("0.1 -> 1.0.q m1 logits") == {Edge("0.1", "1.0.q"), Edge("0.1", "m1"), Edge("0.1", "logits")}
        assert str(Edge("m0", "1.0.q")) == "m0->1.0.q"
        assert (Edge("0.1", "1.0.q").target_node, Edge("0.1", "m1").target_node) == ("1.0", "m1")

    @pytest.mark.parametrize(
        ("source", "target"), [("0.1", "m0"), ("m0", "1.0.k"), ("m0", "m1"), ("embed", "0.0.v"), ("m3", "logits")]
    )
    def test_runs_forward(self, source, target):
        assert str(Edge(source, target)) == f"{source}->{target}"

    @pytest.mark.parametrize(
        ("source", "target"), [("m0", "0.0.q"), ("m0", "m0"), ("1.0", "0.0.v"), ("0.0", "0.1.k"), ("1.0", "m0")]
    )
    def test_does_not_run_backwards(self, source, target):
        with pytest.raises(ValueError, match=f"no edge {source}->{target}: a node reads only what was written before"):
            Edge(source, target)

    @pytest.mark.parametrize(
        ("source", "target"), [("logits", "0.0.q"), ("0.0", "1.0"), ("mlp0", "logits"), ("0", "m1")]
    )
    def test_has_known_ends(self, source, target):
        with pytest.raises(ValueError, match="sources are 'embed', 'pos_embed', heads such as"):
            Edge(source, target)
