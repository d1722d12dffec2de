"""Texts beside their flips: HTML in which nothing of a text can act."""

from collections.abc import Sequence
from difflib import SequenceMatcher

from markupsafe import Markup

from interp_lab.plots.text import visible
from interp_lab.production.counterfactuals.words import Words

_TABLE = Markup(
    '<table style="border-collapse:collapse;width:100%;font-size:13px;line-height:1.5"><thead><tr>{}</tr></thead>'
    "<tbody>{}</tbody></table>"
)
_HEAD = Markup('<th scope="col" style="text-align:left;padding:4px 8px;border-bottom:2px solid #888">{}</th>')
_ROW = Markup("<tr>{}</tr>")
_CELL = Markup(
    '<td style="vertical-align:top;padding:4px 8px;border-bottom:1px solid #ccc;overflow-wrap:anywhere">{}</td>'
)
_GONE = Markup('<del style="background:#f6d5c3;color:#6b2f06">{}</del>')
_NEW = Markup('<ins style="background:#c9dcef;color:#12304c;text-decoration:underline">{}</ins>')
HEADS = ("before", "after", "edit", "answer before", "log odds of another", "plausibility")


def marked(before: str, after: str) -> tuple[Markup, Markup]:
    """Return two texts, each escaped, with the words that differ marked: deleted in one, inserted in the other."""
    one, other = Words.of(before), Words.of(after)
    deleted: list[Markup] = []
    inserted: list[Markup] = []
    for kind, start, stop, begin, end in SequenceMatcher(a=one.words, b=other.words, autojunk=False).get_opcodes():
        same = kind == "equal"
        deleted += [_word(one, nth, None if same else _GONE) for nth in range(start, stop)]
        inserted += [_word(other, nth, None if same else _NEW) for nth in range(begin, end)]
    deleted.append(_shown(one.gaps[-1]))
    inserted.append(_shown(other.gaps[-1]))
    return Markup("").join(deleted), Markup("").join(inserted)


def _word(words: Words, nth: int, mark: Markup | None) -> Markup:
    shown = _shown(words.words[nth])
    return _shown(words.gaps[nth]) + (shown if mark is None else mark.format(shown))


def _shown(text: str) -> Markup:
    return Markup("{}").format(visible(text))


def diff_table(rows: Sequence[tuple[str, str, str, str, str, str]]) -> Markup:
    """Return a table of texts side by side.

    Args:
        rows: text before, text after, the edit in words, the answers, log odds, and plausibility, as they are shown.
    """
    made = []
    for before, after, *told in rows:
        cells = [*marked(before, after), *(_shown(one) for one in told)]
        made.append(_ROW.format(Markup("").join(_CELL.format(one) for one in cells)))
    return _TABLE.format(Markup("").join(_HEAD.format(one) for one in HEADS), Markup("").join(made))
