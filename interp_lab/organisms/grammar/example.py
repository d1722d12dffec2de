"""One piece of generated text, with everything that is known about it."""

from collections.abc import Mapping
from dataclasses import dataclass

Value = str | int | float | bool
Latents = Mapping[str, Value]
"""The variables behind a text, by name; some of them (a group, a probability) never appear in it."""


@dataclass(frozen=True)
class Example:
    """Words with their labels, the latents they were made from, and the place where behaviour shows."""

    behaviour: str
    template: str
    reserved: bool
    """Whether the template is held out from selection."""
    words: tuple[str, ...]
    labels: tuple[Mapping[str, Value], ...]
    """Per word: `slot` (the template slot it fills, if any) and the latents that stand behind that slot."""
    latents: Latents
    answer_at: int
    """Index of the answer word; it is predicted from the words before it."""
    answer: str
    """What stands there."""
    accepted: tuple[str, ...]
    """Every answer that is as right, the one that stands there among them."""
    wrong: tuple[str, ...]
    """What might have stood there instead: the answers under other latents."""

    def __post_init__(self) -> None:
        assert self.words[self.answer_at] == self.answer, "the answer stands where it is said to stand"
        assert len(self.words) == len(self.labels), "every word has its labels"
        assert self.answer in self.accepted, "the answer that stands there is accepted"
        assert not set(self.accepted) & set(self.wrong), "no answer is both accepted and wrong"

    @property
    def text(self) -> str:
        """The whole text, answer and what follows it included."""
        return " ".join(self.words)

    @property
    def prompt(self) -> str:
        """The text before the answer."""
        return " ".join(self.words[: self.answer_at])
