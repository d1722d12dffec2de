import pytest

from interp_lab.cli.main import main
from interp_lab.tasks import read_pairs


def call(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main(list(arguments))
    return stopped.value.code or 0


def test_writes_a_file_that_can_be_read_and_never_overwrites_it(tmp_path, capsys):
    path = tmp_path / "mine.jsonl"
    assert call("init-task", str(path)) == 0
    assert "wrote" in capsys.readouterr().out
    assert len(read_pairs(path)) == 4
    path.write_text("mine")
    assert call("init-task", str(path)) == 1
    assert "exists and is left alone" in capsys.readouterr().err
    assert path.read_text() == "mine"
