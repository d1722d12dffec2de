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
# # 2. Activation patching: where does the answer come from?
#
# "Emma walked with Clara to the beach. Later Clara lent a pen to ..." The bundled `organism` says *Emma*. In the
# *corrupted* prompt Emma gives, and it says *Clara*. Somewhere between the one word that differs and the last position
# there are activations that carry the difference. We move them from one run into the other, one at a time: into the
# corrupted run to see whether the answer comes back (*denoising*: is it enough?), and into the clean run to see
# whether the answer gets lost (*noising*: is it needed?).

# %%
from interp_lab.models import load_model
from interp_lab.patching import Patching, PatchingConfig

model = load_model("organism")
config = PatchingConfig(task="grammar/indirect_objects", n_pairs=32, n_held_out=16)
result = Patching(config).measure(model)
print(result.summary())

# %% [markdown]
# **The residual stream, layer by place.** Prompts of eight templates, so columns are what stands somewhere and not
# where it stands. A cell is the share of the total effect that comes back; the interval is under the pointer, and the
# framed cells were chosen on other prompts.

# %%
result.figures()["resid_pre denoise"]

# %% [markdown]
# The information starts where the prompts differ, in one word, and ends at the last position, from where the answer
# is read: at layer 0 all of it is at `changed`, and with every layer more of it is at `end`.
#
# **Which heads move it.** Each head's output at all positions.

# %%
result.figures()["z denoise"]

# %% [markdown]
# **Is it the content?** A patch changes two things: it brings the right value, and it takes the run out of its tracks.
# Beside the effect of the pair's own clean value stand those of another *corrupted* prompt (the control: it does not
# know the answer) and of another *clean* one (right kind of prompt, wrong people).

# %%
result.figures()["chosen"]

# %% [markdown]
# **Enough, or needed?** Where denoising does more than noising, another site carries the same (a backup); where it does
# less, the site needs others.

# %%
result.figures()["z disagreement"]

# %% [markdown]
# **Would other prompts have named the same heads?** Prompts are resampled by template and the top sites compared: 1 is
# the same choice every time, and `chance` what two random choices share. No further forward pass is needed.

# %%
result.tables()["stability"].round(2)

# %% [markdown]
# The claims. Causal: clear of the control on prompts on which nothing was chosen. Replicated: the same on templates
# that were held out from everything.

# %%
for claim in result.claims():
    print(f"{claim.grade!s:12} {claim.statement}")

# %% [markdown]
# **Your own prompts** are a JSONL file (`interp-lab init-task` writes an example), and your own sites are groups:
# heads that are patched together, or any hook point by its name. Together heads may do more than the sum of what they
# do alone.

# %%
heads = [result.names[site] for site in result.chosen if "hook" not in result.names[site]]
groups = {"chosen heads": tuple(heads), "first MLP": ("0.hook_mlp_out",)}
mine = Patching(config.overlaid({"sites": ["z"], "groups": groups, "n_held_out": None})).measure(model)
mine.figures()["groups denoise"]

# %% [markdown]
# **What this does not show.** Anything that both prompts have in common: that somebody gives something, that a name
# must follow. It is in neither difference, so no patch moves it. Nor what is computed: a place that carries all of the
# effect may only hand it on, as `changed` does at layer 0. Which parts talk to which is the question of the next
# chapter.
