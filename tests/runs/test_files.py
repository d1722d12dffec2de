import json
import os
import stat

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
import torch

from interp_lab.runs import RunError, write_atomic
from interp_lab.runs.files import fingerprint, read_checked
from interp_lab.runs.formats import (
    decode_arrays,
    decode_rows,
    decode_table,
    encode_arrays,
    encode_row,
    encode_table,
    scalars,
    without_superseded,
)
from interp_lab.runs.tensors import load_tensors, save_tensors


class Killed(BaseException):
    """Stands for SIGKILL: no handler of the package may catch it."""


class TestWriteAtomic:
    def test_replaces_the_whole_content(self, tmp_path):
        path = tmp_path / "a.txt"
        write_atomic(path, b"longer than the second")
        write_atomic(path, b"second")
        assert path.read_bytes() == b"second"
        assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]

    def test_keeps_the_old_content_if_stopped_before_the_rename(self, tmp_path, monkeypatch):
        path = tmp_path / "a.txt"
        write_atomic(path, b"old")

        def stop(_):
            raise Killed

        monkeypatch.setattr(os, "fsync", stop)
        with pytest.raises(Killed):
            write_atomic(path, b"new")
        assert path.read_bytes() == b"old"

    def test_is_on_the_disk_before_it_is_renamed(self, tmp_path, monkeypatch):
        path = tmp_path / "a.txt"
        there = []
        monkeypatch.setattr(os, "fsync", lambda handle: there.append((path.exists(), os.fstat(handle).st_size)))
        write_atomic(path, b"12345")
        assert there[0] == (False, 5)
        assert there[1][0], "the folder is synced after the rename"

    def test_gives_the_rights_that_any_new_file_gets(self, tmp_path):
        write_atomic(tmp_path / "ours", b"")
        (tmp_path / "plain").write_bytes(b"")
        modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("ours", "plain")]
        assert modes[0] == modes[1]


class TestReadChecked:
    def test_returns_what_was_written(self, tmp_path):
        (tmp_path / "a").write_bytes(b"abc")
        assert read_checked(tmp_path / "a", fingerprint(b"abc")) == b"abc"

    @pytest.mark.parametrize(
        ("now", "complaint"), [(None, "missing"), (b"ab", "2 bytes, not the 3"), (b"abd", "checksum is wrong")]
    )
    def test_refuses_anything_else_and_names_the_file(self, tmp_path, now, complaint):
        if now is not None:
            (tmp_path / "a").write_bytes(now)
        with pytest.raises(RunError, match=f"{tmp_path / 'a'} .*{complaint}.*run again"):
            read_checked(tmp_path / "a", fingerprint(b"abc"))


class TestScalars:
    def test_makes_plain_numbers_of_numpy_and_torch(self):
        import torch

        given = {"a": np.float32(0.5), "b": np.int64(3), "c": torch.tensor(2.0), "d": np.float64(1.5), "e": True}
        plain = scalars(given)
        assert plain == {"a": 0.5, "b": 3, "c": 2.0, "d": 1.5, "e": 1}
        assert [type(value) for value in plain.values()] == [float, int, float, float, int]

    @pytest.mark.parametrize("value", ["high", np.zeros(3), None, [1]])
    def test_refuses_what_is_no_number_and_names_it(self, value):
        with pytest.raises(ValueError, match=r"metric 'loss' is .*not one number"):
            scalars({"fine": 1, "loss": value})

    @pytest.mark.parametrize("name", ["step", "attempt", "final"])
    def test_refuses_reserved_names(self, name):
        with pytest.raises(ValueError, match=f"'{name}' is reserved"):
            scalars({name: 1})


class TestRows:
    ROWS = (
        {"step": 1, "loss": 0.25, "träge": 3},
        {"a": float("inf"), "b": float("-inf")},
        {"final": True, "x": 1e-300},
    )

    def test_come_back_as_they_were(self, tmp_path):
        data = b"".join(map(encode_row, self.ROWS))
        assert decode_rows(data, path=tmp_path) == list(self.ROWS)

    def test_are_strict_json_also_where_numbers_are_not_finite(self, tmp_path):
        line = encode_row({"x": float("nan"), "y": float("inf"), "z": float("-inf")})
        assert line == b'{"x": "NaN", "y": "Infinity", "z": "-Infinity"}\n'
        assert np.isnan(decode_rows(line, path=tmp_path)[0]["x"])

    def test_cut_anywhere_give_the_rows_before_the_cut(self, tmp_path):
        lines = [encode_row(row) for row in self.ROWS]
        data = b"".join(lines)
        ends = np.cumsum([len(line) for line in lines])
        for cut in range(len(data) + 1):
            assert decode_rows(data[:cut], path=tmp_path) == list(self.ROWS[: int((ends <= cut).sum())])

    @pytest.mark.parametrize("bad", [b"{", b"", b"[1]", b'{"a": "high"}', b"\xff\x00", b'{"a": 1}{"a": 1}'])
    def test_name_file_and_line_of_a_damaged_one(self, tmp_path, bad):
        data = encode_row({"a": 1}) + bad + b"\n" + encode_row({"a": 2})
        with pytest.raises(RunError, match=r"metrics\.jsonl, line 2: .*remove the line"):
            decode_rows(data, path=tmp_path / "metrics.jsonl")


class TestWithoutSuperseded:
    def test_a_step_logged_again_after_a_resume_counts_once(self):
        first = [{"step": 1, "loss": 3}, {"step": 2, "loss": 2}, {"step": 2, "accuracy": 0.5}]
        second = [{"step": 2, "loss": 2, "attempt": 2}, {"step": 3, "loss": 1, "attempt": 2}]
        assert without_superseded(first + second) == [first[0], first[2], *second]

    def test_within_one_attempt_everything_stays(self):
        rows = [{"step": 1, "loss": 3}, {"step": 1, "loss": 4}, {"loss": 5}, {"loss": 5, "attempt": 2}]
        assert without_superseded(rows) == rows


class TestTables:
    def test_come_back_with_index_types_and_gaps(self):
        table = pd.DataFrame(
            {"head": ["0.1", "1.10"], "score": [0.5, np.nan], "n": [1, 2]}, index=pd.Index(["x", "y"], name="row")
        )
        pd.testing.assert_frame_equal(decode_table(encode_table("heads", table)), table)

    @pytest.mark.parametrize("column", [[1, "x"], [object()]], ids=["mixed", "objects"])
    def test_name_the_table_that_has_no_parquet_type(self, column):
        with pytest.raises(ValueError, match="table 'heads' cannot be stored"):
            encode_table("heads", pd.DataFrame({"a": column}))


class TestArrays:
    def test_come_back_bit_by_bit_and_writable(self):
        arrays = {
            "b strided": np.arange(12.0).reshape(3, 4).T[::2],
            "a scalar": np.array(3.5),
            "empty": np.zeros((2, 0), dtype=np.float32),
            "flags": np.array([True, False]),
            "gaps": np.array([np.nan, -0.0, np.inf], dtype=np.float16),
            "counts": np.arange(3, dtype=np.int8),
        }
        back = decode_arrays(encode_arrays(arrays))
        assert list(back) == sorted(arrays)
        for name, array in arrays.items():
            assert (back[name].dtype, back[name].shape) == (array.dtype, array.shape)
            assert back[name].tobytes() == array.tobytes()
            assert back[name].flags.writeable, "torch.from_numpy warns of read-only arrays"

    @pytest.mark.parametrize(
        "array",
        [np.array(["1.3", "", "Zürich\n"]), np.array([["a", "b"], ["c", '"']]), np.array([], dtype=np.str_)],
        ids=["one axis", "two axes", "none"],
    )
    def test_of_text_come_back(self, array):
        back = decode_arrays(encode_arrays({"names": array, "numbers": np.zeros(2)}))
        assert back["names"].tolist() == array.tolist()
        assert back["names"].dtype.kind == "U"
        assert back["numbers"].tolist() == [0.0, 0.0]

    def test_of_text_are_the_same_bytes_in_every_process(self):
        """safetensors alone writes its metadata in the order of a hash map, which is another each time."""
        arrays = {name: np.array(["x", name]) for name in "fbdaceg"} | {"numbers": np.arange(3, dtype=np.int16)}
        data = encode_arrays(arrays)
        header = (
            '{"__metadata__":{' + ",".join(f'"{name}":"[\\"x\\", \\"{name}\\"]"' for name in "abcdefg") + "},"
            '"numbers":{"dtype":"I16","shape":[3],"data_offsets":[0,6]}}'
        ).encode()
        header += b" " * (-len(header) % 8)
        assert data == len(header).to_bytes(8, "little") + header + np.arange(3, dtype=np.int16).tobytes()
        assert {encode_arrays(arrays) for _ in range(20)} == {data}

    def test_of_older_files_are_read_in_whatever_order(self):
        header = {name: json.dumps([name]) for name in ("b", "a", "träge")}
        back = decode_arrays(safetensors.numpy.save({"c": np.zeros(2)}, metadata=header))
        assert {name: array.tolist() for name, array in back.items()} == {
            "a": ["a"], "b": ["b"], "c": [0.0, 0.0], "träge": ["träge"]
        }  # fmt: skip

    def test_of_tensors_with_a_header_are_the_same_bytes(self, tmp_path):
        header = {name: name.upper() for name in "fbdaceg"}
        tensors = {"w": torch.arange(3.0)}
        for nth in range(10):
            save_tensors(tmp_path / str(nth), tensors, header=header)
        assert len({(tmp_path / str(nth)).read_bytes() for nth in range(10)}) == 1
        told, back = load_tensors(tmp_path / "0", what="file", way_out="none")
        assert (told, back["w"].tolist()) == (header, [0.0, 1.0, 2.0])

    def test_name_what_can_not_be_stored(self):
        with pytest.raises(ValueError, match=r"names: object.*put other things into tables\(\)"):
            encode_arrays({"fine": np.zeros(2), "names": np.array([None])})
