"""The page of features: small, self-contained, and text that stays text."""

import base64
import hashlib
import html
import json
import re

import pytest

from interp_lab.sae.dashboard import Shown, render_dashboard, write_dashboard
from interp_lab.sae.dashboard.packing import TokenTable, _example, codes, short
from tests.reports.results import HOSTILE
from tests.sae.dashboard.folders import made_folder


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return made_folder(tmp_path_factory.mktemp("features"), dead=[3])


def data_of(page: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[1])


def decoded(data: dict, code: str) -> list[str]:
    digits, per = data["digits"], data["per_text"]
    numbers = []
    for start in range(0, len(code), per):
        number = 0
        for digit in code[start : start + per]:
            number = 64 * number + digits.index(digit)
        numbers.append(number)
    return [data["texts"][number] for number in numbers]


class TestWhatIsInIt:
    def test_a_feature_has_its_numbers_tokens_effects_neighbours_and_histogram(self, store):
        data = data_of(render_dashboard(store))
        feature = data["features"][5]
        assert data["columns"]["latent"] == list(range(12))
        assert (data["columns"]["density"][5], data["columns"]["max"][5]) == (0.006, 6)
        assert data["texts"][data["columns"]["top_token"][5]] == "word5"
        assert [data["texts"][row[0]] for row in feature["t"]] == ["word5", "the"]
        assert feature["t"][0][1:] == [8, 5.5, 0.8, 40]
        assert [[data["texts"][number], effect] for number, effect in feature["p"] + feature["n"]] == [
            ["up5", 2],
            ["down5", -1.5],
        ]
        assert (feature["d"], feature["c"]) == ([[6, 0.75]], [[4, 0.25]])
        assert feature["h"] == [[0, 0.5, 30], [0.5, 1, 10]]

    def test_an_example_keeps_its_context_and_only_the_values_that_are_not_zero(self, store):
        data = data_of(render_dashboard(store))
        quantile, document, position, place, value, code, pairs = data["features"][5]["e"][0]
        assert (quantile, document, position, value) == (0, 500, 3, 6)
        assert decoded(data, code) == ["\n", "and", "a", "word5", "the", "bank", "said"]
        assert pairs == [place, 6, place + 1, 1.5]

    def test_contexts_and_bins_are_cut_to_what_was_asked_for(self, store):
        data = data_of(render_dashboard(store, shown=Shown(per_bin=1, context=1, n_logits=0, n_tokens=1)))
        feature = data["features"][5]
        assert [row[0] for row in feature["e"]] == [0, 1, 2], "the best example of each bin"
        assert decoded(data, feature["e"][0][5]) == ["a", "word5", "the"]
        assert (len(feature["t"]), feature["p"]) == (1, [])

    def test_a_latent_that_was_never_active_has_no_numbers_rather_than_zeros(self, store):
        data = data_of(render_dashboard(store))
        assert (data["columns"]["max"][3], data["columns"]["n_active"][3]) == (None, 0)
        assert (data["features"][3]["e"], data["columns"]["top_token"][3]) == ([], -1)
        assert data["labels"][3] == "never active on this text"

    def test_given_labels_stand_as_they_are_and_the_others_are_called_heuristic(self, store):
        page = render_dashboard(store, labels={5: "greetings"})
        data = data_of(page)
        assert (data["labels"][5], data["heuristic"][5]) == ("greetings", 0)
        assert (data["labels"][6], data["heuristic"][6]) == ("fires on 'word6' (80% of activation)", 1)
        assert "nobody checked their meaning" in page
        every = dict.fromkeys(range(12), "said")
        assert "nobody checked their meaning" not in render_dashboard(store, labels=every)

    def test_some_latents_make_a_smaller_page_that_says_so(self, store):
        page = render_dashboard(store, latents=[7, 2])
        assert data_of(page)["columns"]["latent"] == [2, 7]
        assert "2 of 12 latents of made-sae" in page

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            ({"latents": [12]}, "no latent 12.* has 0 to 11"),
            ({"latents": [1, 1]}, "latent 1 is named twice"),
            ({"latents": []}, "pass None for all"),
            ({"labels": {99: "x"}}, "label is for latent 99"),
        ],
    )
    def test_refuses_latents_that_there_are_not(self, store, arguments, told):
        with pytest.raises(ValueError, match=told):
            render_dashboard(store, **arguments)

    def test_refuses_a_path_that_is_no_page_and_writes_nothing(self, store, tmp_path):
        with pytest.raises(ValueError, match=r"must end in \.html; name it .*page\.html"):
            write_dashboard(store, tmp_path / "page.txt")
        assert not list(tmp_path.iterdir())


class TestPacking:
    def test_an_example_is_cut_around_its_token_and_keeps_every_value_above_zero(self):
        table = TokenTable()
        row = {
            "quantile": 1, "document": 7, "position": 30, "begin": 4, "value": 0.5,
            "tokens": ["a", "b", "c", "d", "e", "f", "g", "h"], "values": [9.0, 0, 0, 0.25, 0.5, 0, 3.0, 8.0],
        }  # fmt: skip
        *where, texts, pairs = _example(row, table, 2)
        assert where == [1, 7, 30, 2, 0.5], "it is the third of what is left: c d e f g"
        assert [table.texts()[number] for number in texts] == ["c", "d", "e", "f", "g"]
        assert pairs == [1, 0.25, 2, 0.5, 4, 3]

    def test_numbers_in_base_64_come_back(self):
        two = codes(4096, digits=2)
        assert [two[number] for number in (0, 1, 63, 64, 4095)] == ["AA", "AB", "A_", "BA", "__"]
        assert codes(3, digits=1) == ["A", "B", "C"]

    @pytest.mark.parametrize(
        ("value", "kept"),
        [(1.23456, 1.235), (2.0, 2), (float("nan"), None), (12345.6, 12346), (0.0000123456, 1.235e-5)],
    )
    def test_four_digits_count(self, value, kept):
        assert short(value) == kept


class TestSafety:
    @pytest.fixture(scope="class")
    def hostile(self, tmp_path_factory):
        names = {0: HOSTILE, 1: '"\'><img src=x onerror="document.title=1">', 2: "\n", 3: "a\u200bb", 4: "&lt;b&gt;"}
        store = made_folder(tmp_path_factory.mktemp("hostile"), names=names, words=(HOSTILE, "a", "\u202eb"))
        return render_dashboard(store, labels={5: HOSTILE}, title=HOSTILE)

    def test_the_policy_admits_the_pages_own_script_and_nothing_else(self, hostile):
        policy = html.unescape(re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', hostile)[1])
        script = re.search(r"<script>(.*?)</script>", hostile, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"script-src 'sha256-{digest}';" in policy
        assert "default-src 'none'" in policy

    def test_no_text_becomes_markup_or_turns_the_display(self, hostile):
        assert hostile.count("<script") == 2
        assert hostile.count("</script>") == 2
        assert "<img" not in hostile
        assert not re.search("[\u200b\u202e]", hostile)

    def test_names_no_server(self, hostile):
        outside = re.sub(r"<script.*?</script>", "", hostile, flags=re.DOTALL).replace("http-equiv", "")
        assert "http" not in outside
        assert set(re.findall(r'(?:src|href)="(.)', outside)) == {"#"}
