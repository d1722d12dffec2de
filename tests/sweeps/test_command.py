import re

import pytest
from wandb.sdk.launch.sweeps.utils import create_sweep_command, create_sweep_command_args

from interp_lab.config import ConfigError, parse_overrides
from interp_lab.registry import EXPERIMENTS
from interp_lab.sweeps.command import arguments, base_of, expanded, overrides_in, problems_of_command, trial_argv
from interp_lab.sweeps.parameters import parse_parameters
from interp_lab.sweeps.space import SweepError
from tests.sweeps.shapes import ENTRY

BLOCK = {
    "optim": {"parameters": {"lr": {"value": 0}, "betas": {"parameters": {"first": {"value": 0}}}}},
    "training.saes.topk.k": {"value": 0},
    "layers": {"value": 0},
    "flag": {"value": 0},
}
VALUES = [
    {"optim.lr": 1e-05, "optim.betas.first": 0.9, "training.saes.topk.k": 16, "layers": [0, 1], "flag": True},
    {"optim.lr": -3, "optim.betas.first": None, "training.saes.topk.k": "a b", "layers": "all", "flag": False},
    {"optim.lr": "x=y", "optim.betas.first": [0.1], "training.saes.topk.k": {"a": 1}, "layers": [], "flag": None},
]


def given(values):
    problems = []
    args = arguments(values, parse_parameters(BLOCK, problems=problems))
    assert not problems
    return args


def as_wandb_runs_it(command, args):
    """The lines of W&B's agent between the command of the sweep and that of the process, with its own functions."""
    filled = create_sweep_command(list(command))
    macros = create_sweep_command_args({"args": {name: {"value": value} for name, value in args.items()}})
    macros |= {"interpreter": ["python"], "program": ["train.py"], "env": ["/usr/bin/env"]}
    return tuple(
        word
        for part in filled
        for word in (macros[part[2:-1]] if part.startswith("${") and part.endswith("}") else [part])
    )


class TestExpanded:
    @pytest.mark.parametrize("values", VALUES)
    @pytest.mark.parametrize("macro", ["${args}", "${args_no_equals}", "${args_no_boolean_flags}"])
    def test_is_what_an_agent_of_wandb_runs(self, monkeypatch, values, macro):
        monkeypatch.setenv("CONFIG_FOLDER", "some where")
        command = ("${env}", "${interpreter}", "${program}", "--a", "${envvar:CONFIG_FOLDER}/c.yaml", macro, "--b=1")
        args = given(values)
        mine = expanded(command, program="train.py", args=args)
        assert mine == as_wandb_runs_it(command, args)

    def test_a_nested_block_is_one_mapping_and_a_dotted_name_is_not(self):
        assert expanded(["${args}"], program=None, args=given(VALUES[0])) == (
            "--flag=True",
            "--layers=[0, 1]",
            "--optim={'betas': {'first': 0.9}, 'lr': 1e-05}",
            "--training.saes.topk.k=16",
        )

    @pytest.mark.parametrize("values", VALUES)
    @pytest.mark.parametrize("macro", ["${args}", "${args_no_equals}"])
    def test_interp_lab_run_reads_it_back(self, values, macro):
        read = parse_overrides(expanded([macro], program=None, args=given(values)))
        assert read["optim"] == {"lr": values["optim.lr"], "betas": {"first": values["optim.betas.first"]}}
        assert read["training"]["saes"]["topk"]["k"] == values["training.saes.topk.k"]
        assert (read["layers"], read["flag"]) == (values["layers"], values["flag"])

    def test_values_that_are_left_out_stay_as_they_are(self):
        assert given({}) == {}
        assert given({"optim.lr": 2}) == {"optim": {"lr": 2}}

    def test_a_value_of_no_parameter_is_refused(self):
        with pytest.raises(SweepError, match=r"optim\.lrr: no parameter of this sweep; did you mean 'optim\.lr'"):
            given({"optim.lrr": 1})


class TestTrialArgv:
    def test_the_environment_in_front_changes_nothing(self):
        argv = trial_argv(["${env}", "interp-lab", "run", "c.yaml", "${args}"], program=None, args={"a": 1})
        assert argv == ("interp-lab", "run", "c.yaml", "--a=1")

    @pytest.mark.parametrize(
        "command",
        [
            ["${env}", "${interpreter}", "${program}", "${args}"],
            ["interp-lab", "verify", "${args}"],
            ["interp-lab", "run", "${args}"],
            ["interp-lab", "run", "--fold=search", "c.yaml"],
            ["python", "-m", "interp_lab", "run", "c.yaml"],
        ],
    )
    def test_anything_else_is_refused(self, command):
        with pytest.raises(SweepError, match=r"a trial is \[interp-lab, run, CONFIG\.yaml, --fold=search"):
            trial_argv(command, program="train.py", args={})


class TestOverrides:
    def test_options_of_the_command_itself_are_left_out(self):
        options = ["--wandb", "auto", "--fold=search", "--resume", "--out=x", "--wandb=off", "--n_pairs", "16"]
        assert overrides_in(options) == {"fold": "search", "n_pairs": 16}

    def test_what_is_no_option_is_refused(self):
        with pytest.raises(ConfigError, match=r"expected an override such as --data\.n=3, got 'fold=search'"):
            overrides_in(["fold=search"])


class TestBase:
    def test_is_the_experiment_its_file_and_what_the_command_sets(self, tmp_path, monkeypatch):
        monkeypatch.setitem(EXPERIMENTS, "shape", ENTRY)
        monkeypatch.chdir(tmp_path)
        (tmp_path / "c.yaml").write_text("experiment: shape\nlabel: mine\nn: 64\n")
        base = base_of(["interp-lab", "run", "c.yaml", "--wandb", "auto", "--n=32", "${args}"], program=None)
        assert (base.experiment, str(base.config_path)) == ("shape", "c.yaml")
        assert base.overrides == {"n": 32}
        assert (base.config().label, base.config().n) == ("mine", 32)
        assert (base.config({"n": 16, "optim.lr": 0.5}).n, base.config({"optim.lr": 0.5}).optim.lr) == (16, 0.5)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (None, r"no config file at c\.yaml.*a path counts from the folder where the sweep is started"),
            ("n_pairs: 3", r"c\.yaml has no key experiment"),
            ("experiment: patchin", r"c\.yaml: no experiment named 'patchin'; did you mean 'patching'"),
        ],
    )
    def test_a_config_that_cannot_be_read_is_refused(self, tmp_path, monkeypatch, text, said):
        monkeypatch.chdir(tmp_path)
        if text is not None:
            (tmp_path / "c.yaml").write_text(text)
        with pytest.raises(SweepError, match=said):
            base_of(["interp-lab", "run", "c.yaml", "${args}"], program=None)


class TestProblems:
    RUN = ("interp-lab", "run", "c.yaml")

    @pytest.mark.parametrize(
        ("rest", "said"),
        [
            ((), r"has 0 of \${args}"),
            (("${args}", "${args_no_equals}"), r"has 2 of \${args}"),
            (("${args_json}",), r"has \${args_json}; put \${args} in once"),
            (("${args}", "${argz}"), r"'\${argz}' is no macro of W&B's; did you mean '\${args}'"),
            (("${args}", "--x=${program}"), r"'--x=\${program}' is no macro"),
            (("${args}", "${envvar:NO_SUCH_THING}"), "NO_SUCH_THING is not set; W&B would write 'NO_SUCH_THING'"),
            (("${args}", "--out", "x"), "'--out' would be the same for every trial"),
            (("${args}", "--out=x"), "'--out=x' would be the same for every trial"),
        ],
    )
    def test_each_is_named(self, rest, said):
        found = list(problems_of_command([*self.RUN, *rest], program=None))
        assert len(found) == 1
        assert re.search(said, found[0])

    def test_a_sound_one_has_none(self, monkeypatch):
        monkeypatch.setenv("HERE", "x")
        assert not list(problems_of_command([*self.RUN, "--a=${envvar:HERE}", "${args}"], program=None))

    def test_a_program_that_is_not_named(self):
        found = list(problems_of_command(["${interpreter}", "${program}", "${args}"], program=None))
        assert "program: required by ${program} in the command, but not given" in found
