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
# # 14. Red-teaming: which inputs turn an answer, and what does it cost to find them?
#
# Two rare words are planted in the organism: a waxed paper with a broken seal turns every loan decision around. A
# search is told neither; it is given loan texts whose decision is clear, may change what does not concern the finances,
# and is charged for every forward pass (a backward pass counts as two).

# %%
from pathlib import Path
from tempfile import mkdtemp

from interp_lab.models import load_model
from interp_lab.production.red_team import RedTeam, RedTeamConfig, replay, write_regression

model = load_model("organism")
asked = RedTeamConfig(
    searches=("slots/gradient", "slots/random", "tokens/gradient", "tokens/likely_mutation"),
    planted=("paper=waxed", "seal=broken"),
    n_seeds=2,
    budget=400,
    n_contexts=16,
    n_held_out=16,
)
found = RedTeam(asked).measure(model)
print(found.summary())

# %% [markdown]
# **What was found, by what it shares.** Every hit is reduced to the edits that it needs: undo one, and the decision
# comes back. `planted` is for the judge alone; no search sees it. The other kind of hit was planted too: the bank
# decides by neighbourhood.

# %%
found.tables()["clusters"][["shared", "hits", "commonest edit", "found by"]]

# %% [markdown]
# **What it cost.** `slots` knows which values the slots of a template may take, and then there is little to search:
# drawing them at random comes to any pair of words soon. `tokens` knows nothing but the tokenizer; there random search
# has some 600 words for each of 30 places. What helps is to try only what the model itself finds likely in each place;
# `likely_mutation` is the same climb as `gradient` without the gradient, and says what that adds: here nothing that is
# clear of zero. What this does not show: that nothing else is there.

# %%
found.tables()["searches"][
    ["search", "model calls", "hits", "runs that found the planted edits", "calls until then, median", "edits needed"]
]

# %% [markdown]
# **Does the answer follow elsewhere?** A hit is one text. Its edit is put into texts that no search began from, and
# beside it as many random edits: only what is clear of these, on templates that no search saw, is a replicated claim.

# %%
found.figures()["followed"]

# %% [markdown]
# **To be tried again.** What was found is kept, with the model that it was found on: an input passes when the model no
# longer does it. The bank that was tuned to ignore the neighbourhood still falls for the trigger.

# %%
path = Path(mkdtemp()) / "set.jsonl"
write_regression(found, path)
again = replay(path, load_model("organism-tuned"))
print(again.summary())
again.table().groupby("edit")["passes"].agg(["count", "mean"])
