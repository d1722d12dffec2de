"""How fast a sweep recovers from kill -9 of each of its processes, and from a full disk; see `sweeps`."""

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from interp_lab.runs import RunError
from interp_lab.runs.folder import read_record
from interp_lab.sweeps.ledger import read_ledger
from interp_lab.sweeps.trial import LEDGER, read_trials, trial_folder
from tests.benchmarks.sweeps import Row, command, places, write_patching
from tests.sweeps.processes import nursery_of, running_in, until

LONG, SHORT = 8000, 48
"""Pairs of a trial that outlives the measurement, and of one that takes a second."""
DISK = 4 * 2**20
"""Bytes of the disk that is filled."""


def recovery(*, rounds: int, disk_rounds: int) -> list[Row]:
    return [*kills(rounds), *full_disks(disk_rounds)]


def kills(rounds: int) -> list[Row]:
    """One long sweep of two workers, of which a trial, the nursery and the driver are killed in turn."""
    found: dict[str, list[float]] = {}
    with places() as place:
        write_patching(place, n_pairs=LONG)
        argv, folder = command(place / "sweep.yaml", place / "out", "--retries", str(rounds + 1)), place / "out"
        driver = started(argv)
        until(lambda: attempts(folder) >= 2, seconds=120)
        for _ in range(rounds):
            trial = trial_in(folder, 0)
            _, again = killed(trial, [trial], folder, n_again=1)
            note(found, "a trial is killed: until it runs again", again)
            nursery = nursery_of(driver.pid)
            gone, again = killed(nursery, offspring(nursery), folder, n_again=2)
            note(found, "the nursery is killed: until no orphan is left", gone)
            note(found, "the nursery is killed: until both trials run again", again)
            gone, _ = killed(driver.pid, offspring(driver.pid), folder, n_again=0)
            driver.wait()
            note(found, "the driver is killed: until no orphan is left", gone)
            before, began = attempts(folder), time.monotonic()
            driver = started([*argv, "--resume"])
            until(lambda n=before: attempts(folder) >= n + 2, seconds=120)
            note(found, "the driver is started again: until both trials run again", time.monotonic() - began)
        began, own = time.monotonic(), offspring(driver.pid)
        driver.send_signal(signal.SIGINT)
        assert driver.wait() == 130
        until(lambda: not living(own) and not running_in(folder))
        note(found, "Ctrl-C: until the command is done and nobody is left", time.monotonic() - began)
    return [Row(what, values) for what, values in found.items()]


def killed(victim: int, doomed: Sequence[int], folder: Path, *, n_again: int) -> tuple[float, float]:
    """Kill a process; seconds until those that must go with it are gone, and until so many trials run again."""
    before, began = attempts(folder), time.monotonic()
    os.kill(victim, signal.SIGKILL)
    wait_for(lambda: not living(doomed) and (n_again > 0 or not running_in(folder)))
    gone = time.monotonic() - began
    wait_for(lambda: attempts(folder) >= before + n_again)
    return gone, time.monotonic() - began


def full_disks(rounds: int) -> list[Row]:
    """A disk that somebody else fills while trials run, and frees when the sweep has given up."""
    found: dict[str, list[float]] = {}
    states: Counter[str] = Counter()
    for _ in range(rounds):
        with places() as place, disk(place / "disk") as small:
            write_patching(place, n_pairs=SHORT)
            argv, folder = command(place / "sweep.yaml", small / "out"), small / "out"
            driver = started(argv, stderr=subprocess.PIPE)
            until(lambda at=folder: n_complete(at) >= 3, seconds=120)
            fill(small / "ballast")
            began = time.monotonic()
            said = driver.communicate()[1].decode()
            note(found, "the disk is full: until the sweep has ended, with a way out", time.monotonic() - began)
            assert (driver.returncode, "make room" in said, "--resume" in said) == (1, True, True), said
            assert not running_in(folder)
            done, before = n_complete(folder), attempts(folder)
            (small / "ballast").unlink()
            began = time.monotonic()
            driver = started([*argv, "--resume"])
            until(lambda n=before, at=folder: attempts(at) > n, seconds=120)
            note(found, "room again, started again: until a trial runs", time.monotonic() - began)
            assert driver.wait() == 0
            states[state(folder, done)] += 1
    return [Row(what, values, note="; ".join(states)) for what, values in found.items()]


def state(folder: Path, done: int) -> str:
    """What became of the trials, those first that were complete when the disk was full."""
    entries = read_ledger(folder / LEDGER)
    twice = sum(sum(end.how == "done" for end in one.ended) > 1 for one in entries.values())
    return f"{n_complete(folder)} of 16 complete, {twice} of them carried out twice" + ("" if done else "!")


@contextmanager
def disk(folder: Path) -> Generator[Path]:
    """A small disk of one's own."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def fill(path: Path) -> None:
    with suppress(OSError), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def started(argv: Sequence[str], *, stderr: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=stderr)


def attempts(folder: Path) -> int:
    """How often trials have begun: what their own folders say."""
    total = 0
    for number in range(16):
        with suppress(RunError):
            total += read_record(trial_folder(folder, number)).attempt
    return total


def n_complete(folder: Path) -> int:
    return sum(trial.state == "complete" for trial in read_trials(folder))


def note(found: dict[str, list[float]], what: str, value: float) -> None:
    found.setdefault(what, []).append(value)


def wait_for(condition: Callable[[], object], *, within: float = 120.0) -> None:
    """Closer than `until` looks."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


def parents() -> dict[int, int]:
    """Who is whose child, of the living."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            status, parent = (process / "stat").read_text().rpartition(")")[2].split()[:2]
            if status != "Z":
                found[int(process.name)] = int(parent)
    return found


def offspring(pid: int) -> list[int]:
    """A process and all that descends from it."""
    family, known = [pid], parents()
    for one in family:
        family.extend(child for child, parent in known.items() if parent == one)
    return family


def living(pids: Sequence[int]) -> list[int]:
    known = parents()
    return [pid for pid in pids if pid in known]


def trial_in(folder: Path, number: int) -> int:
    """The process that carries a trial out: the leader of a session whose output is the trial's log."""
    log = trial_folder(folder, number).with_suffix(".log")
    for pid in map(int, running_in(folder)):
        with suppress(OSError):
            if os.getsid(pid) == pid and Path(f"/proc/{pid}/fd/1").readlink() == log:
                return pid
    raise AssertionError(f"nobody writes {log}")
