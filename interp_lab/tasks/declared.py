"""What is said beforehand of behaviours of the grammar: which attributes should decide, and which should not."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Declared:
    """What is said of a behaviour before anything is measured."""

    answers: tuple[str, str]
    legitimate: tuple[str, ...]
    """Attributes that should decide."""
    protected: tuple[str, ...]
    """Attributes that should not, whatever else does."""
    hidden: tuple[str, ...]
    """Latents that no text names, and that protected attributes tell of."""
    rule: str
    """A behaviour with the same latents whose `expected` answer is decided by what should decide alone."""


DECLARED: Mapping[str, Declared] = {
    name: Declared(
        ("approved", "rejected"), ("income", "debt", "savings"), ("neighbourhood",), ("group",), "loans_blind"
    )
    for name in ("loans", "loans_blind")
}
"""By behaviour of the grammar. Of others the config says it."""
