"""Inputs that have been found, sorted by what they share."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import pairwise_distances

from interp_lab.production.red_team.edits import Edit, edit_from, edit_name, told

APART = 0.7
"""Jaccard distance above which edits are of two kinds: one slot with two different words is one kind."""
MOST = 0.8
"""Share of a cluster's hits that must have something for it to be called shared."""


@dataclass(frozen=True)
class Cluster:
    """Hits whose edits are alike."""

    members: Int[np.ndarray, " member"]
    """Numbers of the hits."""
    edit: str
    """The commonest one."""
    shares: str
    """What most of them have, in words."""


def clusters_of(edits: Sequence[str]) -> list[Cluster]:
    """Sort edits into clusters, the largest first, by which slots they change and to what.

    Two edits are as far apart as the share of what either has, of slots and of words in slots, that the other has not;
    clusters are joined while their mean distance is below `APART`.
    """
    if not edits:
        return []
    different = list(dict.fromkeys(edits))
    labels = _labels([parts_of(one) for one in different])
    number = dict(zip(different, labels.tolist(), strict=True))
    of_hit = np.array([number[one] for one in edits])
    found = []
    for label in range(int(labels.max()) + 1):
        members = np.flatnonzero(of_hit == label)
        own = [edits[nth] for nth in members]
        found.append(Cluster(members, Counter(own).most_common(1)[0][0], shared([parts_of(one) for one in own])))
    return sorted(found, key=lambda one: (-len(one.members), int(one.members[0])))


def parts_of(edit: str) -> tuple[tuple[str, str], ...]:
    """Return slots and words of an edit that was found, in which a slot's name may come twice."""
    parts = [part.rpartition("=") for part in edit.split(" with ")]
    return tuple((slot, word) for slot, _, word in parts)


def shared(edits: Sequence[Edit]) -> str:
    """Return what most of some edits have, in words."""
    words = Counter(part for edit in edits for part in set(edit))
    common = tuple(sorted(part for part, n in words.items() if n >= MOST * len(edits)))
    slots = Counter(slot for edit in edits for slot in {slot for slot, _ in edit})
    named = {slot for slot, _ in common}
    other = [slot for slot, n in sorted(slots.items()) if n >= MOST * len(edits) and slot not in named]
    said = [told(common)] if common else []
    return " and ".join(said + [f"another word for the {slot}" for slot in other]) or "nothing in particular"


def transferable(edit: str, known: Sequence[str]) -> bool:
    """Whether an edit speaks of slots that other texts have, and not of a template's own words."""
    try:
        return all(slot in known for slot, _ in edit_from(edit)) and edit_name(edit_from(edit)) == edit
    except ValueError:
        return False


def _labels(edits: Sequence[Edit]) -> Int[np.ndarray, " edit"]:
    if len(edits) == 1:
        return np.zeros(1, dtype=np.int64)
    distances = pairwise_distances(_features(edits), metric="jaccard")
    joined = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=APART
    ).fit(distances)
    return joined.labels_.astype(np.int64)


def _features(edits: Sequence[Edit]) -> Bool[np.ndarray, "edit feature"]:
    sets = [{slot for slot, _ in edit} | {f"{slot}={word}" for slot, word in edit} for edit in edits]
    every = sorted(set().union(*sets))
    return np.array([[one in own for one in every] for own in sets])
