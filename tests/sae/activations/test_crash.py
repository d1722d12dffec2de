"""Killed, torn, flipped, full: what a store survives, and what it says of what it does not."""

import errno
import os
import signal
import time

import numpy as np
import pytest
import torch

from interp_lab.sae.activations import StoreError, documents, manifest, open_store, write_store
from interp_lab.sae.activations.writing import JOURNAL
from tests.sae.activations.small import RESID, config, edited_weights, files, held, model

FORK = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked, so as not to import torch again")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a store that was written without interruption."""
    folder = tmp_path_factory.mktemp("whole") / "store"
    write_store(model(), config(), folder=folder)
    return folder


def killed_at_sync(nth, folder, *, resume=False):
    """Let another process write, and kill itself with -9 when it forces a file to the disk for the `nth` time."""
    child = os.fork()
    if child == 0:
        calls, sync = iter(range(1000)), os.fsync
        os.fsync = lambda handle: os.kill(os.getpid(), signal.SIGKILL) if next(calls) == nth else sync(handle)
        try:
            write_store(model(), config(), folder=folder, resume=resume)
        finally:
            os._exit(3)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGKILL


def written_text(path, words):
    """A file of one long document per word, and the config that reads it in shards of 146 rows."""
    path.write_text("\n\n".join(f"{word} " * 300 for word in words))
    return config(text={"source": str(path)}, n_tokens=None, hooks=[RESID], shard_bytes=40_000)


def flip(path, at=-5):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


def count_runs(monkeypatch):
    """Count the windows that the model reads from now on."""
    from interp_lab.sae.activations import reading

    n_windows = []
    capture = reading.capture
    monkeypatch.setattr(
        reading, "capture", lambda m, tokens, *a: n_windows.append(len(tokens)) or capture(m, tokens, *a)
    )
    return n_windows


@FORK
class TestKilled:
    @pytest.mark.parametrize(
        ("nth", "left"),
        [
            pytest.param(0, ".store.json", id="before anything"),
            pytest.param(2, ".shard-00000", id="in the first shard"),
            pytest.param(4, None, id="in the journal"),
            pytest.param(5, ".shard-00001", id="in the second shard"),
            pytest.param(18, None, id="between shards"),
            pytest.param(26, ".store.json", id="before it is complete"),
            pytest.param(27, None, id="just after"),
        ],
    )
    def test_and_gone_on_with_ends_in_the_same_bytes(self, nth, left, whole, tmp_path):
        folder = tmp_path / "store"
        killed_at_sync(nth, folder)
        partial = [name for name in files(folder) if name.endswith(".partial")]
        assert [name.startswith(left) for name in partial] == ([True] if left else []), "it died where it was meant to"
        write_store(model(), config(), folder=folder, resume=True)
        assert files(folder) == files(whole)

    def test_again_and_again_at_any_moment(self, whole, tmp_path):
        folder, deaths = tmp_path / "store", 0
        for pause in (0.05, 0.12, 0.2, 0.09, 0.3):
            child = os.fork()
            if child == 0:
                try:
                    write_store(model(), config(), folder=folder, resume=True)
                finally:
                    os._exit(3)
            time.sleep(pause)
            os.kill(child, signal.SIGKILL)
            deaths += os.WIFSIGNALED(os.waitpid(child, 0)[1])
        assert deaths
        write_store(model(), config(), folder=folder, resume=True)
        assert files(folder) == files(whole)

    def test_goes_on_behind_the_last_whole_shard(self, whole, tmp_path, monkeypatch):
        folder = tmp_path / "store"
        killed_at_sync(2 + 3 * 6, folder)  # six shards of eight are whole
        n_read = count_runs(monkeypatch)
        write_store(model(), config(), folder=folder, resume=True)
        after = sum(n_read)
        n_read.clear()
        write_store(model(), config(), folder=tmp_path / "other")
        assert 0 < after < 0.4 * sum(n_read)

    def test_is_not_opened_before_it_is_gone_on_with(self, tmp_path):
        killed_at_sync(8, tmp_path / "store")
        with pytest.raises(StoreError, match=r"not complete.*resume=True"):
            open_store(tmp_path / "store")

    def test_is_not_gone_on_with_unasked(self, tmp_path):
        killed_at_sync(8, tmp_path / "store")
        with pytest.raises(StoreError, match="holds activations already; pass resume=True"):
            write_store(model(), config(), folder=tmp_path / "store")

    def test_a_torn_line_of_the_journal_costs_one_shard(self, whole, tmp_path):
        folder = tmp_path / "store"
        killed_at_sync(11, folder)
        journal = folder / JOURNAL
        journal.write_bytes(journal.read_bytes()[:-20])
        write_store(model(), config(), folder=folder, resume=True)
        assert files(folder) == files(whole)

    def test_goes_on_only_with_the_same_text(self, tmp_path):
        asked = written_text(tmp_path / "text.txt", ("the", "a", "she", "he", "and"))
        write_store(model(), asked, folder=tmp_path / "store")
        written_text(tmp_path / "text.txt", ("the", "a", "she", "he", "or"))
        with pytest.raises(StoreError, match="text: 'files"):
            write_store(model(), asked, folder=tmp_path / "store", resume=True)

    def test_a_change_in_the_middle_of_a_large_file_is_found_on_the_way(self, tmp_path, monkeypatch):
        monkeypatch.setattr(documents, "_ENDS", 20)
        asked = written_text(tmp_path / "text.txt", ("the", "a", "she", "he", "and"))
        write_store(model(), asked, folder=tmp_path / "store")
        written_text(tmp_path / "text.txt", ("the", "a", "the", "he", "and"))
        (tmp_path / "store" / "shard-00007.safetensors").unlink()
        with pytest.raises(StoreError, match=r"shard 4 of .* is of another text.*changed after it was written"):
            write_store(model(), asked, folder=tmp_path / "store", resume=True)

    @pytest.mark.parametrize(
        "words", [("the", "a", "she"), ("the", "a", "she", "he", "and", "or")], ids=["less", "more"]
    )
    def test_a_text_that_grew_or_shrank_is_found_on_the_way(self, words, tmp_path, monkeypatch):
        monkeypatch.setattr(manifest, "text_fingerprint", lambda *asked: "nothing")
        asked = written_text(tmp_path / "text.txt", ("the", "a", "she", "he", "and"))
        write_store(model(), asked, folder=tmp_path / "store")
        written_text(tmp_path / "text.txt", words)
        (tmp_path / "store" / "shard-00000.safetensors").unlink()
        with pytest.raises(StoreError, match="is of another text"):
            write_store(model(), asked, folder=tmp_path / "store", resume=True)


class TestDamaged:
    @pytest.fixture
    def copy(self, whole, tmp_path):
        folder = tmp_path / "copy"
        folder.mkdir()
        for name, data in files(whole).items():
            (folder / name).write_bytes(data)
        return folder

    @pytest.mark.parametrize("at", [-5, 400, 5000], ids=["end", "header", "middle"])
    def test_a_flipped_bit_is_found_and_the_shard_named(self, copy, at):
        flip(copy / "shard-00003.safetensors", at)
        with pytest.raises(StoreError, match=r"shard-00003.*checksum is wrong; make that shard again.*resume=True"):
            open_store(copy)

    def test_a_torn_shard_is_found_even_without_checksums(self, copy):
        path = copy / "shard-00002.safetensors"
        path.write_bytes(path.read_bytes()[:-100])
        with pytest.raises(StoreError, match=r"shard-00002.* bytes, not the \d+ that were written"):
            open_store(copy, check=False)

    def test_a_missing_shard(self, copy):
        (copy / "shard-00007.safetensors").unlink()
        with pytest.raises(StoreError, match=r"shard-00007.* is missing; make that shard again"):
            open_store(copy)

    @pytest.mark.parametrize("number", [0, 3, 7], ids=["first", "middle", "last, which is short"])
    def test_the_way_out_works_and_makes_only_that_shard_again(self, number, copy, whole, monkeypatch):
        flip(copy / f"shard-0000{number}.safetensors")
        n_read = count_runs(monkeypatch)
        write_store(model(), config(), folder=copy, resume=True)
        assert files(copy) == files(whole)
        assert 0 < sum(n_read) <= 9, "133 rows are in three windows, read three at once"

    def test_what_is_whole_is_not_made_again(self, copy, whole, monkeypatch):
        n_read = count_runs(monkeypatch)
        write_store(model(), config(), folder=copy, resume=True)
        assert not n_read
        assert files(copy) == files(whole)

    def test_a_header_that_no_longer_fits_is_refused_without_checksums_too(self, copy):
        path = copy / "shard-00001.safetensors"
        path.write_bytes(path.read_bytes().replace(b'"F16"', b'"F32"', 1))
        with pytest.raises(StoreError, match=r"shard-00001.* is damaged"):
            open_store(copy, check=False)


class TestNoRoom:
    def test_raises_says_so_and_leaves_what_can_be_gone_on_with(self, whole, tmp_path, monkeypatch):
        sync, calls = os.fsync, iter(range(1000))

        def full(handle):
            if next(calls) >= 11:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            sync(handle)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(OSError, match=r"no room on the disk for shard 3.*make room.*resume=True") as caught:
                write_store(model(), config(), folder=tmp_path / "store")
        assert caught.value.errno == errno.ENOSPC
        assert not [name for name in files(tmp_path / "store") if name.endswith(".partial")], "room was given back"
        write_store(model(), config(), folder=tmp_path / "store", resume=True)
        assert files(tmp_path / "store") == files(whole)


class TestLonger:
    def test_more_rows_are_added_to_what_is_there(self, whole, tmp_path, monkeypatch):
        write_store(model(), config(n_tokens=700), folder=tmp_path / "store")
        n_read = count_runs(monkeypatch)
        write_store(model(), config(), folder=tmp_path / "store", resume=True)
        assert files(tmp_path / "store") == files(whole)
        assert sum(n_read) < 12, "not the 20 windows of the whole"

    def test_fewer_are_refused(self, tmp_path):
        write_store(model(), config(n_tokens=700), folder=tmp_path / "store")
        with pytest.raises(StoreError, match="more than n_tokens=300 rows already"):
            write_store(model(), config(n_tokens=300), folder=tmp_path / "store", resume=True)


class TestAnotherStore:
    def test_other_settings_are_named(self, tmp_path):
        write_store(model(), config(n_tokens=150), folder=tmp_path / "store")
        other = config(n_tokens=150, dtype="bfloat16", text={"seed": 4})
        told = r"text.seed: 0 -> 4; config.dtype: 'float16' -> 'bfloat16'.*take another folder"
        with pytest.raises(StoreError, match=told):
            write_store(model(), other, folder=tmp_path / "store", resume=True)

    def test_a_model_of_the_same_name_with_other_weights_is_another(self, tmp_path):
        write_store(model(), config(n_tokens=150), folder=tmp_path / "store")
        trained = edited_weights(lambda other: other.blocks[0].mlp.W_in.mul_(1.01))
        with pytest.raises(StoreError, match="weights: "):
            write_store(trained, config(n_tokens=150), folder=tmp_path / "store", resume=True)

    def test_a_folder_with_something_else_is_left_alone(self, tmp_path):
        (tmp_path / "notes.txt").write_text("mine")
        with pytest.raises(StoreError, match=r"holds something else \(it has notes.txt\)"):
            write_store(model(), config(), folder=tmp_path, resume=True)
        assert files(tmp_path) == {"notes.txt": b"mine"}

    def test_a_file_is_no_folder(self, tmp_path):
        (tmp_path / "store").write_text("mine")
        with pytest.raises(StoreError, match="is a file"):
            write_store(model(), config(), folder=tmp_path / "store")

    def test_two_writers_at_once_are_refused(self, tmp_path):
        told = []

        def meanwhile(*_):
            with pytest.raises(StoreError, match="another writer of activations is at work in"):
                write_store(model(), config(n_tokens=150), folder=tmp_path / "store", resume=True)
            told.append(True)

        store = write_store(model(), config(n_tokens=150), folder=tmp_path / "store", progress=meanwhile)
        assert told
        assert store.n_rows == 150

    def test_a_newer_format_is_said_to_be_that(self, tmp_path):
        write_store(model(), config(n_tokens=150), folder=tmp_path / "store")
        path = tmp_path / "store" / "store.json"
        path.write_text(path.read_text().replace('"format": 1', '"format": 2').replace('"weights"', '"sums"'))
        with pytest.raises(StoreError, match="has format 2, and this interp_lab reads up to 1"):
            open_store(tmp_path / "store")

    def test_no_store_at_all(self, tmp_path):
        with pytest.raises(StoreError, match=r"holds no activations.*write_store"):
            open_store(tmp_path)


def test_bits_are_those_of_the_model_not_of_where_it_went_on(whole):
    rows = np.arange(1000)
    assert torch.equal(open_store(whole).activations(RESID, rows), held().activations(RESID, rows))
