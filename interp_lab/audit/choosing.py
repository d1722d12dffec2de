"""What the selection split says is worth testing."""

from collections.abc import Sequence

import numpy as np

from interp_lab.audit.asked import Asked
from interp_lab.audit.config import AuditConfig
from interp_lab.audit.measurements import MOST_PAIRS, sides_asked, turning
from interp_lab.audit.named import Chosen, Proxy, TwoGroups, ValuePair, chosen_from
from interp_lab.audit.proxies import sides_of_hidden
from interp_lab.audit.single import Scan
from interp_lab.audit.source import Source
from interp_lab.stats import mean_interval
from interp_lab.types import nearest

LEVEL = 0.9
"""Of the interval by which an attribute is chosen: what is chosen is tested on other texts."""


def chosen_of(
    config: AuditConfig,
    scan: Scan,
    groups: Sequence[TwoGroups],
    candidates: Asked | None,
    *,
    legitimate: Sequence[str],
    hidden: Sequence[str],
) -> Chosen:
    """Return attributes and pairs with an effect of interest, the largest first; what should not decide may stand in.

    An attribute is chosen by its mean effect, if that is clear of zero at a level that lets little be missed; a pair if
    it turns answers around on either side, or on the one that is asked about.
    """
    effects = {one: scan.effect(one) for one in groups}
    large = [one for one in groups if effects[one] >= config.smallest_effect and _clear(scan, one, seed=config.seed)]
    attributes = sorted(large, key=lambda one: -effects[one])
    pairs: tuple[ValuePair, ...] = ()
    if candidates is not None:
        least = {
            name: min(turning(candidates, row)[side] for side in sides_asked(candidates, row, config.pairs_that))
            for row, name in enumerate(candidates.names)
        }
        names = sorted((name for name in least if least[name] >= config.smallest_effect), key=lambda name: -least[name])
        pairs = chosen_from(names[:MOST_PAIRS]).pairs
    others = [one.attribute for one in attributes if one.attribute not in legitimate]
    proxies = tuple(Proxy(attribute, name) for name in hidden for attribute in others)
    return Chosen(tuple(attributes), pairs, proxies)


def _clear(scan: Scan, groups: TwoGroups, *, seed: int) -> bool:
    values, templates = scan.differences(groups)
    clusters = templates if len(set(templates.tolist())) > 1 else None
    return len(values) > 1 and mean_interval(values, clusters, level=LEVEL, seed=seed).low > 0


def require_known(source: Source, config: AuditConfig) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return the attributes that are varied, the legitimate ones of them, and hidden latents.

    Raises: ValueError, for a name that the source does not know, with the nearest, or a latent without two sides.
    """
    attributes = tuple(source.varied) if config.attributes is None else config.attributes
    legitimate = source.legitimate if config.legitimate is None else config.legitimate
    hidden = source.hidden if config.hidden is None else config.hidden
    for name in (*attributes, *legitimate):
        if name not in source.varied:
            raise ValueError(
                f"{source.name} has no attribute {name!r}{nearest(name, source.varied)}; it has "
                f"{', '.join(source.varied)}"
            )
    if hidden and source.draw(np.random.default_rng(0)).keys() <= source.varied.keys():
        raise ValueError(
            f"hidden names {hidden[0]!r}, and {source.name} knows no latents behind its texts; only behaviours of the "
            "grammar do: leave hidden out"
        )
    for name in hidden:
        sides_of_hidden(source, name)
    stated = chosen_from(config.chosen or ())
    named = [one.attribute for one in (*stated.attributes, *stated.proxies)]
    named += [side[0] for pair in stated.pairs for side in (pair.first, pair.second)]
    for name in named:
        if name not in source.varied:
            raise ValueError(f"chosen names {name!r}{nearest(name, source.varied)}, no attribute of {source.name}")
    return attributes, tuple(legitimate), tuple(hidden)
