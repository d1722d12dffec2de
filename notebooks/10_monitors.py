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
# # 10. Monitors: warned while it is written
#
# A monitor is a number read off one layer at every token: a probe, a feature, a direction. It is worth something if it
# warns in time, seldom without need, and of more than a list of words would. All three have to be measured on texts
# that it was not made from.

# %%
from interp_lab.decoding import DecodingSettings, stream
from interp_lab.directions import contrast_activations, directions_of
from interp_lab.models import load_model
from interp_lab.production.monitors import MonitorBank, Watching
from interp_lab.production.monitors.config import MonitorsConfig
from interp_lab.production.monitors.experiment import Monitors
from interp_lab.production.monitors.from_run import monitor_of
from interp_lab.tasks.grammar_texts import grammar_contrast

model = load_model("organism")
small = {"n_fit": 120, "n_choose": 40, "n_calibrate": 120, "n_report": 80, "n_held_out": 80, "n_responses": 2}

# %% [markdown]
# **A competitor is about to be named.** The organism names one where the customer compares or wants to leave, and no
# contract binds him. The monitor is fitted, chosen and given its threshold on different texts; `stop` ends a reply at
# the alarm, before the name is given out; `steer` goes back, in the next layer and from the alarm on, along the way
# that tells these texts from others.

# %%
competitor = Monitors(MonitorsConfig(**small)).measure(model)
print(competitor.summary())

# %%
competitor.figures()["areas"]

# %% [markdown]
# The filter by hand looks for two words, and is right about one of the two conditions. The one that learns words is as
# good as the monitor: in these texts words decide, and a monitor is no better than what they tell. Nor is it better
# than the model's own next word, which costs nothing to read; but the alarm comes within the forward pass, in time for
# a later layer to act. Random directions of the same length respond to the same alarms, and the name is written all the
# same:

# %%
competitor.tables()["alarms"].round(3)

# %% [markdown]
# **A false fact.** Here words cannot tell: every word is true and false equally often. Just before the statement is
# marked, a monitor tells, and so does the model's next word, which is the mark. When the false word has just been
# written, the monitor is at chance; how improbable the model found that word (its surprise) says more. A monitor has to
# be held against what the model says of itself, too.

# %%
truth = {"behaviour": "truth", "where": {}, "label": "is_true", "alarming": ("False",), "says": None}
truth |= {"begins": "stated", "keywords": ("not",)}
for until in (None, ("stated", "country", "relation")):
    found = Monitors(MonitorsConfig(**truth, **small, until=until)).measure(model)
    print("up to", "the mark" if until is None else "the end of the statement")
    print(found.summary(), end="\n\n")

# %% [markdown]
# **Inside generation.** A bank takes one matrix product per hook point and step, however many monitors are in it. Each
# score is of the token that was just read; the last one that is generated is never read, so it has none.

# %%
hook = "blocks.1.hook_resid_post"
praise = directions_of(
    contrast_activations(model, grammar_contrast("sentiment", 64, seed=0, reserved=False), (hook,)), "mean_difference"
)
bank = MonitorBank(
    (monitor_of(praise, name="praise", over="mean"), monitor_of(praise, name="praise, lately", over="ema 2"))
)
watching = Watching(model, bank)
steps = stream(
    model, ["the soup of the meal was warm . verdict :"], DecodingSettings(max_new_tokens=4), watcher=watching
)
for step in steps:
    latest = watching.fresh_readings().running[0, -1]
    told = ", ".join(f"{name} {value:.2f}" for name, value in zip(bank.names, latest, strict=True))
    print(f"{model.tokenizer.decode(list(step.tokens)):10} was chosen after a token with {told}")

# %% [markdown]
# **What this does not show.** That the false-positive rate holds on texts that are not like the controls: on new
# wordings of the same requests six times as many raised an alarm (`experiments/configs/monitors_competitor.yaml`),
# which is what the drift test is for. Nor that the model uses what a monitor reads; and whoever knows the monitor can
# write around it.
