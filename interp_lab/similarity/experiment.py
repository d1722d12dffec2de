"""Where a tuned model differs from its base, and which of that changed its behaviour."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from interp_lab.bibliography import BENJAMINI_1995, HEIMERSHEIM_2024, KORNBLITH_2019, NGUYEN_2021, SONG_2012
from interp_lab.claims import Split
from interp_lab.effects.confirming import places_of
from interp_lab.effects.metric_names import MetricOf
from interp_lab.effects.parts import Parts, parts_of
from interp_lab.experiment import Progress, Steps, silent
from interp_lab.folds import told
from interp_lab.models import identity_of, load_model
from interp_lab.models.experiment import ModelExperiment
from interp_lab.organisms.grammar.corpus import ordinary
from interp_lab.similarity.config import ModelDifferenceConfig
from interp_lab.similarity.crossed import CrossedSplit, chosen_parts, crossed, orders_of
from interp_lab.similarity.described import Described, described
from interp_lab.similarity.grams import FEWEST
from interp_lab.similarity.moved import weight_change
from interp_lab.similarity.parts import WritingParts, require_comparable, writing_parts
from interp_lab.similarity.result import ModelDifferenceResult
from interp_lab.tasks import Document, grammar_documents, read_documents, tokenize
from interp_lab.types import HookedModel

NAME = "model_difference"
"""In the registry, and at the head of every config file."""


class ModelDifference(ModelExperiment[ModelDifferenceConfig, ModelDifferenceResult]):
    """Compare two models on text and on prompts whose behaviour changed, then put parts of one into the other."""

    name = NAME
    result = ModelDifferenceResult
    sources = (KORNBLITH_2019, NGUYEN_2021, SONG_2012, HEIMERSHEIM_2024, BENJAMINI_1995)

    def measure(
        self,
        model: HookedModel,
        *,
        tuned: HookedModel | None = None,
        metric: MetricOf | None = None,
        progress: Progress = silent,
    ) -> ModelDifferenceResult:
        """Compare a model in memory with the one tuned from it.

        Args:
            tuned: in memory too; `None` loads the one that the config names, as the base model was loaded.
            metric: makes a metric of your own from the model and the pairs, in place of the one that the config names.

        Raises: ValueError, if the tuned model is the base itself, if the models have different shapes, tokenizers or
            weight processing, if the task does not suit them or has too few different pairs, there is too little text,
            or no part of a name in `chosen`.
        """
        c = self.config
        other = self._tuned(model) if tuned is None else tuned
        require_comparable(model, other)
        parts, drawn = writing_parts(model, c.parts), parts_of(model, c, metric, partners="auto")
        steps = Steps(progress, 2 + len(drawn.by_split))
        text = self._on_text(model, other, parts, progress=steps.next("text"))
        prompts = self._on_prompts(model, other, parts, drawn, progress=steps.next("prompts"))
        splits, chosen, order = self._crossed(model, other, parts, drawn, steps=steps)
        weights = weight_change(model, other)
        return ModelDifferenceResult(
            config=c,
            provenance=self.provenance(model),
            unit=drawn.unit,
            metric=drawn.metric,
            parts=parts,
            text=text,
            prompts=prompts,
            weights=np.stack([weights["QK"].cpu().numpy(), weights["OV"].cpu().numpy()]),
            chosen=chosen,
            order=order,
            select=splits[Split.SELECT],
            report=splits[Split.REPORT],
            held_out=splits.get(Split.HELD_OUT),
        )

    def _tuned(self, base: HookedModel) -> HookedModel:
        c = self.config
        if c.tuned == c.model:
            raise ValueError(f"{c.model} does not differ from itself; name the model that was tuned from it as `tuned`")
        return load_model(
            c.tuned, c.device, dtype=c.dtype, processing=identity_of(base).processing, backend=c.backend
        )  # fmt: skip

    def _on_text(self, model: HookedModel, other: HookedModel, parts: WritingParts, *, progress: Progress) -> Described:
        c = self.config
        documents = documents_of(c)
        batch = tokenize(model, [document.text for document in documents])
        return described(
            model, other, parts, batch.tokens[:, : c.length], mask=batch.mask[:, : c.length],
            labels=np.array([document.name for document in documents]), batch_size=c.batch_size, draws=c.draws,
            seed=c.seed, progress=progress,
        )  # fmt: skip

    def _on_prompts(
        self, model: HookedModel, other: HookedModel, parts: WritingParts, drawn: Parts, *, progress: Progress
    ) -> Described:
        """Describe on the clean prompts of the report split, in two or more minibatches."""
        c, pairs = self.config, drawn.by_split[Split.REPORT].pairs
        return described(
            model, other, parts, pairs.clean, mask=pairs.mask, labels=np.array(pairs.templates),
            batch_size=max(FEWEST, min(c.batch_size, len(pairs) // 3)), draws=c.draws, seed=c.seed, progress=progress,
        )  # fmt: skip

    def _crossed(
        self, model: HookedModel, other: HookedModel, parts: WritingParts, drawn: Parts, *, steps: Steps
    ) -> tuple[dict[Split, CrossedSplit], np.ndarray, np.ndarray]:
        """Choose on the selection split, and measure on all."""
        c, found = self.config, {}
        places_of(c.chosen or (), parts.names, what="part in the maps of parts")
        steps.next("parts of one model in the other")(0, 1, "")
        select = crossed(model, other, drawn.by_split[Split.SELECT], parts, orders=None, budget=c.memory_budget)
        found[Split.SELECT] = select
        orders = orders_of(select, parts, n=c.n_cumulative)
        for split, part in drawn.by_split.items():
            if split is not Split.SELECT:
                steps.next("parts of one model in the other")(0, 1, "")
                found[split] = crossed(model, other, part, parts, orders=orders, budget=c.memory_budget)
        steps.progress(1, 1, "compared")
        if c.chosen is None:
            return found, chosen_parts(select, parts, n_top=c.n_top), orders
        return found, np.array(places_of(c.chosen, parts.names, what="part in the maps of parts")), orders


def documents_of(config: ModelDifferenceConfig) -> Sequence[Document]:
    """Return the text on which behaviour did not change.

    Raises: ValueError, for an unknown behaviour to leave out, or too few documents.
    """
    c = config
    if c.text == "grammar":
        unknown = set(c.without) - set(ordinary())
        if unknown:
            raise ValueError(f"without names {sorted(unknown)[0]!r}, which is no behaviour; there are {ordinary()}")
        kept = [name for name in ordinary() if name not in c.without]
        return grammar_documents(c.n_documents, seed=c.seed, behaviours=kept)
    found = []
    for document in read_documents(Path(c.text)):
        found.append(replace(document, name=str(document.id)))  # each is independent of the others
        if len(found) == c.n_documents:
            return found
    raise ValueError(
        f"{c.text} holds {len(found)} documents{told()}, and n_documents={c.n_documents}; ask for {len(found)}, or "
        "give more text"
    )
