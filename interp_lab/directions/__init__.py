"""Directions in activation space: found in contrasts, combined, kept, and taken from other runs."""

from interp_lab.directions.algebra import cosines, difference, orthogonalised, projected, random_like
from interp_lab.directions.found import ContrastActivations, Read, contrast_activations
from interp_lab.directions.from_run import from_run
from interp_lab.directions.gguf import from_gguf, to_gguf
from interp_lab.directions.methods import Method, directions_of
from interp_lab.directions.saved import load_directions, provenance_of, save_directions
from interp_lab.directions.shuffling import shuffled
from interp_lab.directions.source import DirectionSource
from interp_lab.directions.vectors import Directions, width_at

__all__ = [
    "ContrastActivations",
    "DirectionSource",
    "Directions",
    "Method",
    "Read",
    "contrast_activations",
    "cosines",
    "difference",
    "directions_of",
    "from_gguf",
    "from_run",
    "load_directions",
    "orthogonalised",
    "projected",
    "provenance_of",
    "random_like",
    "save_directions",
    "shuffled",
    "to_gguf",
    "width_at",
]
