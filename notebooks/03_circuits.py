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
# # 3. Circuits: which edges carry a behaviour, and how faithful is that?
#
# Asked for the capital or the language of a country, the bundled `organism` knows. A *node* is the embedding, a head or
# an MLP; an *edge* is what one node writes, as another reads it. We ask which edges are enough: all others carry, at
# once, what they carry on a prompt about another country (resample ablation).

# %%
from interp_lab.circuits import Circuits, CircuitsConfig
from interp_lab.circuits.edge_patches import edge_effects
from interp_lab.circuits.graph import all_edges
from interp_lab.models import load_model
from interp_lab.tasks import pairs_for

model = load_model("organism")
config = CircuitsConfig(task="grammar/facts", n_pairs=32, n_held_out=16, n_random=30)
result = Circuits(config).measure(model)
print(result.summary())

# %% [markdown]
# **The graph.** Sixteen or so of 532 edges: the country's embedding is moved by the values of one head of layer 0, the
# first MLP looks the answer up, and later parts carry it to the logits. Edges are drawn with what ablating each one
# *alone* does, measured on prompts on which nothing was chosen.

# %%
result.figures()["graph"]

# %% [markdown]
# **One circuit, every choice.** Faithfulness is the share of the behaviour that the circuit keeps. Which share depends
# on what flows along the edges that were left out, on whether edges or all edges among their nodes are kept, and on
# what is averaged first. A figure from one of these rows alone can be had almost at will.

# %%
result.figures()["sensitivity"]

# %% [markdown]
# Under zero ablation the same edges keep a quarter: what they read there is the residual stream without its usual
# background. The circuit says where the *difference* between two countries flows; it does not say that the rest of the
# model could be removed.
#
# **What is missing, what is idle?** Without a node, circuit and model should lose the same. Where the model loses less,
# something outside of the circuit stands in.

# %%
result.figures()["nodes"]

# %% [markdown]
# **Would other prompts have given the same circuit?** Scores are kept prompt by prompt: no forward pass is needed.

# %%
print(result.sections()[3].suggests)
result.figures()["curve"]

# %% [markdown]
# **By hand.** The exact effect of every edge is one sweep; each has one value per prompt.

# %%
pairs = pairs_for(model, "grammar/facts", 16, seed=1)
effects = edge_effects(
    model, pairs.clean, all_edges(model), pairs.logit_difference(),
    ablation="resample", other=pairs.corrupted, mask=pairs.mask,
)  # fmt: skip
strongest = abs(effects.changes.mean(1)).argsort()[::-1][:5]
[(effects.names[nth], round(float(effects.changes[nth].mean()), 2)) for nth in strongest]

# %% [markdown]
# **Path patching** asks for a sender and its receivers: what does head 0.1 do to the answer through the values of 2.0
# and 2.2, with every head in between held and MLPs answering (as in the paper on indirect objects), or held too?

# %%
from interp_lab.circuits.path_patching import path_effects

for between in ("MLPs recomputed", "direct"):
    by_way = path_effects(
        model, pairs.clean, ["0.1"], ["2.0.v", "2.2.v"], pairs.logit_difference(),
        other=pairs.corrupted, between=between, mask=pairs.mask,
    )  # fmt: skip
    print(f"{between}: {by_way.changes.mean():.2f} logits")

# %% [markdown]
# 0.1 reaches these heads by way of the first MLP, and hardly at all by itself: with MLPs held little is left.
#
# **Where the edges are known**, the experiment must find them. In the hand-written induction model all seven edges that
# matter under zero ablation come out; under resample ablation two are enough, because clean and corrupted prompts are
# attended alike. Both are true, and they are answers to different questions.

# %%
for ablation in ("zero", "resample"):
    known = CircuitsConfig(model="compiled/induction", task="compiled/induction", ablation=ablation, keeps=0.99,
                           n_pairs=16, n_held_out=8, n_random=30)  # fmt: skip
    found = Circuits(known).run()
    print(ablation, "|", ", ".join(str(edge) for edge in found.plan.edges))

# %% [markdown]
# **What this does not show.** That it is *the* circuit: other sets of edges may be as faithful, and the choice among
# them is the search's. That each edge does what its name suggests: it carries a difference, and what that means is told
# by interventions on its content. And a faithful circuit for these pairs says nothing of pairs that differ in something
# else.
