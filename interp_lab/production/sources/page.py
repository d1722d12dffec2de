"""The page of one highlight: self-contained, in the reader's light or dark, with nothing said by colour alone."""

import math

from markupsafe import Markup

from interp_lab.plots.text import visible
from interp_lab.production.sources.answers import UNIT
from interp_lab.production.sources.highlight import Highlight, Level
from interp_lab.production.sources.marked import LEGEND, marked

_PAGE = Markup("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; \
form-action 'none'">
<title>Sources of an answer</title><style>
:root {{ color-scheme: light dark; --ink: #1c2430; --paper: #fff; --line: #c9d1dc; --quiet: #4f5b6b; --warn: #8a3b12; }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #e6e9ee; --paper: #15181d; --line: #3c4552; --quiet: #aab4c2;
--warn: #f0b08a; }} }}
body {{ font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 60rem;
margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.4rem; }} h2 {{ font-size: 1.1rem; margin-top: 2rem; }}
</style></head><body><main>{}</main></body></html>
""")
_TABLE = Markup(
    '<div style="overflow-x:auto"><table style="border-collapse:collapse;font-size:.85em">'
    "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>"
)
_HEAD = Markup('<th scope="col" style="text-align:right;padding:2px 8px;border-bottom:1px solid currentColor">{}</th>')
_CELL = Markup('<td style="text-align:right;padding:2px 8px;font-variant-numeric:tabular-nums">{}</td>')
_ROW = Markup('<tr><th scope="row" style="text-align:right;padding:2px 8px">[{}]</th>{}</tr>')
_WARNING = Markup('<p role="note" style="border-left:4px solid #c0561a;padding:2px 10px"><b>Warning.</b> {}</p>')
_LINE = Markup("<p>{}</p>")
_PART = Markup("<h2>{}</h2>")
_UNITS = "Attention is a share of what is looked at; all other numbers are in log odds of the answer."
_DOES_NOT_SHOW = (
    "What this does not show: what other sources would do, and whether any source is true. Attention says where the "
    "model looks, and is descriptive; leaving sources out says what its answer needs. Intervals are over the draw of "
    "subsets of this one prompt, not over prompts."
)


def page_of(found: Highlight) -> str:
    """Return the whole page; what stands in prompts, sources and answers is text, whatever it holds."""
    return str(_PAGE.format(body_of(found)))


def body_of(found: Highlight) -> Markup:
    """Return what stands on the page, for a notebook."""
    who = "the model's own" if found.generated else "given"
    full, empty = found.sources.full, found.sources.empty
    told = Markup("<h1>Which sources does this answer come from?</h1>") + Markup(
        "<p><b>Query:</b> {}<br><b>Answer</b> ({}): {}<br>Probability {}; {} {} with all sources, {} without any.</p>"
    ).format(visible(found.query), who, visible(found.answer.strip()), f"{found.probability:.3f}", f"{full:+.2f}", UNIT,
             f"{empty:+.2f}")  # fmt: skip
    told += Markup("").join(_WARNING.format(one) for one in found.warnings()) + LEGEND
    levels = [one for one in (found.sources, found.sentences) if one is not None]
    return told + Markup("").join(_level(found, one) for one in levels) + _LINE.format(_DOES_NOT_SHOW)


def _level(found: Highlight, level: Level) -> Markup:
    causal = found.scoring.causal[0]
    title = f"By {level.kind}: {causal}, fall of the answer's log odds"
    return (
        _PART.format(title) + marked(found.prompt, level.spans, level.scores(causal).tolist()) + _numbers(found, level)
    )


def _numbers(found: Highlight, level: Level) -> Markup:
    subsets = found.scoring.causal[1]
    layers = [f"attention, layer {layer}" for layer in range(len(level.by_layer))] if level.kind == "source" else []
    heads = [level.kind, *level.methods, f"interval of {subsets}", *layers]
    rows = []
    for nth, interval in enumerate(level.intervals):
        cells = [_CELL.format(_number(value)) for value in level.values[:, nth].tolist()]
        cells.append(_CELL.format(f"[{interval.low:+.2f}, {interval.high:+.2f}]"))
        cells += [_CELL.format(_number(value)) for value in level.by_layer[:, nth].tolist() if layers]
        rows.append(_ROW.format(nth + 1, Markup("").join(cells)))
    made = _LINE.format(_UNITS) + _TABLE.format(
        Markup("").join(_HEAD.format(head) for head in heads), Markup("").join(rows)
    )
    told = [f"{name} {value:+.2f}" for name, value in zip(level.methods, level.foretold, strict=True) if value == value]
    if not told:
        return made
    return made + _LINE.format(
        f"Rank correlation with held-out subsets (1: a method foretells what leaving sources out does): "
        f"{', '.join(told)}."
    )


def _number(value: float) -> str:
    return f"{value:+.2f}" if math.isfinite(value) else "not measured"
