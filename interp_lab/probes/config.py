"""The config of the probing experiment."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveInt, field_validator

from interp_lab.config import ModelConfig
from interp_lab.organisms.grammar import Value
from interp_lab.probes.fitting import PENALTIES, ProbeKind
from interp_lab.tasks.labels import Labels

ProbedMap = Literal["embed", "resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out"]
"""What is read: the embedding (one site), or an activation of every layer."""

TOKENS = ("all", "label")
"""Positions that read many tokens of a text, and stand alone."""


class ProbesConfig(ModelConfig):
    """What can be read off the activations of a model, beyond what its words give away, and does the model use it?"""

    labels: Labels = ("grammar/truth/is_true",)
    """What is probed for, `grammar/BEHAVIOUR/LATENT`; a latent `*` stands for all of a behaviour that take from 2 to
    12 values, a behaviour `*` for all behaviours, and the latent `random` for labels that are in no text."""
    values: tuple[Value, ...] | None = None
    """Values of the latent to tell apart (texts with others are left out); `None` for all. Causal use needs two."""
    target: Literal["auto", "classes", "number"] = "auto"
    """Whether labels are classes or numbers; `auto` takes numbers of more than 12 values for numbers."""
    sites: Annotated[tuple[ProbedMap, ...], Field(min_length=1)] = ("embed", "resid_post")
    """What is read: the embedding, activations of every layer; the place that is reported is chosen among all."""
    positions: Annotated[tuple[str, ...], Field(min_length=1)] = ("end",)
    """Where activations are read, one place per text: `end` (the token that predicts the answer), `last` (of the whole
    text, answer included), or the last token of a slot by its name; several make a map of layers by places. Or many
    tokens of a text: `all` from the first on that could know the label, scored where the token itself does not give
    it away, or `label` (the tokens of the slots that the latent stands behind)."""
    chosen: dict[str, tuple[str, str]] | None = None
    """By label, the site that is reported (`2.hook_resid_post`) in place of the one that the select split would choose,
    and the way of acting there by which the label counts as used (`without the mean difference`)."""
    kind: ProbeKind = "ridge"
    """Of all probes but the contrast."""
    penalties: Annotated[tuple[NonNegativeFloat, ...], Field(min_length=1)] = PENALTIES
    """Grid, as shares of the mean eigenvalue; chosen inside the training split."""
    n_folds: Annotated[int, Field(ge=2)] = 4
    """Inner folds of the training split."""
    folds_by: Literal["template", "document"] = "template"
    """What stays whole in the inner folds."""
    n_documents: Annotated[int, Field(ge=96)] = 640
    """Texts of ordinary templates: half to train on, a quarter to choose the site, a quarter to report."""
    n_held_out: Annotated[int, Field(ge=16)] | None = 160
    """Texts of reserved templates, on which what is reported is seen again; `None` leaves replication out."""
    n_controls: Annotated[int, Field(ge=3)] = 5
    """Control tasks (random labels by word type), and as many shufflings of the labels."""
    n_untrained: Annotated[int, Field(ge=1)] = 2
    """Models with the same shape and random weights."""
    topic: str | None = None
    """A latent whose values are topics: trained on one and tested on the others (of up to 8), and trained on all but
    one and tested on that one. `None` leaves it out."""
    mlp: PositiveInt | None = 64
    """Hidden units of a probe with one hidden layer, at the chosen site, as a contrast; `None` leaves it out."""
    causal: bool = True
    """Whether to act along the probe's direction, where it was read (of many tokens of a text: at every token of the
    prompt), and see what becomes of the behaviour's answer."""
    n_pairs: Annotated[int, Field(ge=16)] = 96
    """Prompts of ordinary templates that are acted upon, none of which a probe was trained on; of reserved templates
    half as many."""
    n_random: Annotated[int, Field(ge=5)] = 12
    """Random directions as long as the probe's, beside those of shuffled labels."""
    smallest_effect: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Smallest effect of interest (share of what changing the label in the text costs; where the grammar cannot change
    it, of what changing the text as the task does costs, and then `not used` is never said)."""
    tolerance: Annotated[float, Field(ge=0, lt=0.5)] = 0.01
    """The first site whose score on the select split is within this of the best is chosen."""
    fdr: Annotated[float, Field(gt=0, le=0.2)] = 0.05
    """False discovery rate over all that is tested causally; also the level of claims."""
    level: Annotated[float, Field(ge=0.8, lt=1)] = 0.95
    """Of every interval."""
    batch_size: PositiveInt = 128
    """Texts per forward pass."""
    seed: NonNegativeInt = 0

    @field_validator("positions")
    @classmethod
    def _one_kind(cls, positions: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(positions)) < len(positions):
            raise ValueError(f"{', '.join(positions)}: one comes twice; name each once")
        if len(positions) > 1 and set(positions) & set(TOKENS):
            raise ValueError(
                f"{', '.join(positions)}: {' and '.join(TOKENS)} read many tokens of a text; name one alone"
            )
        return positions

    @property
    def by_token(self) -> bool:
        """Whether many tokens of a text are read."""
        return self.positions[0] in TOKENS
