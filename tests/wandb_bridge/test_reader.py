import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
import wandb

from interp_lab.config import Config
from interp_lab.wandb_bridge import read_wandb_run, start_run
from interp_lab.wandb_bridge.reader import iter_records

BLOCK = 32768
HEADER = b":W&B\xe1\xbe\x00"


def chunk(kind: int, data: bytes) -> bytes:
    return struct.pack("<IHB", zlib.crc32(bytes([kind]) + data), len(data), kind) + data


def write_log(records: list[bytes]) -> bytes:
    """The format, written out literally: never more than fits into the block, padding where no header fits."""
    log = HEADER
    for record in records:
        parts = []
        rest = record
        while rest or not parts:
            left = BLOCK - len(log) % BLOCK
            if left < 7:
                log += bytes(left)
                left = BLOCK
            part, rest = rest[: left - 7], rest[left - 7 :]
            first, last = not parts, not rest
            parts.append(part)
            log += chunk({(True, True): 1, (True, False): 2, (False, False): 3, (False, True): 4}[first, last], part)
    return log


def read_log(path: Path, log: bytes) -> list[bytes]:
    path.write_bytes(log)
    return list(iter_records(path))


class TestRecords:
    @pytest.mark.parametrize("before_end", range(12))
    def test_come_back_wherever_the_block_ends(self, tmp_path, before_end):
        first = bytes(BLOCK - len(HEADER) - 7 - before_end)
        records = [first, b"second", b"third" * 20_000, b"fourth"]
        assert read_log(tmp_path / "log", write_log(records)) == records

    def test_cut_anywhere_give_those_before_the_cut(self, tmp_path):
        records = [b"a" * 30, b"", b"b" * 40]
        log = write_log(records)
        ends = [len(write_log(records[:n])) for n in range(1, 4)]
        for cut in range(len(HEADER), len(log) + 1):
            whole = sum(end <= cut for end in ends)
            assert read_log(tmp_path / "log", log[:cut]) == records[:whole]

    def test_end_before_space_that_was_never_written(self, tmp_path):
        assert read_log(tmp_path / "log", write_log([b"a"]) + bytes(500)) == [b"a"]

    def test_one_flipped_bit_in_checksum_kind_or_data_is_noticed(self, tmp_path):
        log = write_log([b"a" * 30, b"b" * 30])
        length = range(len(HEADER) + 4, len(HEADER) + 6)
        for at in range(len(HEADER), len(log) - 37):
            damaged = log[:at] + bytes([log[at] ^ 1]) + log[at + 1 :]
            if at not in length:
                with pytest.raises(ValueError, match="damaged at byte 7"):
                    read_log(tmp_path / "log", damaged)

    def test_a_length_that_crosses_the_block_is_no_torn_end(self, tmp_path):
        log = bytearray(write_log([b"a" * 30, b"b" * 30]))
        log[len(HEADER) + 5] ^= 0x80
        with pytest.raises(ValueError, match="damaged at byte 7: no chunk begins there"):
            read_log(tmp_path / "log", bytes(log))

    def test_a_missing_beginning_is_noticed(self, tmp_path):
        for kinds in [(4,), (3,), (2, 1), (2, 2)]:
            with pytest.raises(ValueError, match="begins or goes on where it must not"):
                read_log(tmp_path / "log", HEADER + b"".join(chunk(kind, b"x") for kind in kinds))

    def test_another_file_or_version_is_refused(self, tmp_path):
        for begin in (b"PAR1", b"", HEADER[:-1] + b"\x01"):
            with pytest.raises(ValueError, match="no W&B log of a known version"):
                read_log(tmp_path / "log", begin + b"x" * 50)


@pytest.fixture
def run_dir(wandb_home) -> Path:
    """A finished offline run of several blocks."""

    class Question(Config):
        period: int = 5
        text: str = "x" * 70_000

    tracker = start_run(Question(), directory=wandb_home, mode="offline")
    for step in range(30):
        tracker.log({"loss": 1 / (step + 1), "val/b.c": -step}, step=step)
    wandb.run.config.update({"nested": {"a": 1}})
    wandb.run.summary.update({"best": 0.25, "mistake": 1})
    del wandb.run.summary["mistake"]
    tracker.finish(exit_code=3)
    return tracker.status.directory


class TestReadWandbRun:
    def test_agrees_with_wandbs_own_reader(self, run_dir):
        command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(run_dir)]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        records = [json.loads(line) for line in told]
        theirs = [record["history"] for record in records if record["type"] == "history"]
        ours = read_wandb_run(run_dir)
        assert len(ours.history) == 30
        assert [row["item"] for row in theirs] == list(ours.history)

    def test_holds_everything_else_too(self, run_dir):
        run = read_wandb_run(run_dir)
        assert run.config == {"period": 5, "text": "x" * 70_000, "nested": {"a": 1}}
        assert run.summary["best"] == 0.25
        assert "mistake" not in run.summary, "it was removed again"
        assert run.summary["val/b.c"] == -29
        assert run.exit_code == 3

    def test_cut_anywhere_it_gives_the_rows_before_the_cut(self, run_dir, tmp_path):
        (log,) = run_dir.glob("run-*.wandb")
        data, rows = log.read_bytes(), read_wandb_run(run_dir).rows()
        n_read = []
        for cut in range(len(data), 80_000, -97):
            (tmp_path / "run-cut.wandb").write_bytes(data[:cut])
            part = read_wandb_run(tmp_path)
            assert part.rows() == rows[: len(part.rows())]
            n_read.append(len(part.rows()))
        assert n_read[0] == 30
        assert n_read == sorted(n_read, reverse=True)
        assert n_read[-1] < 30

    def test_needs_the_folder_of_one_run(self, tmp_path):
        with pytest.raises(ValueError, match="holds 0 W&B logs"):
            read_wandb_run(tmp_path)
        for name in ("run-a.wandb", "run-b.wandb"):
            (tmp_path / name).touch()
        with pytest.raises(ValueError, match="holds 2 W&B logs"):
            read_wandb_run(tmp_path)

    def test_a_run_killed_as_it_started_holds_nothing(self, tmp_path):
        (tmp_path / "run-a.wandb").write_bytes(HEADER)
        with pytest.raises(ValueError, match="ends before the run begins"):
            read_wandb_run(tmp_path)
