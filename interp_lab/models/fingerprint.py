"""Which weights: a name stays when a model is trained further, and this does not."""

import hashlib

from torch import nn

from interp_lab.types import HookedModel

_SAMPLED = 64
"""Entries of each weight that go into the checksum."""


def weights_fingerprint(model: HookedModel | nn.Module) -> str:
    """Return a checksum of some entries of every weight, which any training changes."""
    known = hashlib.blake2b(digest_size=16)
    for weight in model.parameters():
        step = max(1, weight.numel() // _SAMPLED)
        sample = weight.detach().flatten()[::step].float().cpu()
        known.update(f"{tuple(weight.shape)} {weight.dtype}".encode() + sample.numpy().tobytes())
    return known.hexdigest()
