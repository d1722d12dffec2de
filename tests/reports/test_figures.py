"""Figures in the page: data that cannot leave its element, HTML that is marked as safe and is."""

import json

import numpy as np
import plotly.graph_objects as go
import pytest
from markupsafe import Markup

from interp_lab.plots import AttentionView
from interp_lab.reports.figures import Embedder, inert_json, require_inert
from tests.reports.results import HOSTILE


@pytest.fixture
def embedder():
    return Embedder(has_heads_script=True)


def view() -> AttentionView:
    return AttentionView(np.eye(2)[None].repeat(2, 0), ("a", HOSTILE), ("0.0", "0.1"), "many")


class TestJson:
    def test_cannot_close_its_element_and_means_what_it_meant(self):
        text = inert_json({"title": HOSTILE.replace("\u202e", "")})
        assert not set("<>&") & set(text)
        assert json.loads(text)["title"] == HOSTILE.replace("\u202e", "")

    @pytest.mark.parametrize("steering", ["\u202e", "\u2066", "\u200f", "\ufeff"])
    def test_what_would_turn_the_text_around_is_written_out(self, steering):
        assert json.loads(inert_json([f"a{steering}b"])) == [f"a\\u{ord(steering):04x}b"]

    def test_a_backslash_before_u_is_a_backslash(self):
        assert json.loads(inert_json(["\\u202e", "é \u2014 \u200d"])) == ["\\u202e", "é \u2014 \u200d"]


class TestPlotly:
    def test_the_title_is_the_caption(self, embedder):
        shown = embedder.embed("name", go.Figure(layout={"title": "a &lt;b&gt;<br>c", "width": 300, "height": 200}))
        assert (shown.kind, shown.caption, shown.width) == ("plotly", "a <b> c", 300)
        assert "title" not in json.loads(shown.content)["layout"]
        assert json.loads(shown.content)["layout"]["height"] == shown.height < 200

    def test_without_a_title_the_name_is(self, embedder):
        assert embedder.embed("name", go.Figure()).caption == "name"

    def test_a_template_is_kept_once(self, embedder):
        shown = [embedder.embed("a", go.Figure(go.Scatter(y=[n]))) for n in range(3)]
        assert {json.loads(one.content)["layout"]["template"] for one in shown} == {"t0"}
        assert json.loads(embedder.shared())["t0"]["layout"]["colorway"]


class TestHeads:
    def test_are_drawn_by_circuitsvis_where_it_is(self, embedder):
        shown = embedder.embed("name", view())
        assert (shown.kind, shown.caption) == ("heads", "many")
        assert json.loads(shown.content)["attentionHeadNames"] == ["0.0", "0.1"]

    def test_are_a_heatmap_with_a_menu_where_it_is_not(self):
        embedder = Embedder(has_heads_script=False)
        shown = embedder.embed("name", view())
        assert (shown.kind, embedder.kinds) == ("plotly", {"plotly"})
        assert len(json.loads(shown.content)["layout"]["updatemenus"][0]["buttons"]) == 2


class TestFragments:
    def test_marked_html_stands_as_it_is(self, embedder):
        marked = Markup("<b>{}</b>").format(HOSTILE)
        assert embedder.embed("name", marked).content == marked
        assert "<img" not in marked

    @pytest.mark.parametrize("figure", ["<b>bold</b>", 3, None], ids=["unmarked", "number", "none"])
    def test_anything_else_is_refused(self, embedder, figure):
        with pytest.raises(TypeError, match=r"figure 'name' is a \w+; .*markupsafe.Markup"):
            embedder.embed("name", figure)

    @pytest.mark.parametrize(
        ("fragment", "found"),
        [
            ("<script>1</script>", "the element <script>"),
            ("<p onclick=alert(1)>", "the handler onclick of <p>"),
            ("<IMG SRC='//a.b/c'>", "an address in src of <img>"),
            ("<a href='javascript:alert(1)'>x</a>", "an address in href of <a>"),
            ("<p style='background: url( \"http://a.b\")'>", "an address in style of <p>"),
            ("<svg><use xlink:href='http://a.b#c'/></svg>", "an address in xlink:href of <use>"),
        ],
    )
    def test_what_runs_or_loads_is_refused(self, fragment, found):
        with pytest.raises(ValueError, match=rf"fragment 'x' holds {found}"):
            require_inert(Markup(fragment), what="fragment 'x'")

    def test_what_stays_within_the_page_is_not(self):
        inert = "<svg><path fill='url(#a)'/><image href='data:image/png;base64,AA=='/></svg><a href='#b'>x</a>"
        require_inert(Markup(inert), what="it")
