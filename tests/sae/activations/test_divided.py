"""Shards made by number, by whoever: the files of one pass, byte by byte."""

import pytest

from interp_lab.runs import RunError
from interp_lab.runs.parts import Parts, make_parts
from interp_lab.sae.activations import StoreError, reading, write_store
from interp_lab.sae.activations.divided import DividedStore
from interp_lab.sae.activations.manifest import describe
from interp_lab.sae.activations.shards import shard_path
from tests.sae.activations.small import RESID, config, documents, files, model


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "store"
    write_store(model(), config(), folder=folder)
    return files(folder)


def divided(asked=None, **given):
    asked = config() if asked is None else asked
    return DividedStore(model(), describe(model(), asked, documents=given.get("documents")), **given)


def parts_in(tmp_path, work):
    return Parts(tmp_path / "parts", work.n_parts, "key")


@pytest.mark.parametrize("shares", [[range(8)], [[7], [0, 3], [1, 2], [5, 4, 6]]], ids=["one process", "four"])
def test_the_store_is_that_of_one_pass(tmp_path, whole, shares):
    parts = parts_in(tmp_path, divided())
    for numbers in shares:
        make_parts(divided(), parts, numbers)
    store = divided().joined(parts, tmp_path / "store")
    assert files(tmp_path / "store") == whole
    assert store.n_rows == 1000


def test_text_that_ends_is_counted(tmp_path):
    read = tuple(documents(*(f"{word} " * 30 for word in ("the", "a", "he"))))
    asked = config(n_tokens=None, hooks=[RESID], shard_bytes=8_000)
    write_store(model(), asked, folder=tmp_path / "one", documents=read)
    work = divided(asked, documents=read)
    parts = parts_in(tmp_path, work)
    assert work.n_parts == len(list((tmp_path / "one").glob("shard-*")))
    make_parts(work, parts, range(work.n_parts))
    work.joined(parts, tmp_path / "store")
    assert files(tmp_path / "store") == files(tmp_path / "one")


def test_the_model_reads_only_windows_with_rows_in_the_shard(monkeypatch):
    """Three windows of at most 63 rows at a time: shard 7, rows 931 to 999, lies in one batch or two."""
    read = []
    capture = reading.capture
    monkeypatch.setattr(reading, "capture", lambda *given: read.append(len(given[1])) or capture(*given))
    list(divided().make([7]))
    assert sum(read) <= 6
    assert read


def test_no_text_is_read_behind_the_last_shard_that_is_wanted(monkeypatch):
    read, own = [], DividedStore._pieces
    monkeypatch.setattr(DividedStore, "_pieces", lambda self: (read.append(one) or one for one in own(self)))
    list(divided().make([0, 1]))
    n_rows = [len(piece.labels) for piece in read]
    size = divided().manifest.rows_per_shard
    assert sum(n_rows[:-1]) < 2 * size <= sum(n_rows)


def test_joining_goes_on_where_it_was_killed(tmp_path, whole):
    """Between two shards, or in the middle of one; nothing is on the disk twice afterwards."""
    parts, store = parts_in(tmp_path, divided()), tmp_path / "store"
    make_parts(divided(), parts, range(8))
    store.mkdir()
    for number in (0, 1):
        divided()._placed(parts, number, store)
    (store / ".shard-00002.safetensors.partial").write_bytes(b"torn")
    divided().joined(parts, store)
    divided().joined(parts, store)
    assert files(store) == whole
    assert all(shard_path(store, number).samefile(parts.path(number)) for number in range(8))


@pytest.mark.parametrize("changes", [{}, {"shard_bytes": 20_000}], ids=["same shards", "other shards"])
def test_joining_replaces_what_one_process_began_and_did_not_end(tmp_path, whole, changes):
    class Killed(BaseException):
        pass

    def after_a_while(done, *_):
        if done > 600:
            raise Killed

    with pytest.raises(Killed):
        write_store(model(), config(**changes), folder=tmp_path / "store", progress=after_a_while)
    begun = files(tmp_path / "store")
    assert len(begun) > 2
    parts = parts_in(tmp_path, divided())
    make_parts(divided(), parts, range(7))
    with pytest.raises(RunError, match="part 7 of 8 is not in"):
        divided().joined(parts, tmp_path / "store")
    assert files(tmp_path / "store") == begun
    make_parts(divided(), parts, [7])
    divided().joined(parts, tmp_path / "store")
    assert files(tmp_path / "store") == whole


def test_a_store_of_other_activations_is_left_alone(tmp_path):
    parts = parts_in(tmp_path, divided())
    make_parts(divided(), parts, range(8))
    write_store(model(), config(n_tokens=200), folder=tmp_path / "store")
    with pytest.raises(StoreError, match="holds other activations"):
        divided().joined(parts, tmp_path / "store")


def test_where_the_disk_has_no_links_files_are_copied(tmp_path, whole, monkeypatch):
    def refuse(*_):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    parts = parts_in(tmp_path, divided())
    make_parts(divided(), parts, range(8))
    divided().joined(parts, tmp_path / "store")
    assert files(tmp_path / "store") == whole


def test_a_missing_part_is_named(tmp_path):
    parts = parts_in(tmp_path, divided())
    make_parts(divided(), parts, range(7))
    with pytest.raises(RunError, match="part 7 of 8 is not in"):
        divided().joined(parts, tmp_path / "store")


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    parts = parts_in(tmp_path, divided())
    make_parts(divided(), parts, range(8))
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "thesis.tex").write_text("x")
    with pytest.raises(StoreError, match="holds something else"):
        divided().joined(parts, tmp_path / "store")
