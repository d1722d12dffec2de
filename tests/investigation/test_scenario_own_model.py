"""Your own model and pairs: a saved directory and a file are enough, and what is wrong with them is said beforehand."""

import re

import pytest
from typer.testing import CliRunner

from interp_lab.cli.main import app
from interp_lab.investigation import InvestigationError, plan, read_investigation
from tests.investigation.capitals import line, lines, save_model, write
from tests.investigation.scenarios import FOLDER, carried_out, holding, scenario

CONFIG = FOLDER / "own_model.yaml"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("own") / "model")


@pytest.fixture(scope="module")
def folder(model):
    """The whole command, as the file says, offline."""
    task, out = write(model.parent / "pairs.jsonl", lines()), model.parent / "out"
    small = ["--steps.inputs.methods=[leave_one_out]", "--steps.patch.sites=[resid_pre]", "--steps.ablate.sites=[z]"]
    done = CliRunner().invoke(
        app, ["investigate", str(CONFIG), f"--model={model}", f"--task={task}", *small, "--out", str(out)]
    )
    assert done.exit_code == 0, done.output
    return out


class TestTheWholeCommand:
    def test_finds_the_country(self, folder):
        found = read_investigation(folder)
        assert found.stopped is None
        assert any(" at country" in name for name in holding(found, step="patch"))
        assert {"changed"} & {word for name in holding(found) for word in name.split()} == set(), "roles have names"

    def test_what_the_prompts_differ_in_changes_the_answer(self, folder):
        assert holding(read_investigation(folder), step="behaviour")

    def test_writes_a_page(self, folder):
        assert (folder / "index.html").stat().st_size < 8 * 2**20


def refused(model, entries, tmp_path, *steps, **values):
    config = scenario(
        "own_model", *(steps or ("behaviour",)), model=str(model), task=str(write(tmp_path / "p.jsonl", entries)),
        **values,
    )  # fmt: skip
    with pytest.raises(InvestigationError) as told:
        carried_out(config, tmp_path / "out")
    return str(told.value)


class TestWhatGoesWrong:
    def test_what_is_not_there_is_said_before_anything_runs(self, model, tmp_path):
        config = scenario("own_model", "behaviour", model="./no/model", task="./no/pairs.jsonl")
        with pytest.raises(InvestigationError) as told:
            plan(config, tmp_path)
        assert "no model './no/model'" in str(told.value)
        assert "there is no file ./no/pairs.jsonl; `interp-lab init-task ./no/pairs.jsonl` writes one" in str(
            told.value
        )

    def test_a_pair_of_unequal_length(self, model, tmp_path):
        told = refused(
            model,
            [line("maps", "Emma", "France", "Italy", corrupted="Emma had maps of Italy that show Rome"), *lines()],
            tmp_path,
        )
        assert "must have the same number of tokens" in told
        assert "'Emma had maps of Italy that show Rome'" in told

    def test_too_few_pairs(self, model, tmp_path):
        told = refused(model, lines(("capital",)), tmp_path)
        assert "step 'behaviour': n_pairs=32, and of the lines of" in told
        assert re.search(r"held out for the test \(a third\) \d+ are different ordinary pairs; set n_pairs to", told)

    def test_an_answer_of_several_tokens(self, model, tmp_path):
        several = [{**one, "answer": one["answer"].replace("Paris", "New Town")} for one in lines()]
        told = refused(model, several, tmp_path)
        assert "have several tokens, and logit_difference reads one" in told
        assert "take kl_divergence" in told

    def test_no_reserved_template(self, model, tmp_path):
        kept = [one for one in lines() if not one["reserved"]]
        told = refused(model, kept, tmp_path, "patch")
        assert "n_held_out" in told
