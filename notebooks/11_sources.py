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
# # 11. Sources: where does this answer come from?
#
# A model is given four statements that contradict each other, and a question. It names a word; only one statement has
# that word. So for once it is known where an answer comes from, and every method that claims to say so can be scored.

# %%
from IPython.display import HTML

from interp_lab.models import load_model
from interp_lab.production.sources import SourcesConfig, SourcesExperiment, highlight

model = load_model("organism")
sources = [
    "letter Oslo is one capital , by Yarnova .",
    "card Tokyo is one , by Yarnova .",
    "map Paris is one , by Yarnova .",
    "book Rome is one , by Yarnova .",
]
found = highlight(model, "by Yarnova it is map", sources, max_new_tokens=1)
print(found.summary())

# %% [markdown]
# **One prompt.** Each source is left out, and the log odds of the answer are read again: `leave-one-out`. `random
# subsets` leaves out several at a time and fits a line; its interval says how much that hangs on which subsets were
# drawn. The numbers stand at the head of each source, the colours only repeat them. Attention points at another source
# here, and a warning says so in plain words.

# %%
HTML(found._repr_html_())

# %% [markdown]
# **A wrong answer has a source, too.** Asked for the letter, the organism names what the book says. The ablation tells
# where that comes from, not where it should have come from. (Any other answer can be asked about: give it as `answer`.)

# %%
print(highlight(model, "by Yarnova it is letter", sources, max_new_tokens=1).summary())

# %% [markdown]
# **Can such a highlight be believed?** The experiment asks many prompts. The organism was trained on two statements;
# with four, its answer is that of a wrong one in a third of prompts, so that who looks for the words of the query finds
# the statement that *should* have been used, not the one that was. Scores are made by taking sources out of the text,
# and tested by hiding them from all that follows; templates that were held out test them again.

# %%
result = SourcesExperiment(SourcesConfig(n_prompts=48, n_held_out=24, n_shown=2)).measure(model)
print(result.summary())

# %%
result.figures()["accuracy"]

# %% [markdown]
# **Where they disagree.** `n_apart` counts prompts on which a method and leaving one out name different sources; beside
# it stands who is right there.

# %%
result.tables()["agreement"][["method", "split", "tau", "n_apart", "right_where_apart", "ablation_right_where_apart"]]

# %% [markdown]
# **What it costs.** Prompts without one of their sources begin like the whole prompt, and that beginning is run once.
# What this does not show: that a source is true, what the model would do with others, and how these methods fare on
# long documents; for your own, write queries and sources into a `.jsonl` file and set `task` to it.

# %%
f"{result.report.n_tokens} tokens run, of {result.report.n_whole} of whole prompts"
