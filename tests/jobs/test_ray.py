"""The same jobs on a cluster of two nodes, one of which dies in the middle; and a Ray that is not there."""

import importlib.util
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

DRIVER = """
import json, sys, threading
from pathlib import Path
from ray.cluster_utils import Cluster
from interp_lab.jobs import executor, run_all
from tests.jobs.processes import family, living, pids_of, shell, soon

folder = Path(sys.argv[1])
notes, go = folder / "notes", folder / "go"
WORK = "echo begun {0} $$ >> {1}; until [ -e {2} ]; do sleep 0.05; done; echo ended {0} $$ >> {1}"
jobs = [shell(name, WORK.format(name, notes, go), folder, lock=folder / f"{name}.lock") for name in "abcd"]
small = {"num_cpus": 1, "object_store_memory": 100_000_000}
cluster = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
doomed = cluster.add_node(**small)
told = {}

def kill_a_node_once_both_work():
    told["both worked"] = soon(lambda: notes.is_file() and len(notes.read_text().splitlines()) == 2, within=30)
    pids = [int(line.split()[2]) for line in notes.read_text().splitlines()]
    cluster.remove_node(doomed, allow_graceful=False)
    told["one died"] = soon(lambda: len(living(*pids)) == 1)
    go.touch()

with executor("ray", workers=2, threads=1, address=cluster.address) as workers:
    killer = threading.Thread(target=kill_a_node_once_both_work)
    killer.start()
    outcomes = run_all(jobs, workers, retries=0)
    killer.join()
    stopped = workers.submit(family("stopped", folder))
    pids = pids_of("stopped", folder)
    workers.stop("stopped")
    end = stopped.result(timeout=20)
    gone = soon(lambda: not living(*pids))
    limited = workers.submit(shell("limited", "sleep 300", folder, time_limit=0.2)).result(timeout=20)
cluster.shutdown()
told["ends"] = {name: [one.ended.value, one.reason] for name, one in outcomes.items()}
told["limited"] = [limited.ended.value, limited.reason]
told["stopped"] = [end.ended.value, gone]
print(json.dumps(told))
"""


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs the extra ray")
class TestTwoNodes:
    def test_a_node_is_killed_and_every_job_ends_once(self, tmp_path):
        command = [sys.executable, "-W", "error", "-c", DRIVER, str(tmp_path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout.splitlines()[-1])
        assert (told["both worked"], told["one died"]) == (True, True)
        assert told["ends"] == {name: ["done", ""] for name in "abcd"}
        notes = [line.split() for line in (tmp_path / "notes").read_text().splitlines()]
        begun = Counter(name for what, name, _ in notes if what == "begun")
        assert Counter(name for what, name, _ in notes if what == "ended") == dict.fromkeys("abcd", 1)
        assert sorted(begun.values()) == [1, 1, 1, 2], "what was on the dead node began again, and nothing else"
        assert told["stopped"] == ["stopped", True]
        assert told["limited"] == ["timed out", "not done after 0.2 s"]


def test_a_missing_package_is_named_with_the_way_to_get_it():
    code = (
        "import sys; sys.modules['ray'] = None\n"
        "from interp_lab.jobs import executor\n"
        "try:\n    executor('ray', workers=1).__enter__()\n"
        "except RuntimeError as error: print(error)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told == ("the backend ray needs the package ray: pip install 'interp_lab[ray]', or take the local backend\n")
