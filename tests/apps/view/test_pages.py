"""The pages of one run and of two, as a reader sees them; the real command, from its start to Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.apps.view.asking import id_of, text_of, viewer
from tests.apps.view.made import BASE, keep


@pytest.fixture
def out(tmp_path):
    keep(tmp_path / "out" / "base", model="organism")
    keep(tmp_path / "out" / "tuned", [(1.2, 0.9, 1.4), (1.1, 1.0, 1.4)], model="organism-tuned", n=9, layers=(0,))
    return tmp_path / "out"


def compared(client, a, b):
    page = client.get("/compare", params={"a": id_of(client, a), "b": id_of(client, b)})
    assert page.status_code == 200
    return page


class TestRun:
    def test_shows_summary_claims_metrics_config_and_the_way_to_the_report(self, out):
        client = viewer(out)
        run = id_of(client, "out/base")
        page = client.get(f"/runs/{run}")
        text = text_of(page).replace("\u00a0", " ")
        assert "What was made up?" in text
        assert "3 heads of organism" in text
        assert "1 replicated 1 causal 1 descriptive" in text
        assert "replicated 0.0 of organism matters" in text
        assert "report, n = 32 2.000 [1.500, 2.500]" in text
        assert "strongest 2.000" in text
        assert "layers: - 0 - 1" in text
        assert "torch 2.0" in text
        assert f'href="/runs/{run}/report"' in page.text
        assert f'<option value="{id_of(client, "out/tuned")}" selected>out/tuned' in page.text

    def test_its_report_is_that_of_the_command_with_a_way_back(self, out):
        client = viewer(out)
        run = id_of(client, "out/base")
        page = client.get(f"/runs/{run}/report")
        text = text_of(page)
        assert f"interp-lab report {out / 'base'} --out report.html" in text
        assert "drawn for organism" in text
        assert f'<a href="/runs/{run}">this run</a>' in page.text


class TestCompare:
    def test_claims_of_both_with_grade_effect_and_overlap(self, out):
        text = text_of(compared(viewer(out), "out/base", "out/tuned")).replace("\u00a0", " ")
        first, _, rest = text.partition("2 claimed in both")[2].partition("0.1 of the model matters nats")
        assert "0.0 of the model matters nats replicated 2.000 [1.500, 2.500]" in first
        assert "replicated 1.200 [0.900, 1.400]" in first
        assert first.strip().endswith("apart"), "1.4 < 1.5"
        second, _, rest = rest.partition("claimed only in A")
        assert "causal 1.000 [0.800, 1.200]" in second
        assert "causal 1.100 [1.000, 1.400]" in second
        assert "overlap" in second, "1.0 < 1.2"
        assert "0.2 of the model matters" in rest.partition("claimed only in B")[0]
        assert "Overlapping intervals are no test of the difference" in text

    def test_metrics_with_their_difference_and_configs_where_they_differ(self, out):
        text = text_of(compared(viewer(out), "out/base", "out/tuned"))
        assert "strongest 2.000 1.200 -0.800" in text
        assert "n 8.000 9.000 1.000" in text
        assert "1 of 3 is the same in both" in text, "what neither measured"
        config = text.partition("Only what differs.")[2].partition("Metrics")[0]
        assert 'model "organism" "organism-tuned"' in config
        assert "layers [0, 1] [0]" in config
        assert "dtype" not in config

    def test_components_and_figures_beside_each_other(self, out):
        page = compared(viewer(out), "out/base", "out/tuned")
        text = text_of(page).replace("\u00a0", " ")
        assert "0.0, ablation 2.000 [1.500, 2.500] nats picked out, replicated 1.200 [0.900, 1.400]" in text
        assert "0.2, ablation 0.100 [-0.200, 0.400] nats not picked out, descriptive not measured" in text
        figures = text.partition("Figures effects in the model")[2]
        assert "drawn for organism B" in figures
        assert "drawn for organism-tuned" in figures
        assert f"Only in A: {'own' * 8}." in figures
        ids = re.findall(r'\bid="([^"]+)"', page.text)
        assert len(ids) == len(set(ids))

    def test_what_is_like_is_compared_without_a_warning(self, out):
        assert "Not like with like" not in text_of(compared(viewer(out), "out/base", "out/tuned"))

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"task": "grammar/facts"}, "different tasks: grammar/loans and grammar/facts"),
            ({"fold": "search"}, "different folds of the examples: all and search"),
        ],
    )
    def test_what_is_not_is_with_one(self, out, change, told):
        keep(out / "other", **change)
        text = text_of(compared(viewer(out), "out/base", "out/other"))
        assert "Not like with like" in text
        assert told in text

    def test_needs_two_runs_that_are_two_and_can_be_read(self, out):
        client = viewer(out)
        run = id_of(client, "out/base")
        for address in ("/compare", f"/compare?a={run}", f"/compare?a={run}&b="):
            assert client.get(address).status_code == 400
        same = client.get(f"/compare?a={run}&b={run}")
        assert (same.status_code, "chosen as A and as B" in text_of(same)) == (400, True)
        broken = id_of(client, "out/tuned")
        (out / "tuned" / "arrays.safetensors").unlink()
        answer = client.get(f"/compare?a={run}&b={broken}")
        assert (answer.status_code, "arrays.safetensors is missing" in text_of(answer)) == (409, True)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130)], ids=["Ctrl-C"])
def test_the_command_serves_until_it_is_interrupted(tmp_path, number, code):
    """The experiment is unknown to a process of its own, so its run is listed as one that cannot be read."""
    keep(tmp_path / "out" / "base", BASE)
    command = [sys.executable, "-c", "from interp_lab.cli.main import main; main()", "view", str(tmp_path / "out")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as server:
        assert server.stdout is not None
        said = server.stdout.readline()
        found = re.fullmatch(r"1 run at (http://127\.0\.0\.1:\d+/\?token=[\w-]{32}) until Ctrl-C\n", said)
        assert found, said
        browser = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor())
        with browser.open(found[1], timeout=60) as page:
            assert "out/base" in page.read().decode()
        server.send_signal(number)
        rest, complaints = server.communicate(timeout=60)
        assert (server.returncode, rest, complaints) == (code, "stopped; the same command goes on\n", "")
