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
# # 5. Features: a sparse autoencoder, what it keeps, and what its features do
#
# A sparse autoencoder rewrites an activation as a few of many directions, its *features*. It is an instrument with an
# error of its own: what it leaves out, and what it makes up. So it is judged first, on text that nothing was trained
# on; then its features are read; and what they do is tested last, by changing them.

# %%
from pathlib import Path
from tempfile import mkdtemp

from interp_lab.models import load_model
from interp_lab.sae.causal import FeatureEffects, FeatureEffectsConfig, Operation
from interp_lab.sae.chosen import SaeChoice, load_chosen
from interp_lab.sae.evaluation import EvaluationConfig, evaluate
from interp_lab.sae.features import DescribeConfig, FeatureStore, describe_features, sae_dictionary

model = load_model("organism")
sae = load_chosen(SaeChoice())  # bundled: TopK, 16 of 1,024 latents, residual stream behind layer 2
print(sae.hook, sae.d_in, sae.n_latents)

# %% [markdown]
# **What does it keep?** Beside it stand principal components (as many as latents are active), the mean, zero, and
# directions that nobody trained, as many as it has latents: drawn at random, or activations of other text. For every
# token a greedy search (orthogonal matching pursuit, codes of either sign) takes 16 of them. Variance explained is R2;
# the second question is what the model still predicts with the reconstruction in place of the activation.

# %%
judged = evaluate(model, {"topk": sae}, sae.hook, config=EvaluationConfig(n_tokens=20_000, n_fit_tokens=20_000))
judged.table()[["name", "l0", "r2", "r2_low", "r2_high", "ce", "ce_recovered_mean", "ce_recovered_zero"]]

# %% [markdown]
# Look at the rows `random` and `data`. Nobody trained them, and with that search random directions keep nearly all of
# what mean ablation costs, activations taken as directions even more than the autoencoder. So a high share of *loss
# recovered* is not yet a good dictionary. The row `own` gives the autoencoder's directions the same search: beside
# `data` it says what trained directions are worth, beside `topk` what an encoder loses that has one step to find codes,
# and may not use negative ones. And mean ablation is a low bar: it costs more than forgetting all context (the dotted
# line below, the loss of knowing only how often tokens come).

# %%
judged.figures()["losses"]

# %% [markdown]
# **What do features fire on?** One pass over text keeps, for every feature, how often it is active, on which tokens, in
# which contexts (weak ones too: the largest alone flatter), and what it writes to the logits. This describes.

# %%
folder = Path(mkdtemp()) / "features"
config = DescribeConfig(n_tokens=40_000)
describe_features(model, sae_dictionary(sae, model), config, folder=folder)
store = FeatureStore.open(folder)
store.features().sort_values("density", ascending=False).head(8)[["latent", "density", "top_token", "top_token_share"]]

# %% [markdown]
# `interp-lab features FOLDER --out page.html` makes a page of it, to search, sort and read.
#
# **What do they do?** The verdict of a review is positive or negative, and the corruption swaps it. Features are chosen
# on one half of the prompts and changed on the other: set to the values that they have on the corrupted prompt, token
# by token. Beside each stand random directions of the same length at the same tokens, and other features that write as
# much there.

# %%
asked = FeatureEffectsConfig(
    task="grammar/sentiment",
    n_pairs=48,
    n_held_out=24,
    n_latents=6,
    operations=(Operation.CORRUPTED, Operation.ZERO),
    text=None,
)
effects = FeatureEffects(asked).measure(model)
print(effects.summary())
effects.tables()["features"][["feature", "fires_on", "lost", "lost_low", "lost_high", "random", "grade", "writes"]]

# %% [markdown]
# A few features carry a good part of the verdict, and again on templates that nothing was chosen on. The rest is spread
# over many others, and a part goes through what the autoencoder leaves out: the account says how much.

# %%
effects.tables()["shares"]

# %% [markdown]
# **What this does not show.** That these features are the model's own parts: another autoencoder, trained with another
# seed or width, cuts the same layer into others, with other examples beside them. What a feature fires on is told by
# its examples, what it does by its effects, and the two need not fit. And a label, however well it scores, is a summary
# of examples that somebody chose.
