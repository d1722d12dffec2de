"""One process at a time in a folder, however the one before it ended."""

import os
import signal
import socket
from contextlib import suppress

import pytest

from interp_lab.runs import RunError, lock
from interp_lab.runs.lock import LOCK, held

FILES = pytest.mark.parametrize("file", [LOCK, None], ids=["a file in it", "the folder itself"])


@pytest.fixture
def holder(tmp_path):
    """Begins another process that holds the folder until it is ended; returns its id."""
    begun = []

    def begin(file):
        ours, theirs = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                with held(tmp_path / "work", file=file):
                    os.write(theirs, b"!")
                    signal.pause()
            finally:
                os._exit(1)
        begun.append(pid)
        os.close(theirs)
        assert os.read(ours, 1) == b"!"
        os.close(ours)
        return pid

    yield begin
    for pid in begun:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@FILES
def test_a_second_process_is_refused_until_the_first_is_killed(holder, tmp_path, file):
    first = holder(file)
    named = rf" \(process {first}\)" if file else ""
    with pytest.raises(RunError, match=rf"another driver{named} is at work in .*work; wait for it, stop it, or take"):
        held(tmp_path / "work", file=file).__enter__()
    os.kill(first, signal.SIGKILL)
    os.waitpid(first, 0)
    with held(tmp_path / "work", file=file):
        pass


@FILES
def test_nor_does_a_process_hold_it_twice_but_as_often_as_it_likes_in_turn(tmp_path, file):
    for _ in range(2):
        with held(tmp_path, file=file), pytest.raises(RunError, match="is at work"), held(tmp_path, file=file):
            raise AssertionError("both are in")


def test_says_who_holds_it_and_on_which_machine_for_as_long_as_that_is_so(tmp_path):
    with held(tmp_path):
        assert (tmp_path / LOCK).read_text() == f"{os.getpid()} {socket.gethostname()}\n"
        (tmp_path / LOCK).write_text("17 elsewhere\n")
        with pytest.raises(RunError, match=r"another driver \(process 17 on elsewhere\)"):
            held(tmp_path).__enter__()
        (tmp_path / LOCK).write_text("")
        with pytest.raises(RunError, match=r"another driver \(process unknown\)"):
            held(tmp_path).__enter__()
    assert not (tmp_path / LOCK).exists()


def test_a_file_that_was_removed_between_its_opening_and_its_locking_lets_nobody_in_beside_another(
    tmp_path, monkeypatch
):
    """A opens the file of B; B ends and removes it; C makes it anew: A must not come in beside C."""
    opened, others = lock._opened, []

    def and_then_it_changes_hands(folder, file):
        handle = opened(folder, file)
        if not others:
            (folder / file).unlink()
            others.append(held(folder))
            others[0].__enter__()
        return handle

    monkeypatch.setattr(lock, "_opened", and_then_it_changes_hands)
    with pytest.raises(RunError, match=rf"another driver \(process {os.getpid()}\)"):
        held(tmp_path).__enter__()
    others[0].__exit__(None, None, None)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_gone_by_then_is_made_anew(tmp_path, monkeypatch):
    opened, gone = lock._opened, []

    def and_then_it_is_removed(folder, file):
        handle = opened(folder, file)
        if not gone:
            (folder / file).unlink()
            gone.append(file)
        return handle

    monkeypatch.setattr(lock, "_opened", and_then_it_is_removed)
    with held(tmp_path):
        assert (tmp_path / LOCK).read_text().startswith(f"{os.getpid()} ")


def test_an_error_inside_lets_go_too(tmp_path):
    with pytest.raises(KeyError), held(tmp_path):
        raise KeyError
    with held(tmp_path):
        pass


def test_a_folder_that_was_made_for_it_and_stays_empty_is_gone_and_others_stay(tmp_path):
    with held(tmp_path / "new", file=None):
        assert (tmp_path / "new").is_dir()
    assert not (tmp_path / "new").exists()
    with held(tmp_path / "used", file=None):
        (tmp_path / "used" / "rows").touch()
    assert [path.name for path in (tmp_path / "used").iterdir()] == ["rows"]
    (tmp_path / "old").mkdir()
    with held(tmp_path / "old", file=None):
        pass
    assert (tmp_path / "old").is_dir()


def test_a_file_is_refused_in_the_words_of_whoever_asks(tmp_path):
    (tmp_path / "file").touch()

    class RefusedError(ValueError):
        pass

    with pytest.raises(RefusedError, match="is a file; a cook needs a folder of its own"):
        held(tmp_path / "file", who="cook", error=RefusedError).__enter__()
