"""What texts say, apart from how they say it: whether what is tested was trained on in another template."""

from collections.abc import Sequence

import numpy as np

from interp_lab.organisms.grammar import Behaviour, Example
from interp_lab.organisms.grammar.corpus import behaviour
from interp_lab.tasks.grammar import counterfactuals
from interp_lab.tasks.labels import LabelName

_SAMPLE = 20


def statements(drawn: Sequence[Example], name: LabelName) -> np.ndarray:
    """Return what each text says, as text: the words in its slots before the answer.

    Slots count that every template has, but for those whose words change nothing else (the name of who speaks).
    Texts that say the same differ in no more than their template and such words.
    """
    source = behaviour(name.behaviour)
    slots = slots_of_all(source) - slots_beside(source, name)
    return np.array([
        " ".join(sorted(
            f"{label['slot']}:{word}" for word, label in
            zip(one.words[: one.answer_at], one.labels[: one.answer_at], strict=True) if label.get("slot") in slots
        )) for one in drawn
    ])  # fmt: skip


def slots_of_all(source: Behaviour) -> set[str]:
    """Return the slots that every template of a behaviour has before the answer, reserved ones too."""
    return set.intersection(*(set(one.slots[: one.slots.index("answer")]) for one in source.templates))


def slots_beside(source: Behaviour, name: LabelName) -> set[str]:
    """Return the slots whose words hang on nothing else of the text, and neither the label nor the answer on them."""
    beside = {latent for latent in source.varied if latent != name.latent and not _matters(source, latent)}
    return {slot for slot, latents in source.behind.items() if set(latents) <= beside}


def _matters(source: Behaviour, latent: str) -> bool:
    rng = np.random.default_rng(0)
    return any(
        one.accepted != other.accepted
        or any(one.latents[at] != other.latents[at] for at in one.latents if at != latent)
        for one in source.sample(_SAMPLE, seed=0)
        for other in counterfactuals(source, one, latent, source.varied[latent], rng)
    )
