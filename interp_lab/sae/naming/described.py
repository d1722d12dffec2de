"""Which documents a folder of features was made from, so that labels made from it are judged on others."""

from itertools import islice

from interp_lab.sae.activations import ActivationsConfig, TextConfig
from interp_lab.sae.activations.config import GRAMMAR
from interp_lab.sae.activations.documents import digest, documents_of
from interp_lab.sae.features import FeatureStore


def described_documents(store: FeatureStore) -> frozenset[int]:
    """Return the digests of the documents that a folder of features was made from, by reading its text again.

    Documents that were handed over in memory, in place of the text that the folder names, leave no trace in it.

    Raises: ValueError, if the text is not there any more, or it was the grammar with one document to a window, where
        the folder does not say which were long enough to be read.
    """
    text = TextConfig.from_mapping(store.about.text)
    read = documents_of(ActivationsConfig(hooks=(store.about.hook,), text=text, n_tokens=max(store.about.n_tokens, 1)))
    if text.source == GRAMMAR and not text.packed:
        raise ValueError(
            f"{store.folder} was made from the grammar with packed=False, which leaves unknown how far it was read; "
            "describe features with packed=True, or judge on the other part of the text and pass written_from=None"
        )
    n = store.about.n_documents if text.packed else None
    return frozenset(digest(document.text) for document in islice(read, n))
