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
# # 7. An investigation: search, write down, then test
#
# Each chapter so far looked at a behaviour with one method, and each method held back some prompts of its own. Whoever
# uses six methods one after the other, and turns back when something interesting comes up, has seen every prompt long
# before the last claim. An *investigation* puts the methods in an order and a line through the list: above it anything
# may be looked for, on one fold of the examples; at the line, what is to be claimed is written to disk; below it, each
# of these sentences is tested once, on examples and templates that were closed until then.

# %%
from pathlib import Path
from tempfile import mkdtemp

from interp_lab.folds import FoldError, sealed
from interp_lab.investigation import InvestigationConfig, InvestigationError, investigate, plan
from interp_lab.investigation.page import write_investigation
from interp_lab.models import load_model
from interp_lab.tasks import pairs_for

asked = {
    "investigation": "facts",
    "question": "Asked for a country's capital or language, which heads carry the country to the answer?",
    "model": "organism",
    "task": "grammar/facts",
    "n_most": 4,
    "steps": [
        {
            "name": "behaviour",
            "experiment": "behaviour",
            "gate": True,
            "config": {"n_pairs": 48, "n_held_out": 16, "n_untrained": 2, "n_shuffled": 2, "capabilities": []},
        },
        {
            "name": "patch",
            "experiment": "patching",
            "config": {"n_pairs": 48, "n_held_out": 24, "sites": ["z"], "n_random_sets": 5},
        },
        "hypotheses",
        "confirm",
    ],
}
config = InvestigationConfig.from_mapping(asked)

# %% [markdown]
# **Everything that can be wrong is said first**: a step that does not exist, a field its config has not, a reference to
# a later step.

# %%
folder = Path(mkdtemp())
misspelt = {"name": "patch", "experiment": "patchin"}
later = {"name": "circuit", "experiment": "circuits", "config": {"roles": {"run": "@heads", "artefact": "heads"}}}
try:
    plan(InvestigationConfig.from_mapping({**asked, "steps": [misspelt, later]}), folder / "wrong")
except InvestigationError as error:
    print(error)

# %% [markdown]
# **The seal.** Until the file of hypotheses exists, held-out examples and reserved templates cannot be had, by any step
# or task; this is what an investigation does around its steps.

# %%
model = load_model("organism")
with sealed(folder / "no hypotheses yet.json"):
    try:
        pairs_for(model, "grammar/facts", 8, seed=0, reserved=True)
    except FoldError as error:
        print(error)

# %% [markdown]
# **The investigation.** From the command line: `interp-lab investigate FILE --out FOLDER`, with `--quick` or
# `--thorough`; stopped, the same command with `--resume` goes on at the first step that is not complete. Files are in
# `experiments/investigations/`.

# %%
found = investigate(config, folder / "facts")
print({name: round(seconds, 1) for name, seconds in found.seconds.items()})

# %% [markdown]
# **Is there anything to explain?** The first step is a gate: were the answer not decided by the prompt, beyond what
# untrained models and exchanged answers give, everything would end here.

# %%
print(found.steps[0].result.summary())

# %% [markdown]
# **What was written down.** A statement names no number that was measured, so that the test can make the very same
# sentence, or not. What was seen in the search stands beside it; it was chosen for being large, and is no forecast.

# %%
for one in found.hypotheses:
    print(f"{one.id}  {one.statement}\n    seen: {one.observed} {one.unit}; refuted if: {one.refuted_if}")
print("SHA-256", found.hypotheses_hash)

# %% [markdown]
# **What became of it.** One test each, with the choice stated in advance, and one correction over all of them.
# *Causal*: on other examples. *Replicated*: also on templates that nobody had seen.

# %%
for one in found.decided:
    print(f"{one.hypothesis.id}  {one.grade!s:12} {'holds' if one.holds else 'refuted'}: {one.why}")

# %% [markdown]
# **One page**, self-contained: hypotheses, evidence, what methods agree and disagree on, what stays open, and how to
# make it again; with Markdown and JSON beside it.

# %%
page = write_investigation(found, reproduce="notebooks/07_investigation.py")
print(page.name, f"{page.stat().st_size / 1e6:.1f} MB")
print(*sorted(path.name for path in page.parent.iterdir()), sep=", ")

# %% [markdown]
# **Hypotheses cannot be changed afterwards.** The file's hash was taken when what is held out was opened.

# %%
written = folder / "facts" / "hypotheses.json"
before = written.read_text()
written.write_text(before.replace(found.hypotheses[0].statement, "what we would rather have said"))
try:
    investigate(config, folder / "facts", resume=True)
except (InvestigationError, FoldError) as error:
    print(error)
written.write_text(before)

# %% [markdown]
# **A null.** Labels of half of the pairs are exchanged: there is nothing to find, and the gate says so.

# %%
nothing = investigate(InvestigationConfig.from_mapping({**asked, "task": "swapped/grammar/facts"}), folder / "nothing")
print(nothing.stopped)
print(len(nothing.steps), "step ran;", len(nothing.hypotheses), "hypotheses")

# %% [markdown]
# **What this does not show.** What was not asked: heads outside of the list of steps, features, other tasks. A test on
# held-out templates is a test on other words of the same kind, drawn by the same grammar. What is refuted may be true
# and small. And a hypothesis that holds says that a head carries the difference between two prompts; how it does, and
# what stands in for it when it is gone, are the questions of chapters 2 and 3.
