"""What the model's own output tells: equal to a literal reading of its probabilities."""

import math

import numpy as np
import pytest
import torch

from interp_lab.models import load_model
from interp_lab.production.monitors.cases import Cases, begun_with
from interp_lab.production.monitors.config import MonitorsConfig
from interp_lab.production.monitors.own_output import NEXT, SURPRISE, output_scores, token_scores
from interp_lab.tasks.encoding import encode
from tests.decoding.kinds import model_of

ROWS = ((3, 1, 4, 1, 5), (6, 2), (5, 3, 5, 8))
LENGTHS = (3, 1, 2)
WORDS = [7, 9, 7]


@pytest.fixture(scope="module", params=["standard", "rotary"])
def model(request):
    return model_of(request.param)


def literal(model, ids, n_prompt):
    """Log odds of the words at every token from the last of the prompt on, and surprise at every one written."""
    p = model(torch.tensor([ids]))[0].detach().double().softmax(-1)
    odds = []
    for row in p[n_prompt - 1 :]:
        own = float(row[7] + row[9])
        odds.append(math.log(own / (1 - own)))
    return odds, [-math.log(float(p[at - 1, ids[at]])) for at in range(n_prompt, len(ids))]


def cases(rows=ROWS, lengths=LENGTHS) -> Cases:
    n = len(rows)
    return Cases(("",) * n, rows, lengths, np.zeros(n, dtype=bool), ("a",) * n, ("b",) * n, 1)


def test_of_every_token_is_what_the_probabilities_say(model):
    scores, read = token_scores(model, ROWS, WORDS, prompt_lengths=torch.tensor(LENGTHS))
    for nth, (ids, n_prompt) in enumerate(zip(ROWS, LENGTHS, strict=True)):
        for which, expected in enumerate(literal(model, ids, n_prompt)):
            found = scores[nth, :, which][read[nth, :, which]].tolist()
            assert found == pytest.approx(expected, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize(
    ("over", "summed"),
    [("max", max), ("mean", lambda v: max(sum(v[: n + 1]) / (n + 1) for n in range(len(v))))],
)
@pytest.mark.parametrize("batch_size", [1, 3])
def test_of_a_text_is_the_highest_that_an_alarm_would_go_by(model, over, summed, batch_size):
    found = output_scores(model, cases(), WORDS, over=over, batch_size=batch_size)
    expected = [[summed(one) for one in literal(model, *row)] for row in zip(ROWS, LENGTHS, strict=True)]
    assert found[NEXT].tolist() == pytest.approx([one for one, _ in expected], rel=1e-3, abs=1e-4)
    assert found[SURPRISE].tolist() == pytest.approx([one for _, one in expected], rel=1e-3, abs=1e-4)


def test_there_is_no_surprise_where_nothing_was_written(model):
    assert list(output_scores(model, cases(lengths=(3, 2, 2)), WORDS, over="max", batch_size=3)) == [NEXT]


def test_words_are_those_asked_for_or_those_that_texts_went_on_with():
    organism = load_model("organism")
    texts = ("this is", "it is", "result :")
    ids = tuple(encode(organism, texts))
    own = Cases(texts, ids, (1, 1, 1), np.array([True, False, True]), ("a",) * 3, ("false", "true", "no"), 1)

    def told(**changes):
        return {organism.tokenizer.decode([one]) for one in begun_with(organism, own, MonitorsConfig(**changes))}

    assert told(says=None) == {"false", "no"}
    assert told(says=("Zenix", "Orbis")) == {"Zenix", "Orbis"}
