"""Rating sheets out and in, and agreement against numbers known from elsewhere."""

import csv
import io
import json

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import cohen_kappa_score

from interp_lab.sae.naming import Ratings, Scale, agreement, krippendorff_alpha, read_ratings, write_sheets
from interp_lab.sae.naming.sheets import Item, SheetKey, excerpt
from tests.sae.dashboard.folders import made_folder

N = np.nan
KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, N, N, N],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, N, 3],
        [N, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, N],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, N],
    ]
)
"""Four observers, twelve units, some missing: the example of Krippendorff 2011."""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return made_folder(tmp_path_factory.mktemp("features"), dead=[3], names={4: "=1+1"})


def rows_of(path) -> list[dict]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def fill(path, ratings: dict[str, object]) -> None:
    """Write ratings into a sheet, as a rater would; items not named stay empty."""
    rows = rows_of(path)
    for row in rows:
        row["rating"] = ratings.get(row["item"], "")
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


class TestSheets:
    @pytest.fixture
    def key(self, store, tmp_path):
        return write_sheets(store, tmp_path, raters=["anna", "ben"], latents=[0, 1, 2, 4, 5, 6], n_mixed=2)

    def test_raters_see_excerpts_and_no_latent_number_or_statistic(self, key, tmp_path):
        rows = rows_of(tmp_path / "anna.csv")
        assert set(rows[0]) == {"item", "rating", "comment", *(f"excerpt_{nth}" for nth in range(1, 7))}
        assert sorted(row["item"] for row in rows) == [f"item-{nth:03d}" for nth in range(1, 9)]
        by_item = {row["item"]: row for row in rows}
        for item in key.items:
            shown = " ".join(by_item[item.name][f"excerpt_{nth}"] for nth in range(1, 7))
            if not item.is_mixed and item.latents[0] != 4:
                assert f"<<word{item.latents[0]}>>" in shown

    def test_items_are_named_and_ordered_at_random_and_every_rater_gets_another_order(self, key, tmp_path):
        orders = [[row["item"] for row in rows_of(tmp_path / f"{name}.csv")] for name in ("anna", "ben")]
        assert sorted(orders[0]) == sorted(orders[1])
        assert orders[0] != orders[1]
        own = [item.latents[0] for item in sorted(key.items, key=lambda item: item.name) if not item.is_mixed]
        assert own != sorted(own), "the name of an item does not give the latent away"

    def test_the_same_seed_writes_the_same_sheets(self, store, key, tmp_path):
        again = tmp_path / "again"
        write_sheets(store, again, raters=["anna", "ben"], latents=[0, 1, 2, 4, 5, 6], n_mixed=2)
        assert (again / "ben.csv").read_text("utf-8") == (tmp_path / "ben.csv").read_text("utf-8")

    def test_a_mixed_control_shows_excerpts_of_different_features(self, key, tmp_path):
        mixed = [item for item in key.items if item.is_mixed]
        assert len(mixed) == 2
        by_item = {row["item"]: row for row in rows_of(tmp_path / "anna.csv")}
        for item in mixed:
            shown = [by_item[item.name][f"excerpt_{nth}"] for nth in range(1, 7)]
            assert len({text.split("<<")[1] for text in shown if text}) == len(item.latents) == 6

    def test_mixed_controls_look_like_features(self, tmp_path):
        store = made_folder(tmp_path / "f", n_latents=3, n_bins=5, per_bin=1)
        key = write_sheets(
            store, tmp_path / "s", raters=["anna"], latents=[0, 1, 2], n_excerpts=4, n_mixed=3, labels={0: "zero"}
        )
        rows = {row["item"]: row for row in rows_of(tmp_path / "s" / "anna.csv")}
        shown = {
            item: [row[f"excerpt_{nth}"] for nth in range(1, 5) if row[f"excerpt_{nth}"]] for item, row in rows.items()
        }
        assert {len(texts) for texts in shown.values()} == {4}, "though there are three features to mix"
        own = {text for item in key.items if not item.is_mixed for text in shown[item.name]}
        for item in (one for one in key.items if one.is_mixed):
            assert len(set(shown[item.name])) == 4
            assert len(item.latents) == 3
            assert len([text for text in shown[item.name] if text in own]) == 0, "two examples of each are left over"

    def test_controls_of_one_feature_or_one_excerpt_are_refused(self, store, tmp_path):
        for latents, n_excerpts in (([0], 6), ([0, 1], 1)):
            with pytest.raises(ValueError, match=f"{len(latents)} features with {n_excerpts} excerpts cannot be mixed"):
                write_sheets(
                    store, tmp_path / "s", raters=["a"], latents=latents, n_excerpts=n_excerpts, n_mixed=1
                )  # fmt: skip
        assert not (tmp_path / "s").exists()

    def test_the_key_says_which_items_are_mixed_and_no_path(self, tmp_path):
        folder = made_folder(tmp_path / "f", about={"sae": "/home/anna/runs/saes/topk"})
        write_sheets(folder, tmp_path / "s", raters=["a"], latents=[0, 1], n_mixed=1)
        key = json.loads((tmp_path / "s" / "key.json").read_text("utf-8"))
        assert key["sae"] == "topk"
        assert sorted(item["is_mixed"] for item in key["items"]) == [False, False, True]

    def test_the_token_an_example_is_about_is_marked_however_much_larger_another_is(self):
        row = {"tokens": ["a", "b", "c", "d", "e", "f"], "values": [0.0, 10.0, 1.0, 0.25, 0.5, 0.0], "begin": 2}
        assert excerpt(row) == "a <<b c>> d <<e>> f", "at least 0.3 of its own value"
        assert excerpt(row | {"begin": 1}) == "a <<b>> c d e f"
        assert excerpt(row | {"begin": 5}).endswith("f>>"), "even where it was rounded to nothing"

    def test_no_cell_is_a_formula_whatever_divides_the_cells(self, tmp_path):
        words = ("=HYPERLINK(1)", "+2", "@x", "a;=1+1", ";  -2", "\uff1d1")
        hostile = made_folder(tmp_path / "features", n_latents=2, words=words)
        write_sheets(hostile, tmp_path / "sheets", raters=["anna"], latents=[0, 1], labels={0: "-cmd", 1: "\uff0bx"})
        data = (tmp_path / "sheets" / "anna.csv").read_bytes()
        assert data.startswith(b"\xef\xbb\xbf"), "spreadsheets take it for UTF-8"
        text = data.decode("utf-8-sig")
        assert all(line.startswith('"item') and line.endswith('"') for line in text.splitlines())
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert {"'-cmd", "'\uff0bx"} <= set(cells)
        for cell in [*cells, *(part for line in text.splitlines() for part in line.split(";"))]:
            assert not cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d", "\uff0b"))

    def test_a_folder_with_sheets_is_not_written_over(self, store, key, tmp_path):
        with pytest.raises(ValueError, match="has rating sheets already, perhaps filled in"):
            write_sheets(store, tmp_path, raters=["carl"], latents=[0])

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            ({"raters": []}, "cannot name sheets"),
            ({"raters": ["a", "a"]}, "cannot name sheets"),
            ({"raters": ["../a"]}, "cannot name sheets"),
            ({"raters": ["Key"]}, "cannot name sheets.*not key, instructions, con"),
            ({"raters": ["con"]}, "cannot name sheets"),
            ({"raters": ["LPT1.x"]}, "cannot name sheets"),
            ({"raters": ["a."]}, "no '.' last"),
            ({"raters": ["Anna", "anna"]}, "each another \\(case aside\\)"),
            ({"latents": [3]}, "latent 3 was never active"),
            ({"latents": [99]}, "no latent 99"),
            ({"latents": [1, 1]}, "each latent once"),
        ],
    )
    def test_refuses_what_cannot_be_a_sheet(self, store, tmp_path, arguments, told):
        with pytest.raises(ValueError, match=told):
            write_sheets(store, tmp_path / "s", **({"raters": ["anna"], "latents": [1]} | arguments))

    def test_a_scale_must_leave_a_choice(self):
        with pytest.raises(ValueError, match="from 2 to 2 has nothing to choose"):
            Scale(low=2, high=2)


class TestReading:
    @pytest.fixture
    def folder(self, store, tmp_path):
        write_sheets(store, tmp_path, raters=["anna", "ben"], latents=[0, 1, 2], seed=3)
        return tmp_path

    def read(self, folder) -> Ratings:
        return read_ratings([folder / "anna.csv", folder / "ben.csv"], key=folder / "key.json")

    def test_ratings_come_back_to_their_latents_whatever_the_order_of_the_sheets(self, folder):
        key = SheetKey.from_mapping(json.loads((folder / "key.json").read_text("utf-8")))
        names = {item.latents[0]: item.name for item in key.items}
        fill(folder / "anna.csv", {names[0]: 5, names[1]: "3.0", names[2]: ""})
        fill(folder / "ben.csv", {names[0]: 4, names[1]: 3, names[2]: 1})
        table = self.read(folder).table().set_index("latent")
        assert table.loc[[0, 1, 2], "ben"].tolist() == [4, 3, 1]
        assert table.loc[[0, 1], "anna"].tolist() == [5, 3]
        assert np.isnan(table.loc[2, "anna"])
        assert table.loc[[0, 1, 2], "mean"].tolist() == [4.5, 3, 1]

    @pytest.mark.parametrize("delimiter", [";", "\t"])
    def test_sheets_saved_with_other_delimiters_read_alike_and_comments_stay(self, folder, delimiter):
        rows = rows_of(folder / "anna.csv")
        with (folder / "anna.csv").open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]), delimiter=delimiter)
            writer.writeheader()
            writer.writerows(
                [
                    row | {"rating": nth + 1, "comment": " odd, this " if nth == 1 else ""}
                    for nth, row in enumerate(rows)
                ]
            )
        fill(folder / "ben.csv", {})
        found = self.read(folder)
        assert sorted(found.values[0]) == [1, 2, 3]
        table = found.table().set_index("item")
        assert table.loc[rows[1]["item"], "comments"] == "anna: odd, this"
        assert sorted(table["comments"]) == ["", "", "anna: odd, this"]

    def test_json_sheets_read_alike(self, store, tmp_path):
        write_sheets(store, tmp_path, raters=["anna"], latents=[0, 1], form="json")
        sheet = json.loads((tmp_path / "anna.json").read_text("utf-8"))
        for row in sheet["rows"]:
            row["rating"] = 2
        (tmp_path / "anna.json").write_text(json.dumps(sheet), "utf-8")
        assert read_ratings([tmp_path / "anna.json"], key=tmp_path / "key.json").values.tolist() == [[2, 2]]

    @pytest.mark.parametrize(
        ("cell", "rule"),
        [
            ("6", "row 2: rating '6' is outside the scale; write a whole number from 1 to 5"),
            ("0", "row 2: rating '0' is outside the scale"),
            ("2.5", "row 2: rating '2.5' is outside the scale"),
            ("good", "row 2: rating 'good' is no number"),
            ("nan", "row 2: rating 'nan' is no number"),
        ],
    )
    def test_a_wrong_rating_is_told_with_file_row_and_rule(self, folder, cell, rule):
        fill(folder / "ben.csv", {rows_of(folder / "ben.csv")[1]["item"]: cell})
        with pytest.raises(ValueError, match=rf"ben\.csv, {rule}"):
            self.read(folder)

    def test_every_complaint_is_told_at_once(self, folder):
        text = (folder / "anna.csv").read_text("utf-8-sig").splitlines()
        twice = [text[0], text[1], text[1], text[2].replace("item-00", "item-99")]
        (folder / "anna.csv").write_text("\n".join(twice), "utf-8")
        with pytest.raises(ValueError, match=r"row 2: item .* stands in row 1 already") as told:
            self.read(folder)
        assert "row 3: item 'item-99" in str(told.value)
        assert "2 items are missing" in str(told.value)

    def test_two_sheets_of_one_rater_are_refused(self, folder):
        with pytest.raises(ValueError, match="another sheet is of rater 'anna' too"):
            read_ratings([folder / "anna.csv", folder / "anna.csv"], key=folder / "key.json")

    def test_a_file_that_is_no_sheet_is_named(self, folder):
        (folder / "ben.csv").write_text("a,b\n1,2\n", "utf-8")
        with pytest.raises(ValueError, match=r"ben\.csv has no column 'item'"):
            self.read(folder)
        with pytest.raises(ValueError, match=r"anna\.csv is no key of rating sheets"):
            read_ratings([folder / "ben.csv"], key=folder / "anna.csv")


class TestAgreement:
    @pytest.mark.parametrize(("level", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
    def test_alpha_of_the_published_example(self, level, alpha):
        assert krippendorff_alpha(KRIPPENDORFF, scale=np.arange(1.0, 6.0), level=level) == pytest.approx(
            alpha, abs=5e-4
        )

    def ratings(self, values: np.ndarray, n_mixed: int = 0) -> Ratings:
        items = tuple(
            Item(name=f"item-{nth}", latents=(nth,) if nth >= n_mixed else (0, 1), is_mixed=nth < n_mixed)
            for nth in range(values.shape[1])
        )
        raters = tuple("abcdefgh"[: len(values)])
        return Ratings(raters, items, values.astype(np.float64), Scale())

    def test_one_shared_item_is_too_few(self):
        shared = np.array([[1.0, 2.0, np.nan], [2.0, np.nan, 3.0]])
        with pytest.raises(ValueError, match="2 raters share 1 items; agreement needs"):
            agreement(self.ratings(shared))

    def test_raters_who_agree_reach_one_and_raters_at_random_zero(self):
        rng = np.random.default_rng(0)
        truth = rng.integers(1, 6, 200)
        same = agreement(self.ratings(np.stack([truth, truth])))
        assert (same.alpha.estimate, same.alpha.low, same.pairs["kappa"].tolist()) == (1.0, 1.0, [1.0])
        random = agreement(self.ratings(rng.integers(1, 6, (3, 200))))
        assert random.alpha.low < 0 < random.alpha.high
        assert abs(random.alpha.estimate) < 0.1

    def test_the_interval_holds_the_estimate_and_narrows_with_items(self):
        rng = np.random.default_rng(1)
        widths = []
        for n in (20, 320):
            truth = rng.integers(1, 6, n)
            noisy = np.clip(truth + rng.integers(-1, 2, (2, n)), 1, 5)
            found = agreement(self.ratings(noisy)).alpha
            assert found.low < found.estimate < found.high
            assert found.n_clusters == n
            widths.append(found.high - found.low)
        assert widths[1] < widths[0] / 2

    def test_cohens_kappa_is_that_of_scikit_learn_on_what_both_rated(self):
        values = KRIPPENDORFF[:2].copy()
        both = ~np.isnan(values).any(0)
        expected = cohen_kappa_score(values[0][both], values[1][both])
        pairs = agreement(self.ratings(values), level="nominal").pairs
        assert pairs.loc[0, ["n_items", "kappa"]].tolist() == [9, pytest.approx(expected)]

    def test_weights_go_by_the_value_and_not_by_its_rank_among_those_given(self):
        values = np.array([[1, 1, 5, 5, 4], [1, 5, 5, 5, 4]])
        kappa = agreement(self.ratings(values)).pairs.loc[0, "kappa"]
        distance = (values[0][:, None] - values[1][None]) ** 2
        assert kappa == pytest.approx(1 - distance.diagonal().mean() / distance.mean())

    def test_mixed_controls_are_left_out(self):
        values = np.array([[1, 1, 3, 4, 5], [1, 1, 4, 3, 5]])
        assert agreement(self.ratings(values, n_mixed=2)).n_items == 3

    def test_features_are_set_against_mixed_controls(self):
        values = np.array([[1, 2, 4, 5, 3, N], [1, 2, 5, 5, N, N]])
        found = agreement(self.ratings(values, n_mixed=2))
        ours, others = np.array([4.5, 5, 3]), np.array([1.0, 2])
        welch = stats.ttest_ind(ours, others, equal_var=False).confidence_interval()
        assert found.over_mixed.estimate == pytest.approx(ours.mean() - 1.5)
        assert (found.over_mixed.low, found.over_mixed.high) == pytest.approx((welch.low, welch.high))
        assert "features above mixed controls by 2.667 [" in found.summary()

    def test_ratings_that_do_not_tell_features_from_controls_are_called_that(self):
        values = np.array([[5, 4, 4, 5, 3], [4, 5, 5, 4, 3]])
        assert "NOT clear of zero" in agreement(self.ratings(values, n_mixed=2)).summary()
        assert (
            "NOT clear"
            not in agreement(self.ratings(np.array([[1, 1, 4, 5, 4], [1, 1, 5, 5, 4]]), n_mixed=2)).summary()
        )
        assert "no control" in agreement(self.ratings(values, n_mixed=1)).summary()

    def test_a_summary_says_how_many_pairs_have_a_kappa(self):
        values = np.array([[1, 2, 3, 4], [1, 2, 4, 3], [N, N, N, 5]])
        assert "(3 of 3 pairs)" in agreement(self.ratings(values)).summary()
        assert "(1 of 3 pairs)" in agreement(self.ratings(np.array([[1, 2, 3, 4], [1, 2, 4, 3], [N] * 4]))).summary()

    def test_nothing_to_agree_on_is_refused(self):
        with pytest.raises(ValueError, match="all ratings are equal"):
            agreement(self.ratings(np.full((2, 5), 3)))
        with pytest.raises(ValueError, match="1 raters share"):
            agreement(self.ratings(np.array([[1, 2, 3]])))
