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
# # 1. Attention heads: what they look like, what they do
#
# An *induction head* looks at the token that followed the last occurrence of the current one. On random
# tokens that come twice, `[BOS, x, x]`, that is all there is to know about the second copy, so a model that
# predicts it must have something like such a head. We look for it twice: by where heads attend, and by what
# happens to the prediction when a head is silenced.

# %%
from interp_lab.attention import AttentionHeads, AttentionHeadsConfig
from interp_lab.models import load_model

config = AttentionHeadsConfig(model="organism-attn")
result = AttentionHeads(config).measure(load_model(config.model))
print(result.summary())

# %% [markdown]
# **Where the heads look.** Each cell is the share of its attention that a head pays to the token an induction
# head would look at, with the interval on hover. The types were chosen on half of the sequences; these numbers
# are from the other half.

# %%
result.figures()["induction"]

# %% [markdown]
# **What they do.** Each head's output is replaced with its mean; the figure shows how much worse the second
# copy is then predicted. A head may look the part and not matter, or matter without looking it.

# %%
result.figures()["ablation"]

# %% [markdown]
# **Against a control.** Ablating any head does some damage. What counts is the damage beyond that of heads of
# no type, sequence by sequence, and these heads differ from each other, too: their spread is in the interval.

# %%
result.figures()["effects"]

# %% [markdown]
# Head 1.1 looks like an induction head as much as 1.0 does, and nothing happens without it. That is no proof that
# it does nothing: ablating one head at a time has a blind spot. So heads that look alike are ablated *together*,
# and a head that looks the part and does nothing is tried with every other head. Here the pair costs far more
# than the sum of both: 1.1 stands in for 1.0.

# %%
result.figures()["sets"]

# %% [markdown]
# The claims, with grades that are computed from these numbers:

# %%
for claim in result.claims():
    print(f"{claim.grade!s:12} {claim.statement}")

# %% [markdown]
# **What the weights say.** An induction head looks for tokens that were preceded by the current one, so its keys
# must read what a previous-token head has written: K-composition. The scores mean something beside those of the
# same heads with all that they write rotated at random.

# %%
result.figures()["k composition"]

# %% [markdown]
# **The patterns themselves**, of the heads that have a type, on one sequence:

# %%
result.figures()["patterns"]

# %% [markdown]
# **Why both are needed.** `compiled/look-alike` was written by hand: one induction head, and two heads that
# attend exactly like it and write nothing anybody reads. Attention cannot tell the three apart; ablation can.

# %%
short = {"period": 8, "second_period": 10, "held_out_period": 6, "ablations": ("zero",)}
look_alike = AttentionHeadsConfig(model="compiled/look-alike", **short)
alike = AttentionHeads(look_alike).measure(load_model(look_alike.model))
print(alike.summary())

# %% [markdown]
# In `compiled/backup` a second head, which looks nothing like an induction head, takes over as soon as the first
# falls silent. Zero-ablating the induction head alone changes nothing; the search for its partner finds the other.

# %%
backup = AttentionHeadsConfig(model="compiled/backup", **short)
spare = AttentionHeads(backup).measure(load_model(backup.model))
print(spare.summary())

# %% [markdown]
# **What this does not show.** How a head comes to look where it looks, and what it moves from there: a pattern says
# from where, not what. Types are those that somebody thought of; a head of no type is not a head without a task. And
# a head that seems idle is tried with every other, and with those that look like it: three of different looks that
# share the work can still seem idle one by one, and two by two.
