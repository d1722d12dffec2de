"""Rows of `interp-lab verify`: features of single words, differences and a combination that were planted."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float
from torch import Tensor

from interp_lab.experiment import KnownAnswer
from interp_lab.models import load_model
from interp_lab.sae.activations import TextConfig
from interp_lab.sae.features.config import DescribeConfig
from interp_lab.sae.features.describe import gather
from interp_lab.sae.features.dictionary import Dictionary
from interp_lab.sae.features.differences import SideValues, choose, compare
from interp_lab.sae.features.greedy import add_features, choose_number
from interp_lab.sae.features.planted import planted_combination, planted_sides
from interp_lab.tasks import grammar_documents
from interp_lab.tasks.encoding import tokenizer_of

WORDS = ("loan", "approved", "Millbrook", "never")
"""Each has a feature that is active at it alone."""
MOST_ALONE, LEAST_TOGETHER = 0.85, 0.98
"""Accuracy of the best feature, and of two."""


def rows() -> list[KnownAnswer]:
    """Return the rows of this folder."""
    return [
        KnownAnswer(
            "features of single words, organism",
            f"{', '.join(WORDS)}: active exactly where the word stands, all of it at that word, in every example",
            reads_words,
            partial(reads_words, shift=1),
        ),
        KnownAnswer(
            "features that differ, planted among 300",
            "5 of 5 found and found again, at most 1 other; none where nothing was planted",
            finds_differences,
            partial(finds_differences, correct=False),
        ),
        KnownAnswer(
            "two features that tell what takes two contexts",
            f"best feature below {MOST_ALONE}, these two above {LEAST_TOGETHER}, two chosen",
            finds_combination,
            partial(finds_combination, both=False),
        ),
    ]


@dataclass(frozen=True)
class WordCodec:
    """A feature for each of some embeddings: 2 where the activation is that embedding, else 0."""

    rows: Float[Tensor, "latent d_model"]

    def encode(self, activation: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch latent"]:
        """Return which embedding it is."""
        apart = (activation[..., None, :] - self.rows).abs().amax(-1)
        return 2.0 * (apart < 1e-4).to(activation)

    def decode(self, latents: Float[Tensor, "*batch latent"]) -> Float[Tensor, "*batch d_model"]:
        """Return the embedding."""
        return latents @ self.rows / 2.0


def reads_words(*, shift: int = 0) -> tuple[bool, str]:
    """Whether counts, shares and examples of features of single words are those of the words.

    Args:
        shift: give each feature the embedding of the word that many places further on; anything but 0 is a sabotage.
    """
    model = load_model("organism", device="cpu")
    tokenizer = tokenizer_of(model)
    ids = [tokenizer.convert_tokens_to_ids(word) for word in WORDS]
    own = ids[shift:] + ids[:shift]
    table: Tensor = model.W_E.detach()  # ty: ignore[missing-attribute] - weights are no part of the protocol
    dictionary = Dictionary("words", "hook_embed", WordCodec(table[own]), len(WORDS))
    documents = grammar_documents(300, seed=0)
    config = DescribeConfig(text=TextConfig(length=32), n_tokens=None, n_top=4)
    found = gather(model, dictionary, config, documents=documents)
    text = [word for document in documents for word in document.text.split()]
    counts = Counter(text)
    far = max(abs(found.moments.n_active[nth] - counts[word]) / counts[word] for nth, word in enumerate(WORDS))
    table_of = found.sampled.table()
    tokens = table_of.tokens_of(range(len(WORDS)), table_of.active.tocsc())
    at_word = tokens.token.tolist() == [ids[nth] for nth in tokens.latent.tolist()]
    top = found.top
    shown = np.take_along_axis(top.tokens, top.begin[..., None].astype(np.int64), 2)[..., 0]
    examples = bool((shown == np.array(ids)[:, None]).all())
    told = ", ".join(f"{word} {found.moments.n_active[nth]} of {counts[word]}" for nth, word in enumerate(WORDS))
    # what does not fill the last window is not read: less than a window of 32
    return bool(far < 0.05 and at_word and examples), f"{told}; examples {'at the words' if examples else 'elsewhere'}"


def finds_differences(*, correct: bool = True) -> tuple[bool, str]:
    """Whether planted features are chosen on one half and found again on the other, and nothing where nothing is.

    Args:
        correct: over all features; taking the largest effects as they come is a sabotage.
    """
    find: Callable[[SideValues], np.ndarray] = _corrected if correct else _largest
    planted, empty = planted_sides(), planted_sides(size=0.0, seed=1)
    found, nothing = set(find(planted.select).tolist()), find(empty.select)
    true = set(planted.truth.tolist())
    again = compare(planted.report.of(sorted(true))).intervals.low > 0
    ok = true <= found and len(found - true) <= 1 and bool(again.all()) and len(nothing) <= 1
    told = f"{len(true & found)} of {len(true)} found, {int(again.sum())} again, {len(found - true)} others"
    return ok, f"{told}; {len(nothing)} where nothing was planted"


def _corrected(values: SideValues) -> np.ndarray:
    return choose(values, fdr=0.05, n_shown=10).latents


def _largest(values: SideValues) -> np.ndarray:
    return np.argsort(-np.abs(compare(values).effect.estimate))[:10]


def finds_combination(*, both: bool = True) -> tuple[bool, str]:
    """Whether the two features of two contexts are found, where one of them does not do.

    Args:
        both: whether the label takes both contexts; where one is enough, the single feature does as well.
    """
    train, test = planted_combination(both=both), planted_combination(both=both, seed=1)
    n_features, _ = choose_number(train.x, train.y, folds=train.folds, most=5)
    found = add_features(train.x, train.y, most=3)
    right = ((found.score(test.x) > 0) == test.y).mean(1)
    ok = right[0] < MOST_ALONE and right[1] > LEAST_TOGETHER and n_features == 2
    ok &= set(found.chosen[:2].tolist()) == set(train.truth)
    told = ", ".join(map(str, found.chosen[:2].tolist()))
    return bool(ok), f"one {right[0]:.2f}, two {right[1]:.2f} (features {told}), {n_features} chosen"
