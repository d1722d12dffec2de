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
# # 4. Reading: lenses, probes, and what a prompt's tokens are worth
#
# Reading instruments describe. They say what *could* be taken from an activation, or how much the output changes with
# an input; that the model uses it is another question, which belongs to interventions. Each instrument here comes with
# a control that shows what it would read where there is nothing.

# %%
from interp_lab.input_attribution import InputAttribution, InputAttributionConfig
from interp_lab.lenses import Lenses, LensesConfig
from interp_lab.models import load_model
from interp_lab.probes import Probes, ProbesConfig

model = load_model("organism")

# %% [markdown]
# **The logit lens.** The residual stream behind every part is put through the final norm and the unembedding, as if the
# model stopped there. The right answer is *readable* if it outranks the right answers of other prompts: a lens that
# likes capitals everywhere outranks half of them.

# %%
lenses = Lenses(LensesConfig(task="grammar/facts", n_pairs=32, n_held_out=16, n_untrained=1)).measure(model)
print(lenses.summary())
lenses.figures()["readable"]

# %% [markdown]
# One place becomes readable, at one depth: the end, behind the first attention. The country's own position never is, by
# this lens. It stands there in another basis, which is what the circuit of chapter 3 found: head 0.1 moves it.
#
# **Single prompts** are examples to look at, not evidence.

# %%
next(figure for name, figure in lenses.figures().items() if name.startswith("prompt"))

# %% [markdown]
# **Probes.** Does the model hold whether a statement is true? A linear probe at every layer and place, beside all that
# it must beat: the commonest label, shuffled labels, the words themselves, models with random weights, and control
# tasks (a random label for every word), because a probe can learn those too.

# %%
probed = Probes(ProbesConfig(labels=("grammar/truth/is_true",), positions=("country", "stated", "end"))).measure(model)
print(probed.summary())
next(iter(probed.figures().values()))

# %% [markdown]
# *Decodable and used*: the second half of the verdict is an intervention. Where the direction is taken out, or the
# activation is moved along it, the verdict's lead over its opposite (11 logits) shrinks by 4 to 6, and by less than
# half a logit along random directions and those of shuffled labels. That is not yet another answer: moved, 1 or 2 in
# 100 verdicts flip; without the direction, more than a third. Nor is all of it truth: two thirds of what is tested was
# stated in training, in other templates, and on a country that was left out whole (`probe_truth.yaml` in
# `experiments/configs/`) the probe is right 8 times in 10. For sycophancy (`probe_sycophancy.yaml`) the use is unclear:
# the reply's lead shrinks by about as much as the smallest effect that counts.

# %% [markdown]
# **Which tokens does the answer hang on?** Seven methods, eight maps (integrated gradients from two baselines). Beside
# every map stand checks: what is lost when the tokens it ranks first are removed, against random orders; whether it
# ranks the tokens in which two prompts differ as exact patching does; whether it looks the same in a model with other
# weights.

# %%
config = InputAttributionConfig(task="grammar/facts", n_pairs=24, n_held_out=12, n_disturbed=6)
maps = InputAttribution(config).measure(model)
print(maps.summary())
maps.figures()["strips"]

# %% [markdown]
# The checks say which maps to believe *for what*. Where the first tokens are masked, all maps but attention rollout
# find tokens that are needed more than those of random orders. Where another prompt's tokens take their place, only
# those that differ are ordered, one to four of a prompt: there attention, rollout and input x gradient cannot be told
# from random orders. Integrated gradients from both baselines rank these tokens as exact patching does; for the other
# maps, eleven prompts with two such tokens are too few to tell.

# %%
maps.figures()["methods"]

# %% [markdown]
# **Where maps, attention and interventions disagree**, it is said in words.

# %%
print(maps.sections()[2].suggests)

# %% [markdown]
# **What this does not show.** That what is read is used, wherever no intervention was made: a lens and a probe read for
# us, not for the model. Nor that what is not read is absent: a linear probe finds no code that is not linear, and the
# logit lens none in another basis. A map of tokens says where an answer hangs, not what is made of it on the way.
