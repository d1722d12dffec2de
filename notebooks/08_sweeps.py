# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 8. Sweeps: which setting is best, and is it still best elsewhere?
#
# Try many settings and one of them comes out on top. It would do so if settings made no difference at all: the best of
# six draws is better than a draw. So a sweep searches on one *fold* of the examples, and what it finds is measured
# again on the other, with fresh seeds, beside the config as it was.
#
# A definition is a YAML file as W&B takes it. Here: how strongly should a probe be regularised that reads off the
# organism whether a statement is true? What is maximised is *selectivity*, the probe's score less the score that it
# reaches on control tasks (a random label for every word): by the score alone, every setting is perfect.

# %%
from pathlib import Path
from tempfile import mkdtemp

import yaml

from interp_lab.sweeps import SweepError, read_definition
from interp_lab.sweeps.driver import run_sweep
from interp_lab.sweeps.settings import SweepSettings

folder = Path(mkdtemp())
config = Path("experiments/configs/probe_truth.yaml")
config = next(path for path in (config, ".." / config, "../.." / config) if path.is_file()).resolve()
asked = {
    "name": "regularisation",
    "method": "grid",
    "metric": {"name": "truth.is_true.selectivity", "goal": "maximize"},
    "parameters": {"kind": {"values": ["ridge", "logistic"]}, "penalties": {"values": [[0.01], [10.0]]}},
    "command": [
        "interp-lab", "run", str(config), "--fold=search", "--positions=[end]", "--topic=None", "--n_documents=320",
        "--n_controls=3", "--n_untrained=1", "--n_held_out=None", "--mlp=None", "--causal=False", "${args}",
    ],
}  # fmt: skip


def written(name, definition):
    (folder / name).write_text(yaml.safe_dump(definition))
    return folder / name


definition = read_definition(written("regularisation.yaml", asked))

# %% [markdown]
# **Every value is tried on the config first.** A misspelt field, a value out of range: all of it is said before the
# first run.

# %%
wrong = {**asked, "parameters": {"penaltys": {"values": [[0.1]]}, "kind": {"values": ["ridge", "lasso"]}}}
try:
    run_sweep(read_definition(written("wrong.yaml", wrong)), SweepSettings(), folder / "wrong")
except SweepError as error:
    print(error)

# %% [markdown]
# **The sweep.** Trials are ordinary runs, forked from a process that has imported everything. The same from the command
# line is `interp-lab sweep FILE --workers 2`; killed at any moment, it goes on with `--resume`.

# %%
result = run_sweep(definition, SweepSettings(workers=2, threads=1, held_out_seeds=3), folder / "sweep")
print(result.summary())

# %% [markdown]
# **All trials**, ranked by what was searched for.

# %%
result.tables()["trials"]

# %% [markdown]
# **What is left of the winner.** Four numbers: winner and base config, in the search and on held-out examples. The gap
# between the winner's two is its *shrinkage*. Two things go into it. The winner was chosen, in part for its luck; and
# the other fold may be harder. The second would happen to the base config too, which nobody chose, so its own gap
# stands beside: what the winner loses *beyond* that is the price of having been chosen. The claim, if there is one, is
# about the difference on held-out examples.

# %%
result.figures()["held_out"]

# %%
result.tables()["again"]

# %% [markdown]
# **What this does not show.** That the winner is the best there is: only that it is better than the config as it was,
# on other examples of the same kind, if the interval says so. Nor which parameter mattered: importance is estimated
# beside that of a shuffled metric, and takes nine trials at the least (`experiments/sweeps/probe_regularisation.yaml`
# has sixteen, and they say little). And a metric that is easily won is won by settings that exploit it.
#
# A direction or an autoencoder of another run carries what that run read. In a sweep it may be used only if it was made
# with `--fold=search` as well; that is checked before the first trial.
