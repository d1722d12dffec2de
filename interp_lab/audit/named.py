"""What is tested, in words that a config can hold: attributes with their two groups of values, pairs, proxies."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from interp_lab.organisms.grammar import Value

_SPLIT = re.compile(r"\s*([\w .-]+?)\s*:\s*(.+?)\s*>\s*(.+?)\s*")
_PAIR = re.compile(r"\s*(\w+)=(.+?) with (\w+)=(.+?)\s*")
_PROXY = re.compile(r"\s*(\w+) for (\w+)\s*")
PairsThat = Literal["turn either answer", "bring one answer"]
"""What two values do together; see `AuditConfig`."""
TURN: PairsThat = "turn either answer"
MOST_NAMED = 4
"""Values that a sentence lists; of more it says how many."""


@dataclass(frozen=True)
class TwoGroups:
    """An attribute, and the two groups of its values between which the answer is asked about."""

    attribute: str
    upper: tuple[str, ...]
    """Those under which the positive answer was likelier where they were chosen."""
    lower: tuple[str, ...]

    def __str__(self) -> str:
        """As `chosen` has it."""
        return f"{self.attribute}: {', '.join(self.upper)} > {', '.join(self.lower)}"

    def turned(self) -> "TwoGroups":
        """Return the same the other way round."""
        return TwoGroups(self.attribute, self.lower, self.upper)


@dataclass(frozen=True)
class ValuePair:
    """Two values of two attributes."""

    first: tuple[str, str]
    """Attribute and value."""
    second: tuple[str, str]

    def __str__(self) -> str:
        """As `chosen` has it."""
        return f"{self.first[0]}={self.first[1]} with {self.second[0]}={self.second[1]}"


@dataclass(frozen=True)
class Proxy:
    """An attribute that may stand in for a latent which no text names."""

    attribute: str
    hidden: str

    def __str__(self) -> str:
        """As `chosen` has it."""
        return f"{self.attribute} for {self.hidden}"


@dataclass(frozen=True)
class Chosen:
    """All that is tested."""

    attributes: tuple[TwoGroups, ...] = ()
    pairs: tuple[ValuePair, ...] = ()
    proxies: tuple[Proxy, ...] = ()

    def __str__(self) -> str:
        """Everything, separated by semicolons."""
        return "; ".join(self.texts)

    @property
    def texts(self) -> tuple[str, ...]:
        """As the config's `chosen` has it."""
        return tuple(str(one) for one in (*self.attributes, *self.pairs, *self.proxies))


def chosen_from(texts: Sequence[str]) -> Chosen:
    """Read what a config's `chosen` holds.

    Raises: ValueError, for a text that is of none of the three forms, or one that comes twice.
    """
    attributes, pairs, proxies = [], [], []
    for text in texts:
        if found := _SPLIT.fullmatch(text):
            attributes.append(TwoGroups(found[1], _values(found[2]), _values(found[3])))
        elif found := _PAIR.fullmatch(text):
            pairs.append(ValuePair((found[1], found[2]), (found[3], found[4])))
        elif found := _PROXY.fullmatch(text):
            proxies.append(Proxy(found[1], found[2]))
        else:
            raise ValueError(
                f"{text!r} names nothing to test; write 'ATTRIBUTE: VALUE, ... > VALUE, ...', "
                "'ATTRIBUTE=VALUE with ATTRIBUTE=VALUE', or 'ATTRIBUTE for HIDDEN'"
            )
    chosen = Chosen(tuple(attributes), tuple(pairs), tuple(proxies))
    names = [*(one.attribute for one in attributes), *map(str, pairs), *map(str, proxies)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice!r} is to be tested twice; name it once")
    for one in attributes:
        if not one.upper or not one.lower or set(one.upper) & set(one.lower):
            raise ValueError(f"'{one}' has no two groups of values that are apart; give each value to one side of '>'")
    return chosen


def told(values: Sequence[str]) -> str:
    """Return values as a sentence names them."""
    if len(values) <= MOST_NAMED:
        return ", ".join(values)
    return f"{', '.join(values[: MOST_NAMED - 1])} and {len(values) - MOST_NAMED + 1} others"


def value_named(values: Sequence[Value], text: str, *, of: str) -> Value:
    """Return the value that a text names.

    Raises: ValueError, if there is none.
    """
    found = next((value for value in values if str(value) == text), None)
    if found is None:
        raise ValueError(f"{of} has no value {text!r}; it takes {', '.join(map(str, values))}")
    return found


def _values(text: str) -> tuple[str, ...]:
    return tuple(value for value in (one.strip() for one in text.split(",")) if value)
