"""What was measured of side effects, prompt by prompt, and what it amounts to."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from interp_lab.steering.side_effects.cosines import Cosines
from interp_lab.steering.side_effects.matrix import Cell, Verdict, cells
from interp_lab.steering.side_effects.on_trait import OnTrait
from interp_lab.steering.side_effects.stability import Stability


@dataclass(frozen=True)
class SideEffectsFound:
    """What directions of several traits do to each other's prompts, and how firmly they are known."""

    setting: str
    """How directions are put in, in words."""
    method: str
    """By which they are made."""
    level: float
    """Of intervals."""
    seed: int
    margin: float
    """Mean change that counts as none (share of the possible range)."""
    odds_margin: float
    """Change of log odds that counts as none (share of what a trait's own direction does)."""
    aim: float
    """Change of its own trait to which each is scaled (the same unit)."""
    coefficients: Float[np.ndarray, " trait"]
    reached: Bool[np.ndarray, " trait"]
    """Whether a trait moves as far as is aimed for; of one whose coefficient was given, true."""
    given: Bool[np.ndarray, " trait"]
    """Whether the coefficient was given, rather than found."""
    measured: tuple[OnTrait, ...]
    """One per trait, in the order of those that are steered."""
    cosines: Cosines
    stability: tuple[Stability, ...]

    @property
    def traits(self) -> tuple[str, ...]:
        """Names, in order."""
        return tuple(one.trait for one in self.measured)

    @cached_property
    def cells(self) -> list[list[Cell]]:
        """The matrix: for each trait that is measured, one cell per sign and steered trait."""
        return cells(self.measured, level=self.level, seed=self.seed)

    def verdict(self, cell: Cell) -> Verdict:
        """Return what one cell says."""
        return cell.verdict(self.margin, odds_margin=self.odds_margin)

    def cell(self, steered: str, on: str, *, sign: int = 1) -> Cell:
        """Return what one direction does to one trait.

        Raises: ValueError, for a trait that was not measured, or a sign that was not.
        """
        names = self.traits
        for one in (steered, on):
            if one not in names:
                raise ValueError(f"{one!r} was not measured; there are: {', '.join(names)}")
        row = self.cells[names.index(on)]
        found = [cell for cell in row if cell.steered == names.index(steered) and cell.sign == sign]
        if not found:
            raise ValueError(f"sign {sign} was not measured ({self.setting}); there is: 1")
        return found[0]
