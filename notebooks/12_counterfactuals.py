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
# # 12. Counterfactuals: what would have to be different?
#
# A loan is granted. Which smallest change of the application would have had it refused? That is a question about the
# model that needs no look inside: write the text again, and read the answer. What it takes is care about which texts
# are tried, and about what random changes do.

# %%
from IPython.display import HTML

from interp_lab.models import load_model
from interp_lab.production.counterfactuals import Counterfactuals, CounterfactualsConfig, Reach, counterfactuals

model = load_model("organism")
application = (
    "Anna , a nurse from Eastgate , has high income , low debt and low savings . the form came on Monday , plain paper "
    "with a round seal . the loan was"
)
slots = {
    "income": ["low income", "medium income", "high income"],
    "debt": ["low debt", "medium debt", "high debt"],
    "savings": ["low savings", "medium savings", "high savings"],
    "town": ["Eastgate", "Millbrook", "Northside", "Oakridge", "Riverdale", "Westfield"],
}
found = counterfactuals(model, application, [" approved", " rejected"], slots=slots, reach=Reach(most_edits=2))
print(found)

# %% [markdown]
# **Side by side.** Five ways to propose an edit: another value of an attribute, words that the gradient ranks first,
# words that the model itself would write there, a word left out, two words exchanged. Every flip was measured, and each
# of its edits is needed: undo it, and the answer returns. Beside the measured log odds stands what the gradient
# foretold, and the plausibility: by how much the text became less likely to the model. A word of the gradient may flip
# the answer and make a text that nobody writes.

# %%
HTML(found.html())

# %% [markdown]
# **On many texts.** One prompt is an anecdote. The experiment ranks values on some texts, puts them into others, and
# confirms what is clear on templates that no choice has seen; beside each stands what as many random edits do. With the
# finances equal, only the neighbourhood is changed; the same in the model that was taught to decide without it.

# %%
asked = CounterfactualsConfig(
    methods=("vocabulary", "gradient", "deletion"), against="organism-tuned", n_select=12, n_report=16, n_held_out=12,
    most_edits=2, beam=2, n_tried=8, n_proposed=12,
)  # fmt: skip
result = Counterfactuals(asked).measure(model)
print(result.summary())

# %%
result.figures()["tested"]

# %% [markdown]
# **How far can the gradient be believed?** The rank correlation of what single edits should do to first order with what
# they do. Where it is low, a search that trusts the gradient flips nothing and says otherwise; `interp-lab verify` has
# that as a sabotaged row. What this does not show: how the model comes to its answer, and that there is no smaller flip
# where a search found none.

# %%
result.tables()["methods"][["method", "split", "flip found", "random edits", "rank correlation", "plausibility"]].round(
    2
)
