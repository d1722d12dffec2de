import importlib.util

import numpy as np
import pytest

from interp_lab.plots import AttentionView, attention_heatmap
from interp_lab.plots.attention import MOST_NAMED, circuitsvis_bundle
from interp_lab.plots.text import literal, token_label, visible

TOKENS = ("<bos>", " the", " the")
PATTERN = np.array([[1.0, 0.0, 0.0], [0.25, 0.75, 0.0], [0.1, 0.2, 0.7]])


class TestHeatmap:
    def test_queries_go_down_keys_across_and_the_future_stays_empty(self):
        figure = attention_heatmap(PATTERN, TOKENS, title="1.0")
        assert list(figure.data[0].z) == [[1.0, None, None], [0.25, 0.75, None], [0.1, 0.2, 0.7]]
        assert figure.layout.yaxis.autorange == "reversed"
        assert (figure.data[0].zmin, figure.data[0].zmax) == (0.0, 1.0)

    def test_a_word_that_comes_twice_is_two_rows_that_tell_which_they_are(self):
        figure = attention_heatmap(PATTERN, TOKENS, title="1.0")
        assert list(figure.data[0].y) == [0, 1, 2]
        assert figure.layout.yaxis.ticktext == figure.layout.xaxis.ticktext == ("&lt;bos&gt;", "·the", "·the")
        assert list(figure.data[0].customdata[2, 1]) == ["2 ·the", "1 ·the"]

    def test_a_pattern_that_looks_ahead_is_shown_whole(self):
        ahead = PATTERN[::-1, ::-1]
        assert attention_heatmap(ahead, TOKENS, title="1.0").data[0].z[0] == [0.7, 0.2, 0.1]

    def test_masked_queries_and_short_floats_are_patterns_too(self):
        masked = PATTERN.astype(np.float16)
        masked[1] = 0
        assert attention_heatmap(masked, TOKENS, title="1.0").data[0].z[1] == [0.0, 0.0, None]

    def test_many_tokens_are_named_by_the_pointer_only(self):
        n = MOST_NAMED + 1
        figure = attention_heatmap(np.eye(n), ["a"] * n, title="1.0")
        assert figure.layout.xaxis.ticktext is None
        assert figure.data[0].customdata[n - 1, 0, 0] == f"{n - 1} a"

    @pytest.mark.parametrize(
        ("pattern", "tokens", "message"),
        [
            (PATTERN[:2], TOKENS, r"\(2, 3\) for 3 tokens.*BOS included"),
            (PATTERN, TOKENS[1:], r"\(3, 3\) for 2 tokens"),
            (np.zeros((0, 0)), (), r"for 0 tokens"),
            (PATTERN - 0.5, TOKENS, "no attention pattern.*from -0.5 to 0.5.*not hook_attn_scores"),
            (PATTERN * 2, TOKENS, "no attention pattern"),
            (np.where(PATTERN == 1, np.nan, PATTERN), TOKENS, "no attention pattern"),
        ],
        ids=["not square", "other tokens", "none", "scores", "sums", "nan"],
    )
    def test_refuses_what_is_no_pattern_of_these_tokens(self, pattern, tokens, message):
        with pytest.raises(ValueError, match=message):
            attention_heatmap(pattern, tokens, title="1.0")


class TestView:
    def test_the_menu_shows_each_head(self):
        patterns = np.stack([np.eye(3), PATTERN])
        figure = AttentionView(patterns, TOKENS, ("0.0", "1.0"), "two").figure()
        buttons = figure.layout.updatemenus[0].buttons
        assert [button.label for button in buttons] == ["0.0", "1.0"]
        assert [list(row) for row in buttons[1].args[0]["z"][0]] == [
            [1.0, None, None],
            [0.25, 0.75, None],
            [0.1, 0.2, 0.7],
        ]
        assert figure.data[0].z[2] == [0.0, 0.0, 1.0]

    def test_circuitsvis_is_told_whether_the_future_is_hidden(self):
        causal = AttentionView(PATTERN[None], TOKENS, ("0.0",), "one").properties()
        assert (causal["maskUpperTri"], causal["tokens"]) == (True, ["<bos>", "·the", "·the"])
        assert causal["attention"] == [PATTERN.tolist()]
        assert not AttentionView(PATTERN[None, ::-1, ::-1], TOKENS, ("0.0",), "one").properties()["maskUpperTri"]

    def test_a_notebook_shows_the_heatmap(self, monkeypatch):
        monkeypatch.setattr("plotly.graph_objects.Figure._repr_mimebundle_", lambda figure, *asked: figure.data[0].type)
        assert AttentionView(PATTERN[None], TOKENS, ("0.0",), "one")._repr_mimebundle_() == "heatmap"

    @pytest.mark.parametrize(("names", "message"), [(("a", "b"), "2 names for 1 heads"), ((), "0 names for 1 heads")])
    def test_refuses_heads_without_names(self, names, message):
        with pytest.raises(ValueError, match=message):
            AttentionView(PATTERN[None], TOKENS, names, "one")

    def test_refuses_a_head_that_has_no_pattern_by_name(self):
        with pytest.raises(ValueError, match=r"head 0\.1 is no attention pattern"):
            AttentionView(np.stack([PATTERN, 2 * PATTERN]), TOKENS, ("0.0", "0.1"), "two")


class TestBundle:
    def test_is_read_without_importing_and_cannot_end_its_script(self, tmp_path, monkeypatch):
        (tmp_path / "dist/cdn").mkdir(parents=True)
        (tmp_path / "dist/cdn/iife.js").write_text("var a = '</script>';")
        spec = importlib.util.spec_from_file_location(
            "x", tmp_path / "__init__.py", submodule_search_locations=[str(tmp_path)]
        )
        monkeypatch.setattr("interp_lab.plots.attention.find_spec", lambda name: spec)
        assert circuitsvis_bundle() == "var a = '<\\/script>';"

    def test_is_none_where_the_package_is_not(self, monkeypatch):
        monkeypatch.setattr("interp_lab.plots.attention.find_spec", lambda name: None)
        assert circuitsvis_bundle() is None


class TestText:
    @pytest.mark.parametrize(
        ("token", "label"),
        [(" the", "·the"), ("\n\n", "\\n\\n"), ("  a b", "··a b"), ("\u202eabc", "\\u202eabc"),
         ("x" * 20, "x" * 9 + "…"), ("\x00", "\\u0000"), ("é", "é"), ("", "")],
    )  # fmt: skip
    def test_tokens_show_what_is_in_them(self, token, label):
        assert token_label(token, longest=10) == label

    def test_plotly_shows_brackets_as_they_stand(self):
        assert literal("<bos> & \u2066") == "&lt;bos&gt; &amp; \\u2066"

    def test_half_a_character_can_be_written_to_a_file(self):
        assert visible("\ud83d") == "\\ud83d"
        assert visible("\U0001f468\u200d\U0001f469") == "\U0001f468\u200d\U0001f469"
