"""A model of the grammar, settings for it, and what they do, literally."""

from functools import lru_cache

import torch

from interp_lab.decoding.where import Prompted
from interp_lab.hooks import capture
from interp_lab.models import load_model
from interp_lab.steering.gates import fit_gate
from interp_lab.steering.setting import How, Setting
from interp_lab.tasks import tokenize

HOOK, LATER = "blocks.1.hook_resid_post", "blocks.2.hook_resid_post"
TEXTS = (
    "Anna wrote about a film in Eastgate . the music was slow and the plot was light . it was one that Anna simply",
    "because the bath was warm , it was a hotel that Leo would",
    "how was the shop in Millbrook ? the milk",
)
WHERES = ("all", "all+bos", "last", "from 4", "from -3", "tokens film hotel was")


@lru_cache
def organism():
    return load_model("organism", device="cpu")


def batch(texts=TEXTS):
    read = tokenize(organism(), texts)
    return Prompted(read.tokens, read.mask, read.last)


def vectors(n_hooks=1, *, seed=0, scale=8.0):
    return scale * torch.nn.functional.normalize(
        torch.randn(n_hooks, 128, generator=torch.Generator().manual_seed(seed)), dim=-1
    )


def gate(kind, hook=HOOK, percentile=50.0):
    """A gate that opens for about half of the tokens of the texts."""
    own = batch()
    found = capture(organism(), own.tokens, [hook], mask=own.mask)[hook][own.mask]
    return fit_gate(kind, found[::2], found[1::2], hook=hook, percentile=percentile)


def setting(how="add", where="all", *, coefficient=1.0, gate=None, hooks=(HOOK,)):
    return Setting("drawn", hooks, How(how), coefficient, where, gate)


def literal_logits(setting, vectors, own, selected, *, midpoints=None):
    """Steer token by token, in a plain forward pass."""
    hooks = []
    for nth, hook in enumerate(setting.hooks):

        def edit(activation, hook, nth=nth):
            new, unit = activation.clone(), vectors[nth] / vectors[nth].norm()
            for row, position in selected.nonzero().tolist():
                here = activation[row, position]
                along = here @ unit
                if setting.how == "add":
                    new[row, position] = here + setting.coefficient * vectors[nth]
                elif setting.how == "ablate":
                    new[row, position] = here - along * unit
                else:
                    middle = 0.0 if midpoints is None else midpoints[nth]
                    aim = middle + setting.coefficient * vectors[nth].norm()
                    new[row, position] = here + (aim - along) * unit
            return new

        hooks.append((hook, edit))
    with torch.no_grad():
        return organism().run_with_hooks(own.tokens, attention_mask=own.mask.long(), fwd_hooks=hooks)
