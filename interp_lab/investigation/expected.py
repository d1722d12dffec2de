"""What an investigation is expected to cost, and in words how that was estimated."""

from interp_lab.config import Config


class Expected(Config):
    """Seconds of every step and test, foretold before the first."""

    seconds: dict[str, float | None]
    """By step, and by the folder of each test; `None` where nothing like it was recorded."""
    factor: float | None
    """Within which four in five recorded costs lie of what the others foretell; `None`, if too few can be checked."""
    elsewhere: tuple[str, ...] = ()
    """Steps and tests that are foretold by another model."""
    unread: tuple[str, ...] = ()
    """Earlier investigations that could not be read."""

    @property
    def total(self) -> float:
        """Of all that can be foretold."""
        return sum((one for one in self.seconds.values() if one is not None), 0.0)

    @property
    def how(self) -> str:
        """How it was estimated, and how far to trust it."""
        told = "Each step is estimated from what the most similar one of earlier investigations took, scaled by the "
        told += "number of examples and by how fast this machine is; tests as if every step left hypotheses."
        if self.factor is not None:
            told += (
                f" Foretold in this way from the others, 4 of 5 recorded steps lie within a factor {self.factor:.1f}."
            )
        if self.elsewhere:
            told += f" Recorded on another model, whose size is not taken into account: {', '.join(self.elsewhere)}."
        if self.unread:
            told += f" Earlier investigations that cannot be read: {', '.join(self.unread)}."
        unknown = [name for name, one in self.seconds.items() if one is None]
        return told + (f" Not in it, since nothing like it was recorded: {', '.join(unknown)}." if unknown else "")


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
