"""What an attribute stands in for: the gap by a latent that no text names, and what is left with the attribute redrawn.

Texts come in pairs that are equal in what is declared to decide, and else as the source draws them, so that attributes
go with the hidden latent as they do; the gap is what the model's answers make of that. Then one attribute is set to the
value of an independent draw, the same in both texts: what it told of the latent is gone, and nothing else. What is left
of the gap comes by other ways.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from interp_lab.audit.asked import Asked, Drawing, Example, asked_of, evenly
from interp_lab.audit.named import Proxy
from interp_lab.audit.reading import Reader
from interp_lab.audit.source import Source, Written
from interp_lab.organisms.grammar import Latents, Value

N_TRIES = 60
"""Independent draws that are tried for one example."""
_SEEN = 256
"""Draws by which the values of a hidden latent are known."""


def sides_of_hidden(source: Source, hidden: str) -> tuple[Value, Value]:
    """Return the two values of a hidden latent, in alphabetical order; the gap is that of the first less the second.

    Raises: ValueError, for a latent that there is not, that is no hidden one, or that has not two values.
    """
    rng = np.random.default_rng(0)
    drawn = [source.draw(rng) for _ in range(_SEEN)]
    if hidden not in drawn[0]:
        raise ValueError(f"{source.name} has no latent {hidden!r}; its latents: {', '.join(sorted(drawn[0]))}")
    if hidden in source.varied:
        raise ValueError(f"{hidden!r} is an attribute of {source.name} that texts name; hidden latents are behind them")
    values = sorted({latents[hidden] for latents in drawn}, key=str)
    if len(values) != 2:
        raise ValueError(f"{hidden!r} of {source.name} has {len(values)} values; a gap is one between two")
    return values[0], values[1]


def asked_gaps(reader: Reader, drawing: Drawing, hidden: Sequence[str], *, n: int, equal: Sequence[str]) -> Asked:
    """Read texts of either side of hidden latents: two in each example.

    Args:
        equal: attributes that both have in common; all else is as drawn.
    """
    rows = []
    for name in hidden:
        sides = sides_of_hidden(drawing.source, name)

        def make(template: Written, name: str = name, sides: tuple[Value, Value] = sides) -> Example | None:
            found = _both(drawing, template, name, sides, equal)
            return None if found is None else Example(template.id, tuple(text for _, text in found))

        rows.append((name, drawing.examples(n, lambda _: True, make, what=name)))
    return asked_of(reader, rows, n_texts=2, n=n)


def asked_proxies(
    reader: Reader,
    drawing: Drawing,
    proxies: Sequence[Proxy],
    *,
    n: int,
    n_controls: int,
    attributes: Sequence[str],
    equal: Sequence[str],
) -> Asked:
    """Ask what is left of gaps.

    The texts of an example: of either side; the same two with the attribute redrawn; and then, once for each control,
    with another attribute redrawn.

    Args:
        attributes: of which controls redraw one.
        equal: as in `asked_gaps`.
    """
    rows = []
    for proxy in proxies:
        sides = sides_of_hidden(drawing.source, proxy.hidden)
        others = [name for name in attributes if name != proxy.attribute]

        def fits(template: Written, proxy: Proxy = proxy, others: Sequence[str] = others) -> bool:
            shown = drawing.source.shown(template)
            return proxy.attribute in shown and not shown.isdisjoint(others)

        def make(
            template: Written,
            proxy: Proxy = proxy,
            sides: tuple[Value, Value] = sides,
            others: Sequence[str] = others,
        ) -> Example | None:
            return _example(drawing, template, proxy, sides, others, n_controls=n_controls, equal=equal)

        rows.append((str(proxy), drawing.examples(n, fits, make, what=str(proxy))))
    return asked_of(reader, rows, n_texts=4 + 2 * n_controls, n=n)


def _both(
    drawing: Drawing, template: Written, hidden: str, sides: tuple[Value, Value], equal: Sequence[str]
) -> list[tuple[Latents, str]] | None:
    found: list[tuple[Latents, str]] = []
    for side in sides:
        for _ in range(N_TRIES):
            shared = {name: found[0][0][name] for name in equal} if found else {}
            latents = drawing.source.settled({**drawing.source.draw(drawing.rng), **shared})
            text = drawing.write(template, latents) if latents[hidden] == side else None
            if text is not None:
                found.append((latents, text))
                break
    return found if len(found) == 2 else None


def _example(
    drawing: Drawing,
    template: Written,
    proxy: Proxy,
    sides: tuple[Value, Value],
    others: Sequence[str],
    *,
    n_controls: int,
    equal: Sequence[str],
) -> Example | None:
    found = _both(drawing, template, proxy.hidden, sides, equal)
    redrawn = None if found is None else _redrawn(drawing, template, found, proxy.attribute)
    if found is None or redrawn is None:
        return None
    texts = [*(text for _, text in found), *redrawn]
    usable = [name for name in others if name in drawing.source.shown(template)]
    for _ in range(n_controls):
        for name in evenly(drawing.rng, usable):
            control = _redrawn(drawing, template, found, name)
            if control is not None:
                texts += control
                break
        else:
            return None
    return Example(template.id, tuple(texts))


def _redrawn(
    drawing: Drawing, template: Written, found: Sequence[tuple[Mapping[str, Value], str]], attribute: str
) -> list[str] | None:
    for _ in range(N_TRIES):
        value = drawing.source.draw(drawing.rng)[attribute]
        texts = [drawing.write(template, latents, **{attribute: value}) for latents, _ in found]
        if None not in texts:
            return [text for text in texts if text is not None]
    return None


def gap_of(held: Float[np.ndarray, "example text"], *, at: int = 0) -> Float[np.ndarray, " example"]:
    """Return P of the first side less P of the second, for two texts that stand together."""
    return held[:, at] - held[:, at + 1]


def removed_by(held: Float[np.ndarray, "example text"]) -> Float[np.ndarray, "change example"]:
    """Return what of the gap goes when the attribute is redrawn, and then for each control."""
    return np.stack([gap_of(held) - gap_of(held, at=at) for at in range(2, held.shape[1], 2)])
