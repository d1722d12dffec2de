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
# # 13. Confidence: how likely is an answer to be right?
#
# A model gives every answer a probability. That says how likely the *word* is, not that it is right. The organism was
# trained to answer from two statements; here it reads four, and answers by the wrong one in every third prompt.

# %%
from pathlib import Path
from tempfile import mkdtemp

from interp_lab.models import load_model
from interp_lab.production.confidence import (
    Confidence,
    ConfidenceConfig,
    assess,
    load_calibration,
    save_calibration,
)
from interp_lab.production.confidence.asked import questions

model = load_model("organism")
config = ConfidenceConfig(task="grammar/sources", n_sources=4, n_held_out=128, n_shuffled=3)
found = Confidence(config).measure(model)
print(found.summary())

# %% [markdown]
# **Are probabilities what they say?** Prompts are divided: a probe is fitted on some, probabilities on others, and this
# figure is of a third part and of templates that neither saw. Points on the dotted line are calibrated. Chance alone
# makes an error, too: the table says how large it may be with so many answers.

# %%
found.figures()["reliability"]

# %%
found.tables()["probabilities"].query("part == 'report'")[
    ["probability", "calibration_error", "of_a_calibrated_one", "brier", "brier_low", "brier_high", "auroc"]
].round(3)

# %% [markdown]
# **Which signal helps?** Each is left out, and the rest fitted again. Activations tell right answers from wrong ones
# where the probability does not; drawing answers again says little more than the probability that they are drawn with.
# What this does not show: that the model knows it is wrong, or uses what the probe reads.

# %%
found.tables()["left_out"].round(4)

# %% [markdown]
# **In words.** A level is said only by a calibrated probability, and only if it was *shown* to be calibrated: the upper
# limit of its error lies below what the config allows (of 192 prompts in place of 256 it did not, and no level was said
# at all). On reserved templates activations are not like those that were
# calibrated on, so that levels are refused there. The table shows what they would have been worth.

# %%
found.tables()["levels"][["level", "part", "from", "to", "answers", "right", "within_range", "refused"]].round(2)

# %%
found.tables()["parts"][["part", "right", "strangeness_p", "strange", "levels_refused"]]

# %% [markdown]
# **One prompt.** The calibration is one file, and belongs to one model. What it says of an answer comes with how often
# such answers were right, and with the signals that are far out.

# %%
path = Path(mkdtemp()) / "calibration.safetensors"
save_calibration(found, path)
for one in questions(config)["report"][:4]:
    sources = [one.prompt[slice(*span)] for span in one.spans]
    print(one.prompt)
    print(assess(model, one.prompt, by=load_calibration(path), sources=sources))
    print("right:", *one.right, "\n")
