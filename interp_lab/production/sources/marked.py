"""A prompt with its sources coloured and numbered: HTML in which the text of a source can do nothing."""

import math
from collections.abc import Sequence

from markupsafe import Markup, escape

from interp_lab.plots.text import visible
from interp_lab.production.sources.prompts import Span

_FOR, _AGAINST = (31, 119, 200), (230, 120, 20)
"""Blue and orange, which nobody confuses, and which both stand out on white and on black."""
_STRONGEST = 0.4
"""Opacity of the largest value: text stays legible on it, dark or light."""

LEGEND = Markup(
    '<p style="font-size:.85em;margin:0 0 8px">Blue, with a solid line: the source speaks for the answer; orange, with '
    "a dashed line: against it. The stronger the colour, the larger the number at its head, which says the same "
    "without colour; the strongest colour of a text is its largest number. Text without a line is no source.</p>"
)
_TEXT = Markup('<div style="white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.9">{}</div>')
_SOURCE = Markup(
    '<span style="background:rgba({0},{1},{2},{3});border-bottom:2px {4} rgb({0},{1},{2});border-radius:3px;'
    'padding:1px 3px"><b style="font-size:.75em;font-family:ui-monospace,monospace">{5} {6}</b> {7}</span>'
)


def marked(text: str, spans: Sequence[Span], values: Sequence[float]) -> Markup:
    """Return a text with its sources coloured by their values, relative to the largest size, each with its number.

    What speaks against the answer has a dashed line besides. Characters that steer the display are written out, and
    markup in the text is text.
    """
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0) or 1.0
    made, at = [], 0
    for nth in sorted(range(len(spans)), key=lambda one: spans[one]):
        start, stop = spans[nth]
        value = values[nth]
        red, green, blue = _AGAINST if value < 0 else _FOR
        share = abs(value) / largest if math.isfinite(value) else 0.0
        line, told = "dashed" if value < 0 else "solid", f"{value:+.2f}" if math.isfinite(value) else "not measured"
        shown = visible(text[start:stop])
        made += [
            escape(visible(text[at:start])),
            _SOURCE.format(red, green, blue, f"{_STRONGEST * share:.3f}", line, f"[{nth + 1}]", told, shown),
        ]
        at = stop
    return _TEXT.format(Markup("").join([*made, escape(visible(text[at:]))]))
