"""The list: every run that is there, found, filtered and sorted; what is damaged is said, and nothing stops at it."""

import shutil

import pytest

from interp_lab.apps.view import Library
from interp_lab.apps.view import listing as listing_module
from interp_lab.claims import Grade
from interp_lab.runs import RunError
from interp_lab.runs.folder import RunRecord
from tests.apps.view.asking import id_of, listed, text_of, viewer
from tests.apps.view.made import BASE, change_record, keep
from tests.browser import visit


@pytest.fixture
def out(tmp_path):
    """Three runs at three depths; one is of another model and weak, one of another task."""
    keep(tmp_path / "out" / "base", model="organism", seed=2)
    keep(tmp_path / "out" / "found" / "steps" / "tuned", BASE[2:], model="organism-tuned", seed=10)
    keep(tmp_path / "out" / "sweep" / "trials" / "0000", BASE[:0:-1], task="grammar/facts", seed=1, fold="search")
    for nth, run in enumerate(("base", "found/steps/tuned", "sweep/trials/0000")):
        change_record(tmp_path / "out" / run, created=f"2026-01-0{nth + 1}T00:00:00+00:00")
    return tmp_path / "out"


EVERY = {"out/base", "out/found/steps/tuned", "out/sweep/trials/0000"}


class TestFinding:
    def test_at_any_depth_each_once_newest_first(self, out):
        names = ["out/sweep/trials/0000", "out/found/steps/tuned", "out/base"]
        assert listed(viewer(out)) == names
        assert listed(viewer(out, out / "base", out)) == names

    def test_a_run_that_is_named_itself(self, out):
        assert listed(viewer(out / "base")) == ["base"]

    def test_not_what_is_hidden_nor_what_lies_in_a_run(self, out):
        shutil.copytree(out / "base", out / ".trash" / "base")
        shutil.copytree(out / "base", out / "base" / "checkpoints" / "inner")
        assert set(listed(viewer(out))) == EVERY

    def test_what_was_added_is_there_after_looking_again(self, out):
        client = viewer(out)
        keep(out / "later")
        assert set(listed(client)) == EVERY
        again = client.get("/refresh")
        assert (again.status_code, again.headers["location"]) == (303, "/")
        assert set(listed(client)) == {*EVERY, "out/later"}

    def test_the_same_address_after_a_restart(self, out):
        assert id_of(viewer(out), "out/base") == id_of(viewer(out.parent / "out"), "out/base")

    def test_nothing_to_view_is_an_error_with_the_way_out(self, tmp_path):
        with pytest.raises(RunError, match=r"there is no run in .*; name a folder that interp-lab run"):
            Library([tmp_path])
        with pytest.raises(RunError, match=r"there is no folder .*missing"):
            Library([tmp_path / "missing"])
        with pytest.raises(RunError, match="there is nothing to view"):
            Library([])

    def test_investigations_are_linked_once_they_have_a_page(self, out):
        (out / "found" / "investigation.yaml").write_text("investigation: loans")
        assert "out/found (it has no page yet)" in text_of(viewer(out).get("/"))
        (out / "found" / "index.html").write_text("<title>x</title>")
        page = viewer(out).get("/")
        assert "3 runs and 1 investigation in 1 folder" in text_of(page)
        assert 'href="/investigations/' in page.text


class TestRows:
    def test_say_what_a_run_is(self, out):
        text = text_of(viewer(out).get("/"))
        assert "out/base 1 1 1 made organism grammar/loans all 2 2026-01-01 00:00 complete" in text
        assert "out/found/steps/tuned 1 made organism-tuned grammar/loans all 10 2026-01-02 00:00 complete" in text
        assert "out/sweep/trials/0000 1 1 made organism grammar/facts search 1 2026-01-03 00:00 complete" in text

    @pytest.mark.parametrize(
        ("wanted", "names"),
        [
            ({"q": "tuned"}, {"out/found/steps/tuned"}),
            ({"q": "FACTS search"}, {"out/sweep/trials/0000"}),
            ({"q": "tuned facts"}, set()),
            ({"experiment": "made"}, EVERY),
            ({"experiment": "patching"}, set()),
            ({"model": "organism"}, {"out/base", "out/sweep/trials/0000"}),
            ({"grade": "replicated"}, {"out/base"}),
            ({"status": "damaged"}, set()),
            ({"q": "", "experiment": "", "model": "", "grade": "", "status": ""}, EVERY),
        ],
    )
    def test_are_filtered_by_the_address(self, out, wanted, names):
        assert set(listed(viewer(out), **wanted)) == names

    def test_are_filtered_by_the_least_grade_of_a_claim(self, out):
        keep(out / "none", [(0.1, -0.2, 0.4)] * 2)
        client = viewer(out)
        least = {grade: set(listed(client, grade=grade)) for grade in ("replicated", "causal", "descriptive")}
        assert least["replicated"] == {"out/base"}
        assert least["causal"] == {"out/base", "out/sweep/trials/0000"}
        assert least["descriptive"] == {*EVERY, "out/none"}

    @pytest.mark.parametrize(
        ("sort", "seeds"),
        [("seed", [1, 2, 10]), ("-seed", [10, 2, 1]), ("created", [2, 10, 1]), ("name", [2, 10, 1]),
         ("model", [2, 1, 10]), ("-replicated", [2, 10, 1]), ("-descriptive", [2, 10, 1]), ("causal", [10, 2, 1])],
    )  # fmt: skip
    def test_are_sorted_numbers_as_numbers(self, out, sort, seeds):
        names = {2: "out/base", 10: "out/found/steps/tuned", 1: "out/sweep/trials/0000"}
        assert listed(viewer(out), sort=sort) == [names[seed] for seed in seeds]

    @pytest.mark.parametrize("wanted", [{"sort": "secret"}, {"grade": "good"}, {"page": 0}, {"nonsense": 1}])
    def test_that_there_are_not_are_refused(self, out, wanted):
        page = viewer(out).get("/", params=wanted)
        assert page.status_code == 400
        assert next(iter(wanted)) in text_of(page)

    def test_come_in_pages(self, out, monkeypatch):
        monkeypatch.setattr(listing_module, "PER_PAGE", 2)
        client = viewer(out)
        assert listed(client, sort="name", page=2) == listed(client, sort="name", page=9) == ["out/sweep/trials/0000"]
        page = client.get("/", params={"sort": "name"})
        assert 'rel="next" href="/?sort=name&amp;page=2"' in page.text
        assert "3 of 3 runs, page 1 of 2" in text_of(page)

    def test_are_counted_a_little_at_a_time(self, out):
        client = viewer(out, counting=0.0)
        assert "The claims of 2 runs have not been counted yet" in text_of(client.get("/"))
        assert "The claims of 1 run have not been counted yet" in text_of(client.get("/"))
        assert "not been counted" not in text_of(client.get("/"))

    def test_are_read_anew_when_a_run_was_written_anew(self, out):
        client = viewer(out)
        assert "out/base 1 1 1 made" in text_of(client.get("/"))
        shutil.rmtree(out / "base")
        keep(out / "base", BASE[:1])
        assert "out/base 1 made" in text_of(client.get("/"))


class TestDamaged:
    def reason(self, out, name="out/base"):
        client = viewer(out)
        assert set(listed(client)) == EVERY, "all are listed, whatever is wrong with one"
        page = client.get(f"/runs/{id_of(client, name)}")
        assert page.status_code == 200
        assert listed(client, status="damaged") == [name]
        report = client.get(f"/runs/{id_of(client, name)}/report")
        assert report.status_code == 409
        assert str(out) in text_of(report)
        return text_of(page)

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\x00", b'{"format": 1}', b'{"format": 99}'])
    def test_record(self, out, content):
        (out / "base" / "run.json").write_bytes(content)
        said = "upgrade it with" if b"99" in content else "is damaged"
        assert said in self.reason(out)

    @pytest.mark.parametrize("name", ["arrays.safetensors", "config.yaml", "metrics.jsonl", "provenance.json"])
    def test_missing_file(self, out, name):
        (out / "base" / name).unlink()
        assert f"{name} is missing from a complete run" in self.reason(out)

    def test_changed_numbers(self, out):
        path = out / "base" / "arrays.safetensors"
        path.write_bytes(path.read_bytes()[:-1] + b"!")
        assert "was changed after the run" in self.reason(out)

    def test_an_experiment_that_this_version_does_not_know(self, out):
        change_record(out / "base", experiment="tomorrow")
        assert "is no experiment of this interp_lab" in self.reason(out)

    def test_a_result_that_fails_as_it_is_shown(self, out, monkeypatch):
        def fails(self):
            raise ZeroDivisionError("no effects")

        monkeypatch.setattr("tests.apps.view.made.MadeResult.claims", fails)
        client = viewer(out)
        assert "ZeroDivisionError: no effects" in text_of(client.get("/"))
        assert client.get(f"/runs/{id_of(client, 'out/base')}").status_code == 200

    def test_an_incomplete_run_says_how_far_it_came(self, out):
        run = out / "killed"
        run.mkdir()
        (run / "run.json").write_text(RunRecord(experiment="made", created="2026-01-09").model_dump_json())
        (run / "config.yaml").write_text("experiment: made\nmodel: organism\nn: 3\n")
        (run / "metrics.jsonl").write_text('{"loss": 0.5, "step": 7, "attempt": 1}\n{"loss": ')
        client = viewer(out)
        assert listed(client, status="incomplete") == ["out/killed"]
        text = text_of(client.get(f"/runs/{id_of(client, 'out/killed')}"))
        assert "1 row logged; resume it with --resume" in text
        assert "loss: 0.5" in text
        assert client.get(f"/runs/{id_of(client, 'out/killed')}/report").status_code == 409

    def test_one_that_was_killed_before_its_config(self, out):
        run = out / "killed"
        run.mkdir()
        (run / "run.json").write_text(RunRecord(experiment="made", created="2026-01-09").model_dump_json())
        assert "was killed before it wrote config.yaml" in text_of(viewer(out).get("/"))

    def test_one_that_vanished_since(self, out):
        client = viewer(out)
        run = id_of(client, "out/base")
        shutil.rmtree(out / "base")
        assert "there is no run folder" in text_of(client.get(f"/runs/{run}"))
        assert client.get(f"/runs/{run}/report").status_code == 409

    def test_a_fault_of_the_viewer_is_a_page_too(self, out, monkeypatch):
        def fails(*given, **options):
            raise KeyError("secret")

        monkeypatch.setattr("interp_lab.apps.view.pages.list_page", fails)
        page = viewer(out, raises=False).get("/")
        assert page.status_code == 500
        assert "KeyError" in page.text
        assert "secret" not in page.text


@pytest.mark.browser
def test_the_list_narrows_while_one_types(out, tmp_path):
    (tmp_path / "list.html").write_text(viewer(out).get("/").text, "utf-8")
    with visit(tmp_path / "list.html", scheme="dark") as seen:
        seen.page.fill("#q", "TUNED made")
        shown = seen.page.locator("tbody tr:visible th").all_inner_texts()
        assert (shown, seen.page.inner_text("#told")) == (["out/found/steps/tuned"], "1 of the 3 listed here")
        seen.page.fill("#q", "")
        assert (seen.page.locator("tbody tr:visible").count(), seen.page.inner_text("#told")) == (3, "3 of 3 runs")
        wide = seen.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert (seen.complaints, wide) == ([], 0)
    assert all(request.startswith(("file:", "data:")) for request in seen.requests)


def test_claims_are_counted_by_the_grade_of_their_evidence(out):
    library = Library([out])
    library.count(seconds=60.0)
    [row] = [row for row in library.rows() if row.name == "out/base"]
    counted = library.counted(row)
    assert counted is not None
    assert counted.by_grade == {Grade.REPLICATED: 1, Grade.CAUSAL: 1, Grade.DESCRIPTIVE: 1}
