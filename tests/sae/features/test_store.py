"""Folders of features: what is read, and what is refused."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from interp_lab.runs import RunError
from interp_lab.sae.features import SCHEMAS, FeatureStore, write_folder

N = 200
ABOUT = {
    "model": {"name": "organism"}, "hook": "blocks.2.hook_resid_post", "sae": "made up", "n_latents": N,
    "n_tokens": 1000, "n_documents": 10, "n_sampled": 1000, "text": {}, "quantiles": [(0.5, 1.0), (0.0, 0.5)],
    "created": "2026-01-01",
}  # fmt: skip


def rows(table: str, latents: range) -> pd.DataFrame:
    """Two rows of every latent (one of `features`), numbers that tell which latent they are of."""
    times = 1 if table == "features" else 2
    latent = np.repeat(np.asarray(latents), times)
    columns = {}
    for field in SCHEMAS[table]:
        kind = str(field.type)
        if kind.startswith("list"):
            columns[field.name] = [["a", "b"] if "string" in kind else [float(one), 0.0] for one in latent]
        elif kind == "string":
            columns[field.name] = [f"w{one}" for one in latent]
        else:
            columns[field.name] = latent
    return pd.DataFrame(columns)


@pytest.fixture
def folder(tmp_path):
    tables = {name: [rows(name, range(70)), rows(name, range(70, N))] for name in SCHEMAS}
    write_folder(tmp_path / "features", tables, about=ABOUT)
    return tmp_path / "features"


@pytest.mark.parametrize("table", SCHEMAS)
def test_columns_and_types_are_those_of_the_schema(folder, table):
    assert pq.read_schema(folder / f"{table}.parquet").equals(SCHEMAS[table])
    assert list(getattr(FeatureStore.open(folder), table)().columns) == SCHEMAS[table].names


@pytest.mark.parametrize("table", SCHEMAS)
def test_rows_of_some_latents(folder, table):
    store = FeatureStore.open(folder, check=True)
    found = getattr(store, table)([150, 7, 150])
    pd.testing.assert_frame_equal(found, getattr(store, table)().query("latent in [7, 150]").reset_index(drop=True))
    assert sorted(set(found["latent"])) == [7, 150]


def test_lists_come_back(folder):
    row = FeatureStore.open(folder).examples([7]).iloc[0]
    assert list(row["tokens"]) == ["a", "b"]
    assert list(row["values"]) == [7.0, 0.0]


class TestLittleIsRead:
    def test_row_groups_end_with_their_latents_however_rows_came(self, folder):
        with pq.ParquetFile(folder / "examples.parquet") as file:
            bounds = [file.metadata.row_group(nth).column(0).statistics for nth in range(file.metadata.num_row_groups)]
        assert [(one.min, one.max) for one in bounds] == [(0, 63), (64, 127), (128, 191), (192, 199)]

    def test_only_the_group_of_the_latent_is_read(self, folder, monkeypatch):
        asked = []
        original = pq.ParquetFile.read_row_groups
        monkeypatch.setattr(
            pq.ParquetFile,
            "read_row_groups",
            lambda self, groups, **k: asked.append(groups) or original(self, groups, **k),
        )
        store = FeatureStore.open(folder)
        store.examples([7])
        store.examples([7, 199])
        store.examples([])
        assert asked == [[0], [0, 3], []]
        assert store.groups("examples", [64, 65]) == [1]

    def test_bytes_read_are_those_of_one_group(self, tmp_path):
        """Of 40 groups, one is read: less than a tenth of the file."""
        many = pd.concat([rows("examples", range(40 * 64))] * 4).sort_values("latent", kind="stable")
        many["values"] = np.random.default_rng(0).random((len(many), 30)).astype("f4").tolist()
        tables = {name: [rows(name, range(40 * 64))] for name in SCHEMAS} | {"examples": [many]}
        write_folder(tmp_path / "f", tables, about={**ABOUT, "n_latents": 40 * 64})
        with pq.ParquetFile(tmp_path / "f" / "examples.parquet") as file:
            sizes = [file.metadata.row_group(nth).total_byte_size for nth in range(file.metadata.num_row_groups)]
        store = FeatureStore.open(tmp_path / "f")
        (group,) = store.groups("examples", [700])
        assert len(sizes) == 40
        assert sizes[group] < sum(sizes) / 30


class TestWriting:
    def test_is_complete_only_at_the_end(self, folder, monkeypatch):
        def disk_full(path, data):
            raise OSError("no space left on device")

        monkeypatch.setattr("interp_lab.sae.features.writing.write_atomic", disk_full)
        with pytest.raises(OSError, match="no space"):
            write_folder(folder, {name: [rows(name, range(3))] for name in SCHEMAS}, about=ABOUT)
        with pytest.raises(RunError, match="is no complete folder of features"):
            FeatureStore.open(folder)

    def test_latents_must_rise(self, tmp_path):
        tables = {name: [rows(name, range(3))] for name in SCHEMAS} | {"tokens": [rows("tokens", range(2, 0, -1))]}
        with pytest.raises(ValueError, match="latents of table 'tokens' must rise"):
            write_folder(tmp_path / "f", tables, about=ABOUT)

    def test_every_table_is_needed(self, tmp_path):
        with pytest.raises(ValueError, match="no table 'features' to write"):
            write_folder(tmp_path / "f", {}, about=ABOUT)

    def test_same_rows_same_bytes(self, folder, tmp_path):
        again = {name: [rows(name, range(N))] for name in SCHEMAS}
        write_folder(tmp_path / "again", again, about=ABOUT)
        for name in SCHEMAS:
            assert (folder / f"{name}.parquet").read_bytes() == (tmp_path / "again" / f"{name}.parquet").read_bytes()


class TestRefused:
    def test_no_folder(self, tmp_path):
        with pytest.raises(RunError, match="run the experiment sae_features"):
            FeatureStore.open(tmp_path)

    def test_a_truncated_file(self, folder):
        path = folder / "tokens.parquet"
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(RunError, match=r"tokens.parquet has \d+ bytes"):
            FeatureStore.open(folder)

    def test_a_changed_byte_is_found_when_asked(self, folder):
        path = folder / "tokens.parquet"
        data = bytearray(path.read_bytes())
        data[40] ^= 1
        path.write_bytes(data)
        with pytest.raises(RunError, match="its checksum is wrong"):
            FeatureStore.open(folder, check=True)

    def test_a_newer_format(self, folder):
        path = folder / "about.json"
        path.write_text(path.read_text().replace('"format": 1', '"format": 99'))
        with pytest.raises(RunError, match="was written in format 99"):
            FeatureStore.open(folder)

    def test_a_damaged_description(self, folder):
        (folder / "about.json").write_text("{}")
        with pytest.raises(RunError, match="is damaged"):
            FeatureStore.open(folder)

    @pytest.mark.parametrize("latent", [-1, N])
    def test_a_latent_that_there_is_not(self, folder, latent):
        with pytest.raises(ValueError, match=f"there is no latent {latent}; .* has 0 to 199"):
            FeatureStore.open(folder).features([3, latent])
