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
# # 6. Steering: a direction, what it moves, and what that costs
#
# A direction is the difference of two means: of activations on texts that praise, and on texts that blame. Add it, and
# the model may go on as if it had read praise. Whether it does, whether any other vector of that length would do as
# well, and what else breaks, has to be measured; one steered sentence shows none of it.

# %%
import pandas as pd
import torch

from interp_lab.decoding import DecodingSettings, Steer, decode
from interp_lab.directions import contrast_activations, cosines, directions_of
from interp_lab.interventions import Intervention, Op
from interp_lab.models import load_model
from interp_lab.steering import Steering, SteeringConfig
from interp_lab.steering.traits import contrast_of
from interp_lab.types import Site

model = load_model("organism")
hook = "blocks.2.hook_resid_post"

# %% [markdown]
# **Directions.** Partners in a contrast differ in what they praise or blame and in nothing else. All methods give a
# vector that points to praise and is as long as the gap between the two sides along it, so that a coefficient of 1
# means the same for each. A logistic fit asks for what tells the sides apart, not for what the model writes when it has
# told them apart: a good detector may be a poor lever.

# %%
texts = contrast_of("sentiment", 128, seed=0, reserved=False)
found = contrast_activations(model, texts, (hook,))
made = {method: directions_of(found, method) for method in ("mean_difference", "logistic", "lda", "pca")}
pd.DataFrame(
    {
        "length": {name: one.norms.item() for name, one in made.items()},
        "cosine with the mean difference": {
            name: cosines(one, made["mean_difference"]).item() for name, one in made.items()
        },
    }
)

# %% [markdown]
# **Doses, in one batch.** Every row of a batch has a coefficient of its own. The same prompt, five doses; the audit
# says which rows and tokens were touched, and steering that touches nothing is an error.

# %%
prompt = "the soup of the meal was warm . Anna said on Monday that the beer was cold . verdict :"
doses = torch.tensor([-1.0, -0.5, 0.0, 0.5, 1.0])
vector = made["mean_difference"].at(hook).vector
steer = Steer(Intervention((Site(hook),), Op.ADD, (vector,), "praise"), coefficients=doses)
written = decode(model, [prompt] * len(doses), DecodingSettings(max_new_tokens=3), steers=[steer])
for dose, text in zip(doses.tolist(), written.texts(model), strict=True):
    print(f"{dose:+.1f}  {text}")

# %%
written.audit.table().groupby("row")["norm"].agg(["count", "mean"])

# %% [markdown]
# **How far, at which price?** On many prompts, half of which praise, so that the unsteered mean is near zero: the share
# of the possible range, from -1 (blame for certain) to 1. The setting is chosen on one half of the prompts within a
# budget, divergence on text that has nothing to do with reviews and accuracy on other tasks, and reported on the rest
# and on templates that nothing was chosen on. *Add* pushes every token by the same vector; *clamp* sets the projection
# on the direction to the same value, whatever it was.

# %%
asked = SteeringConfig(
    layers=(1, 2),
    hows=("add", "clamp"),
    wheres=("all",),
    coefficients=(-1.5, -0.9, -0.7, -0.5, 0.5, 0.7, 0.9, 1.5),
    n_prompts=128,
    n_random=40,
    n_orthogonal=9,
    n_shuffled=5,
    n_priced=5,
    generated=None,
)
steered = Steering(asked).measure(model)
print(steered.summary())

# %%
steered.figures()["pareto"]

# %% [markdown]
# Every point is a setting: to the right it costs more. Adding needs most of the budget for what clamping gets at a
# fifth of the price or less: it pushes all tokens alike, those too that are where they should be, and those on the
# other side not far enough. A layer earlier, praise can be reached and blame cannot. The last layer is left out here:
# a vector added there is a fixed push on the logits, and no computation of the model comes into it.
#
# The price is a mean over text. A setting that acts on few tokens (`last`, some words, behind a gate) has a low mean
# whatever it does there: read the divergence *where it acted* beside it.

# %%
steered.tables()["chosen"][["side", "effect", "effect_low", "effect_high", "effect_on_held_out", "kl", "grade"]]

# %% [markdown]
# **Does the direction matter?** Beside what was chosen stand random vectors of its length, some of them orthogonal to
# it, directions from shuffled labels, and a baseline of words: texts of either kind put before the prompt. Only what is
# clear of the random ones is a causal claim. What it does not show: that the model uses this direction when nobody
# steers. For that, take it away.

# %%
steered.figures()["controls"]

# %% [markdown]
# **Taking a direction away.** Loans are approved less often in some neighbourhoods. Ablated, the direction between the
# two kinds of neighbourhood leaves no trait to be moved on average: what is to shrink is the *difference* between texts
# of either kind (`target: gap`; others: `measure(model, target=...)`). `experiments/mitigate_loans.py` does it, and
# compares decisions that finances should make: the gap falls by more than nine tenths, and by nearly as much on
# templates that nothing was chosen on; the contrast between the best and the worst finances stays within a point. What
# it does not show: that these are the decisions of a bank without the bias. They are those of this one about people of
# whom the direction says nothing either way, and how often cases in between are approved changes with it.
