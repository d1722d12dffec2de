"""Sums by document: whole, whatever the batches; equal texts are one document."""

import numpy as np
import torch

from interp_lab.sae.evaluation.sums import DocumentSums


def test_equal_texts_are_one_document_and_tokens_of_none_another():
    sums = DocumentSums()
    rows = sums.rows(torch.tensor([4, 4, -1, 7, 9]), {4: 111, 7: 222, 9: 111})
    sums.add("n", rows, torch.ones(5))
    sums.add("n", sums.rows(torch.tensor([12]), {12: 222}), torch.ones(1))
    assert len(sums) == 3
    assert sorted(sums.totals()["n"].tolist()) == [1, 2, 3]
    assert rows.tolist()[0] == rows.tolist()[4]


def test_sums_grow_by_doubling():
    """Of 400 batches with a new document each, few copy what is there: none of it is copied for every batch."""
    sums, copied = DocumentSums(), 0
    for number in range(400):
        before = sums._sums.get("n")
        sums.add("n", sums.rows(torch.tensor([number]), {number: number}), torch.ones(1))
        copied += before is not None and sums._sums["n"] is not before
    assert copied < 12
    assert sums.totals()["n"].tolist() == [1.0] * 400


def test_documents_add_up_to_the_whole_however_tokens_come():
    generator = torch.Generator().manual_seed(0)
    documents = torch.randint(0, 6, (200,), generator=generator).sort().values
    values = torch.randn(200, 3, generator=generator)
    digests = {number: 100 + number for number in range(6)}
    found = []
    for size in (200, 7, 1):
        sums = DocumentSums()
        for some, of in zip(documents.split(size), values.split(size), strict=True):
            sums.add("x", sums.rows(some, digests), of)
        found.append(sums.totals()["x"])
    np.testing.assert_allclose(found[0].sum(0), values.double().sum(0))
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0])
    for number in range(6):
        np.testing.assert_allclose(found[0][number], values[documents == number].double().sum(0))
