"""Text whose every latent variable is known: organisms learn from it, and instruments are judged on it."""

from interp_lab.organisms.grammar.behaviour import Behaviour, Latents, Value
from interp_lab.organisms.grammar.example import Example
from interp_lab.organisms.grammar.template import Template

__all__ = ["Behaviour", "Example", "Latents", "Template", "Value"]
