"""A watcher reads activations while a model generates: it changes none of them, and may end rows."""

from collections.abc import Callable, Collection, Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor

from interp_lab.decoding.acting import n_positions
from interp_lab.decoding.batch import Batch, Window


@runtime_checkable
class Watcher(Protocol):
    """Whoever looks on; one that keeps anything per row is for one decoding."""

    @property
    def hooks(self) -> Sequence[str]:
        """Hook points that it wants to see."""
        ...

    def observe(self, hook: str, activation: Tensor, window: Window) -> None:
        """Take a copy of an activation, after the steers at this hook point, once per hook point and forward pass.

        The window says which rows and absolute positions these are. With a cache every token is seen once, without one
        at every step again.
        """
        ...

    def stopping(self) -> Collection[int]:
        """Return the rows (numbers of prompts) to end now; asked once after every forward pass.

        The token that was just chosen for such a row is not given out.
        """
        ...


def looks_of(watcher: Watcher, batch: Batch) -> dict[str, Callable[[Tensor], None]]:
    """Return what looks at each hook point on behalf of a watcher."""

    def look_at(hook: str) -> Callable[[Tensor], None]:
        return lambda activation: watcher.observe(hook, activation, batch.window(n_positions(hook, activation)))

    return {hook: look_at(hook) for hook in watcher.hooks}


def ended_by(watcher: Watcher, rows: Sequence[int]) -> frozenset[int]:
    """Return which of the rows under way a watcher ends.

    Raises: ValueError, if it names another one.
    """
    ended = frozenset(watcher.stopping())
    foreign = sorted(ended - set(rows))
    if foreign:
        raise ValueError(
            f"the watcher ends row {foreign[0]}, and the rows under way are {list(rows)}; name rows of the last window"
        )
    return ended
