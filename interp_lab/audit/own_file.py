"""A user's own templates and attributes, in one YAML file.

```yaml
answers: [" approved", " rejected"]   # as they follow a prompt, space included; the positive one first
templates:                            # up to where the answer begins; what is in braces is an attribute
  - "{name} from {town} earns {income}. The loan was"
  - "Income: {income}. Home: {town}. Applicant: {name}. Decision:"
reserved:                             # held out from everything that chooses; may be left out
  - "The bank looked at {name} of {town}, with {income} income. The answer was"
attributes:
  income: [little, enough, much]
  town: [Eastgate, Westfield]
  name: [Anna, Ben, Clara, David]
legitimate: [income]                  # what should decide; may be left out
```
Values are drawn evenly, each attribute by itself. There must be many more texts than are asked for, since no text that
something was chosen by is reported on: let attributes have many values. What attributes stand in for cannot be asked of
a file: which hidden group a text belongs to is known to sources that know their latents, and no file can say it of
single texts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interp_lab.audit.source import Written
from interp_lab.config import ConfigError, read_yaml
from interp_lab.folds import open_templates
from interp_lab.organisms.grammar import Latents, Value
from interp_lab.tasks.sentences import Sentence
from interp_lab.types import nearest

KEYS = ("answers", "templates", "reserved", "attributes", "legitimate")
_SEPARATORS = frozenset(",>=")
"""What separates values where a config names them; see `named`."""


@dataclass(frozen=True)
class Line:
    """A template of a file."""

    id: str
    sentence: Sentence
    slots: tuple[str, ...]


@dataclass(frozen=True)
class FileSource:
    """Texts of a user's file."""

    name: str
    answers: tuple[str, str]
    varied: Mapping[str, tuple[Value, ...]]
    lines: tuple[Line, ...]
    legitimate: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()

    def templates(self, *, reserved: bool) -> list[Written]:
        """Return the templates of one kind.

        Raises: FoldError, for reserved ones where they are closed.
        """
        return [line for line in self.lines if line.sentence.reserved is open_templates(reserved)]

    def shown(self, template: Written) -> frozenset[str]:
        """Return the attributes in a template."""
        return frozenset(template.slots)

    def draw(self, rng: np.random.Generator) -> dict[str, Value]:
        """Return a value of every attribute, each as likely as the others."""
        return {name: values[int(rng.integers(len(values)))] for name, values in self.varied.items()}

    def settled(self, latents: Latents) -> Latents:
        """Return them as they are: nothing follows from anything."""
        return latents

    def prompt(self, template: Written, latents: Latents) -> str:
        """Return a text up to its answer."""
        assert isinstance(template, Line), "templates of a source come from it"
        return template.sentence.fill(**{name: str(value) for name, value in latents.items()})

    def should(self, latents: Latents) -> bool | None:
        """Return `None`: a file does not say what follows from what should decide."""
        return None


def read_own(path: Path, *, answers: tuple[str, str] | None = None) -> FileSource:
    """Read a file of templates and attributes.

    Args:
        answers: in place of those in the file.

    Raises: ConfigError, naming the file, what is wrong, and what it should be.
    """
    data = read_yaml(path)
    for key in data:
        if key not in KEYS:
            known = "; what attributes stand in for cannot be asked of a file" if key == "hidden" else ""
            raise ConfigError(f"{path} has a key {key!r}{nearest(str(key), KEYS)}; it takes {', '.join(KEYS)}{known}")
    varied = _attributes(path, data.get("attributes"))
    texts = [(text, False) for text in _texts(path, data, "templates", least=2)]
    texts += [(text, True) for text in _texts(path, data, "reserved", least=0)]
    lines = tuple(_line(path, nth, text, reserved, varied) for nth, (text, reserved) in enumerate(texts))
    legitimate = tuple(map(str, _texts(path, data, "legitimate", least=0)))
    for name in legitimate:
        if name not in varied:
            raise ConfigError(f"{path}: legitimate names {name!r}{nearest(name, varied)}, which is no attribute")
    both = answers or tuple(_texts(path, data, "answers", least=2))
    if len(both) != 2 or both[0] == both[1]:
        raise ConfigError(f"{path}: answers must be two different texts, the positive one first, not {list(both)}")
    return FileSource(path.stem, (both[0], both[1]), varied, lines, legitimate)


def _attributes(path: Path, given: Any) -> dict[str, tuple[Value, ...]]:  # noqa: ANN401 - what a user wrote
    if not isinstance(given, dict) or not given:
        raise ConfigError(f"{path}: attributes must map each attribute to a list of its values, not {given!r}")
    found: dict[str, tuple[Value, ...]] = {}
    for name, values in given.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise ConfigError(f"{path}: attribute {name!r} must be a word, to stand in braces in templates")
        texts = values if isinstance(values, list) else []
        if len(texts) < 2 or len({str(one) for one in texts}) < len(texts):
            raise ConfigError(f"{path}: {name} must have two values or more, all different, not {values!r}")
        bad = next((one for one in map(str, texts) if one != one.strip() or not one or set(one) & _SEPARATORS), None)
        if bad is not None:
            raise ConfigError(
                f"{path}: value {bad!r} of {name} is empty, has spaces around it, or holds ',', '>' or '=', which "
                "separate values; write it otherwise"
            )
        found[name] = tuple(map(str, texts))
    return found


def _texts(path: Path, data: Mapping[str, Any], key: str, *, least: int) -> Sequence[str]:
    given = data.get(key, [])
    if not isinstance(given, list) or not all(isinstance(one, str) and one for one in given):
        raise ConfigError(f"{path}: {key} must be a list of texts, not {given!r}")
    if len(given) < least:
        raise ConfigError(f"{path}: {key} has {len(given)} entries; give at least {least}")
    return given


def _line(path: Path, nth: int, text: str, reserved: bool, varied: Mapping[str, Any]) -> Line:
    sentence = Sentence(f"{path.stem}/{nth:02d}", text, reserved)
    try:
        slots = tuple(sorted(sentence.slots))
    except ValueError as error:
        raise ConfigError(f"{path}: the template {text!r} has braces that do not close ({error})") from error
    for slot in slots:
        if slot not in varied:
            raise ConfigError(f"{path}: the template {text!r} has {{{slot}}}{nearest(slot, varied)}, no attribute")
    if text != text.rstrip():
        raise ConfigError(f"{path}: the template {text!r} ends in a space, which belongs to the answer")
    return Line(sentence.id, sentence, slots)
