"""`interp-lab features`: a folder of features into one page, or one clear line and nothing written."""

import csv
import json
from pathlib import Path

import pytest

from interp_lab.cli.main import main
from tests.sae.dashboard.folders import made_folder


def call(*arguments: str | Path, command: str = "features") -> int:
    with pytest.raises(SystemExit) as stopped:
        main([command, *map(str, arguments)])
    return int(stopped.value.code or 0)


def call_ratings(folder: Path) -> int:
    return call(folder, command="ratings")


def rated(path: Path) -> list[dict]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, rows: list[dict]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    made_folder(folder / "features")
    return folder


@pytest.mark.parametrize("inside", [".", "features"], ids=["the run", "its folder of features"])
def test_writes_the_page_with_the_labels_given(run, tmp_path, capsys, inside):
    labels, page = tmp_path / "labels.csv", tmp_path / "new" / "page.html"
    labels.write_text("latent,label\n4,warm greetings\n5,\n", "utf-8")
    assert call(run / inside, "--out", page, "--title", "Mine", "--labels", labels) == 0
    assert capsys.readouterr().out.strip() == f"wrote {page}"
    text = page.read_text("utf-8")
    assert "<h1>Mine</h1>" in text
    assert "warm greetings" in text
    assert "fires on 'word5'" in text


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ("latent,label\n1,a\n12,b\n", "row 2: there is no latent '12'; they go from 0 to 11"),
        ("latent,label\n-1,a\n", "row 1: there is no latent '-1'"),
        ("latent,label\n1,a\n1,b\n", "row 2: latent 1 has a label already"),
        ("latent,name\n1,a\n", "has no column 'label'"),
    ],
)
def test_labels_that_fit_no_latent_are_told_in_one_line(run, tmp_path, capsys, rows, told):
    labels = tmp_path / "labels.csv"
    labels.write_text(rows, "utf-8")
    assert call(run, "--out", tmp_path / "page.html", "--labels", labels) == 1
    error = capsys.readouterr().err.strip()
    assert error.startswith(f"error: {labels}")
    assert told in error
    assert "\n" not in error
    assert list(tmp_path.iterdir()) == [labels]


def test_a_folder_without_features_says_how_to_make_one(tmp_path, capsys):
    assert call(tmp_path) == 1
    assert "is no complete folder of features" in capsys.readouterr().err


def test_without_labels_the_page_has_heuristic_ones_called_that(run, tmp_path, capsys):
    assert call(run, "--out", tmp_path / "page.html") == 0
    text = (tmp_path / "page.html").read_text("utf-8")
    assert "fires on 'word4'" in text
    assert '"heuristic":[1,1,1,1,1,1,1,1,1,1,1,1]' in text
    assert "nobody checked their meaning" in text
    assert capsys.readouterr().out.strip() == f"wrote {tmp_path / 'page.html'}"


def test_exports_for_neuronpedia_and_writes_no_page_that_nobody_asked_for(run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert call(run, "--neuronpedia", tmp_path / "np", "--latents", "3,7-9") == 0
    assert capsys.readouterr().out.strip() == f"wrote 1 batches into {tmp_path / 'np'}"
    batch = json.loads((tmp_path / "np" / "batch-0.json").read_text("utf-8"))
    assert (batch["model_id"], batch["layer"], batch["sae_set"]) == ("made", 2, "made-sae")
    assert [feature["feature_index"] for feature in batch["features"]] == [3, 7, 8, 9]
    assert [path.name for path in tmp_path.iterdir()] == ["np"]


def test_sheets_go_out_and_come_back_with_their_agreement(run, tmp_path, capsys):
    sheets = tmp_path / "sheets"
    assert call(run, "--sheets", sheets, "--raters", "anna,ben", "--latents", "1-6", "--mixed", "3") == 0
    assert "wrote 2 sheets of 6 features and 3 controls" in capsys.readouterr().out
    key = json.loads((sheets / "key.json").read_text("utf-8"))
    mixed = {item["name"] for item in key["items"] if item["is_mixed"]}
    for name, shift in (("anna", 0), ("ben", 1)):
        rows = rated(sheets / f"{name}.csv")
        ratings = [
            1 if row["item"] in mixed else 3 + (int(row["item"][-1]) + shift * (row["item"] > "item-004")) % 3
            for row in rows
        ]
        write(sheets / f"{name}.csv", [row | {"rating": rating} for row, rating in zip(rows, ratings, strict=True)])
    for _ in range(2):
        assert call_ratings(sheets) == 0
        out = capsys.readouterr().out
        assert "2 raters, 6 items: Krippendorff's alpha (ordinal)" in out
        assert "features above mixed controls by" in out
    assert len(rated(sheets / "ratings-table.csv")) == 9


def test_labels_given_are_what_the_sheets_ask_about(run, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text("latent,label\n4,warm greetings\n", "utf-8")
    arguments = ("--raters", "anna", "--latents", "4,5", "--mixed", "0", "--labels", labels)
    assert call(run, "--sheets", tmp_path / "s", *arguments) == 0
    assert {row["label"] for row in rated(tmp_path / "s" / "anna.csv")} == {"warm greetings", ""}
    assert "Does the label say" in (tmp_path / "s" / "instructions.txt").read_text("utf-8")


def test_sheets_without_a_choice_hold_thirty_features_that_were_active(tmp_path):
    made_folder(tmp_path / "f", n_latents=40, dead=range(5))
    assert call(tmp_path / "f", "--sheets", tmp_path / "s", "--raters", "anna", "--mixed", "0") == 0
    key = json.loads((tmp_path / "s" / "key.json").read_text("utf-8"))
    latents = [item["latents"][0] for item in key["items"]]
    assert (len(set(latents)), min(latents) >= 5) == (30, True)


@pytest.mark.parametrize("text", ["3-1", "a", "1,,2", "-1"])
def test_latents_that_are_no_numbers_are_told(run, tmp_path, capsys, text):
    assert call(run, "--out", tmp_path / "page.html", f"--latents={text}") == 1
    assert "write 3,17,40-49" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [("--sheets", "s"), ("--raters", "anna")])
def test_sheets_and_raters_go_together(run, capsys, arguments):
    assert call(run, *arguments) == 2
    assert "go together" in capsys.readouterr().err


def test_a_folder_without_sheets_is_told(tmp_path, capsys):
    assert call_ratings(tmp_path) == 1
    assert "is no key of rating sheets" in capsys.readouterr().err


def test_the_help_names_what_there_is(capsys):
    assert call("--help") == 0
    out = capsys.readouterr().out
    assert all(
        option in out for option in ("--neuronpedia", "--sheets", "--raters", "--labels", "--mixed", "heuristic")
    )
