"""One prompt: scores, warnings in plain words, and a page on which text from sources can do nothing."""

from dataclasses import replace

import numpy as np
import pytest

from interp_lab.models import load_model
from interp_lab.production.sources import Highlight, Scoring, highlight
from interp_lab.production.sources.marked import marked
from interp_lab.production.sources.warnings import Warned, warnings_of
from tests.browser import visit

QUERY = "by Yarnova it is letter"
SOURCES = [
    "letter Oslo is one capital , by Yarnova . we read of it .",
    "card Tokyo is one , by Yarnova .",
]
FAST = Scoring(steps=2, n_resamples=20)
HOSTILE = "<script>alert(1)</script> </style><img src=x onerror=alert(2)> \u202e {0} & \x07"


@pytest.fixture(scope="module")
def organism():
    return load_model("organism")


@pytest.fixture(scope="module")
def found(organism):
    return highlight(organism, QUERY, SOURCES, max_new_tokens=1, scoring=FAST)


class TestHighlight:
    def test_names_the_source_that_states_the_answer(self, found):
        assert found.answer.strip() == "Oslo"
        assert found.generated
        assert found.first() == found.first("random subsets (text)") == 0
        assert found.probability == pytest.approx(1 / (1 + np.exp(-found.sources.full)))

    def test_scores_are_falls_of_the_log_odds(self, found, organism):
        alone = highlight(organism, QUERY, SOURCES[:1], "Oslo", scoring=FAST, sentences=False).sources
        assert found.sources.scores("leave-one-out (text)")[1] == pytest.approx(
            found.sources.full - alone.full, rel=1e-3
        )

    def test_sentences_are_scored_as_parts_of_their_own(self, found):
        assert found.sentences.of == (0, 0, 1)
        assert found.sentences.texts[1] == "we read of it ."
        assert int(found.sentences.scores("leave-one-out (text)").argmax()) == 0

    def test_sources_of_one_sentence_have_none_beside(self, organism):
        assert highlight(organism, QUERY, [SOURCES[1]], "Tokyo", scoring=FAST).sentences is None

    def test_a_given_answer_of_several_tokens_in_a_whole_prompt(self, organism):
        prompt = f"we read of it . {SOURCES[1]} {QUERY}"
        found = highlight(organism, QUERY, [SOURCES[1]], "Tokyo . card", prompt=prompt, scoring=FAST)
        assert not found.generated
        assert found.prompt == prompt
        assert found.answer.split() == ["Tokyo", ".", "card"]

    def test_the_same_seed_gives_the_same(self, organism, found):
        again = highlight(organism, QUERY, SOURCES, max_new_tokens=1, scoring=FAST)
        assert (again.sources.values == found.sources.values).all()
        assert again.sources.intervals == found.sources.intervals

    def test_tables_have_a_row_for_each(self, found):
        assert len(found.sources.table()) == 2
        assert {"source", "text", "attention", "random subsets (text) low"} <= set(found.sources.table().columns)

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({"sources": []}, "no sources to ask about"),
            ({"answer": " "}, "the answer is empty"),
            ({"prompt": "letter"}, "source 0, 'letter Oslo.*stands 0 times in the prompt"),
            ({"sources": ["letter " * 70]}, "more than the context of 64"),
            ({"template": "{query}"}, "in it once"),
        ],
        ids=["no sources", "empty answer", "not in the prompt", "too long", "template"],
    )
    def test_what_cannot_be_asked(self, organism, given, message):
        with pytest.raises(ValueError, match=message):
            highlight(organism, QUERY, **{"sources": SOURCES, "answer": "Oslo", **given})

    def test_a_method_that_there_is_not(self, found):
        with pytest.raises(ValueError, match="no method 'rollout'; there are attention"):
            found.first("rollout")


def warned(looks, falls, *, other=None, full=5.0, empty=0.0, missing=0.0):
    falls = np.array(falls)
    scores = {"attention": np.array(looks), "leave-one-out (text)": falls}
    scores["leave-one-out (mask)"] = falls if other is None else np.array(other)
    return warnings_of(Warned(scores, Scoring(), full, empty, missing))


class TestWarnings:
    def test_there_is_none_where_all_agree(self):
        assert warned([0.5, 0.3, 0.1], [4.0, 1.0, 0.0]) == ()

    def test_where_attention_and_ablation_disagree(self):
        (told,) = warned([0.1, 0.6], [4.0, 0.5])
        assert told.startswith("attention and ablation disagree: the model looks most at source [2]")
        assert "suffers most without source [1] (+4.00 log odds, against +0.50" in told
        assert "believe the ablation" in told

    def test_where_they_agree_on_the_first_alone(self):
        """Of ten pairs the four with the first agree, and the six others do not: tau is -0.2."""
        (told,) = warned([0.9, 0.1, 0.2, 0.3, 0.4], [4.0, 0.9, 0.5, 0.1, 0.0])
        assert "rank the others against each other (Kendall's tau -0.20)" in told

    def test_where_no_source_matters(self):
        (told,) = warned([0.1, 0.6], [0.02, 0.01], full=3.0, empty=2.99)
        assert "no source matters to this answer" in told
        assert "by heart" in told

    def test_where_sources_say_the_same(self):
        (told,) = warned([0.4, 0.3], [0.5, 0.2], full=8.0, empty=0.0)
        assert (
            "sources act together: leaving out one at a time costs 0.70 log odds in all, leaving out every one 8.00"
            in told
        )

    def test_where_the_ways_of_leaving_out_disagree(self):
        (told,) = warned([0.6, 0.1], [4.0, 0.5], other=[0.1, 3.0])
        assert "[1] by leave-one-out (text), [2] by leave-one-out (mask)" in told

    def test_where_integrated_gradients_do_not_add_up(self):
        (told,) = warned([0.6, 0.1], [4.0, 0.5], missing=0.4)
        assert "miss 40%" in told
        assert "scoring.steps=16" in told

    def test_one_source_cannot_be_ranked(self):
        assert warned([0.6], [4.0]) == ()

    def test_are_shown_on_the_page_and_in_the_summary(self, found):
        scores = dict(zip(found.sources.methods, found.sources.values, strict=True))
        scores["attention"] = np.array([0.1, 0.9])
        turned = replace(found, sources=replace(found.sources, values=np.stack(list(scores.values()))))
        assert "warning: attention and ablation disagree" in turned.summary()
        assert "attention and ablation disagree" in turned.to_html()
        assert "attention and ablation disagree" not in found.to_html()


def hostile(found: Highlight) -> Highlight:
    prompt = f"{HOSTILE} and {HOSTILE}"
    spans = ((0, len(HOSTILE)), (len(prompt) - len(HOSTILE), len(prompt)))
    level = replace(found.sources, texts=(HOSTILE, HOSTILE), spans=spans)
    return replace(found, prompt=prompt, query=HOSTILE, answer=HOSTILE, sources=level, sentences=None)


class TestThePage:
    def test_text_from_sources_is_text(self, found):
        page = hostile(found).to_html()
        assert "<script" not in page
        assert "<img" not in page
        assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 4
        assert "\u202e" not in page
        assert "\x07" not in page
        assert "\\u202e" in page

    def test_asks_nothing_of_a_network_and_runs_nothing(self, found):
        page = found.to_html()
        assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
        assert not any(word in page for word in ("http:", "https:", "src=", "href=", "<script"))

    def test_numbers_stand_beside_colours_and_signs_beside_them(self):
        made = str(marked("one two three", [(0, 3), (8, 13)], [2.5, -0.5]))
        assert "[1] +2.50" in made
        assert "[2] -0.50" in made
        assert ("solid" in made, "dashed" in made) == (True, True)
        assert "0.400" in made  # the strongest colour
        assert "0.080" in made  # a fifth of it

    def test_sources_that_were_not_measured_have_no_colour(self):
        assert "not measured" in str(marked("one", [(0, 3)], [float("nan")]))

    def test_says_what_a_colour_means_and_what_it_does_not_show(self, found):
        page = found.to_html()
        assert "speaks for the answer" in page
        assert "What this does not show" in page
        assert found._repr_html_() in page

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_is_read_in_a_browser(self, found, tmp_path, scheme):
        hostile(found).save(tmp_path / "page.html")
        with visit(tmp_path / "page.html", scheme=scheme) as seen:
            assert seen.complaints == []
            assert seen.requests in ([], [(tmp_path / "page.html").as_uri()])
            assert "<script>alert(1)</script>" in seen.page.inner_text("main")
            ink, paper = (
                seen.page.evaluate(f"getComputedStyle(document.body).{name}") for name in ("color", "backgroundColor")
            )
            assert (sum(map(int, ink[4:-1].split(","))) > sum(map(int, paper[4:-1].split(",")))) == (scheme == "dark")

    @pytest.mark.parametrize("name", ["page.txt", "."])
    def test_is_written_to_a_page(self, found, tmp_path, name):
        with pytest.raises(ValueError, match=r"must end in .html|is a folder"):
            found.save(tmp_path / name)
