"""The batched exact sweep: any number of interventions on one batch of prompts, each on its own, at the least cost.

Work is cut into *items*: one intervention on one prompt. An item enters the model where it first changes something (its
layer, and within it the first activation it changes), carries only the positions that can change, and leaves with the
positions that the metric reads. Items travel together: their tokens are packed behind each other, whatever prompt and
position they are of, and every layer is run once for all items that have entered. What an item does not change (keys
and values of earlier positions, everything below) comes from one run of the untouched prompts.

Where a model or a hook point does not fit this (a `TransformerBridge`, hooks of somebody else on the model, hook points
inside the normalisation), interventions are stacked on the batch axis of whole forward passes: the same numbers, later.
"""

from interp_lab.engine.sweep import Effects, sweep

__all__ = ["Effects", "sweep"]
