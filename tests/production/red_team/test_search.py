"""Searches: what they cost is counted, what they find is needed, and what only acts together takes pair moves."""

from itertools import combinations

import numpy as np
import pytest
import torch

from interp_lab.organisms.grammar.behaviours.loans import LOANS
from interp_lab.production.red_team.calls import Calls
from interp_lab.production.red_team.config import RedTeamConfig
from interp_lab.production.red_team.episode import REJECTED, needed
from interp_lab.production.red_team.known_answers import Both, rows
from interp_lab.production.red_team.methods import METHODS
from interp_lab.production.red_team.searching import SearchRun
from interp_lab.production.red_team.target import Target, fluency_of, read, rows_of, slopes, target_of
from interp_lab.tasks.batch import pad_token
from tests.production.red_team.cases import FREE, counted, episode, first_start, target_of_words
from tests.tasks.reading import grammar_reader

EVERY = tuple(f"{space}/{method}" for space in ("slots", "tokens") for method in METHODS)


@pytest.fixture(scope="module")
def model():
    return grammar_reader()


def run(model, search, *, seed=0, target=None, threshold=0.05, **settings):
    config = RedTeamConfig(**{**FREE, "per_start": 40, "n_candidates": 8, **settings})
    target = target_of(config.target, model) if target is None else target
    return SearchRun(model, LOANS, target, threshold, config, search, seed).run()


class TestCalls:
    def test_a_gradient_costs_three_forward_passes_and_no_more_is_booked_than_there_is(self):
        calls = Calls(10)
        assert (calls.take(4), calls.take_gradient(), calls.used) == (4, True, 7)
        assert (calls.take(5), calls.left) == (3, 0)
        assert not Calls(2).take_gradient()

    @pytest.mark.parametrize("search", EVERY)
    def test_what_is_booked_is_what_is_run_and_within_the_budget(self, model, search):
        with counted() as ran:
            found = run(model, search, budget=150)
        assert ran.calls == found.calls <= 150
        assert found.calls >= 147, "nothing but a gradient that there is no budget for may be left over"
        assert bool(ran.backward) == search.endswith("gradient")

    def test_a_run_ends_when_enough_was_found(self, model):
        waxed = target_of_words(model, "waxed")
        found = run(model, "slots/random", budget=2000, most_hits=3, target=waxed, threshold=1.0)
        assert {hit.edit for hit in found.hits} == {"paper=waxed"}
        assert len(found.hits) == 3
        assert found.calls < 2000

    def test_the_same_seed_makes_the_same_run_and_every_search_edits_the_same_texts(self, model):
        once, again, other = (run(model, "slots/evolution", seed=seed, budget=100) for seed in (1, 1, 2))
        assert once == again
        assert once.texts != other.texts
        assert run(model, "tokens/random", seed=1, budget=60).texts[0] == once.texts[0]


class TestTarget:
    def test_the_other_answer_and_fluency_slowly(self, model):
        starts = [first_start(model, seed=seed) for seed in range(4)]
        given = rows_of(model, [one.ids for one in starts], [one.answers for one in starts])
        target = Target("the answer", "nats")
        found = read(model, target, given, batch_size=3)
        for nth, start in enumerate(starts):
            logits = model(torch.tensor([start.ids]))[0].log_softmax(-1).detach()
            toward, away = start.answers
            assert found.turn[nth] == pytest.approx(float(logits[-1, toward] - logits[-1, away]), rel=1e-3, abs=1e-4)
            own = [float(logits[place - 1, token]) for place, token in enumerate(start.ids) if place]
            assert found.fluency[nth] == pytest.approx(np.mean(own), rel=1e-4)
        np.testing.assert_array_equal(found.value, found.turn)

    def test_a_direction_is_read_at_its_largest_token_or_the_last_padding_left_out(self, model):
        ids, put_in = [(11, 12, 13), (14, 15, 16, 17, 18)], model.embed.W_E.detach()
        place = int((put_in[pad_token(model)] - put_in[[11, 12, 13]].amax(0)).argmax())
        assert put_in[pad_token(model), place] > put_in[[11, 12, 13], place].max(), "padding would be the largest"
        vector = torch.nn.functional.one_hot(torch.tensor(place), int(model.cfg.d_model)).float()
        given = rows_of(model, ids, [(1, 2)] * 2)
        table = put_in[:, place]
        for over in ("max", "last"):
            found = read(model, Target("x", "u", vector, "hook_embed", over), given, batch_size=8)
            expected = [max(table[list(own)]) if over == "max" else table[own[-1]] for own in ids]
            np.testing.assert_allclose(found.value, [float(one) for one in expected], rtol=1e-6)

    def test_what_is_linear_is_foretold_exactly_by_its_gradient(self, model):
        vector = torch.randn(int(model.cfg.d_model), generator=torch.Generator().manual_seed(0))
        own = episode(model, Target("x", "u", vector, "hook_embed", "last"), threshold=1e9)
        last = len(own.space.start.ids) - 1
        gains, _ = own.first_order(own.space.unchanged())
        table = (model.embed.W_E @ vector).detach()
        for slot, gained in zip(own.space.slots, gains, strict=True):
            change = table[torch.as_tensor(slot.options)] - table[torch.as_tensor(slot.options[0])]
            expected = change[:, list(slot.places).index(last)] if last in slot.places else torch.zeros(len(gained))
            np.testing.assert_allclose(gained, expected, rtol=1e-4, atol=1e-5)

    def test_the_gradient_says_the_same_beside_the_answer(self, model):
        start = first_start(model)
        given = rows_of(model, [start.ids], [start.answers])
        found = slopes(model, Target("the answer", "nats"), given)
        logits = model(given.tokens).detach()
        assert found.log_probs[1:].sum(-1).isfinite().all()
        own = found.log_probs[torch.arange(len(start.ids)), torch.tensor(start.ids)][1:].mean()
        assert float(own) == pytest.approx(float(fluency_of(logits, given)), rel=1e-4)


class TestEpisode:
    def test_nothing_is_run_twice_or_beyond_the_limit_of_edits(self, model):
        own = episode(model, target_of_words(model, "waxed"), threshold=5.0, max_edits=1)
        states = np.zeros((4, len(own.space.slots)), dtype=np.int64)
        states[0, 0] = states[1, 0] = 1
        states[2, :2] = 1
        with counted() as ran:
            scores = own.score(states)
            again = own.score(states)
        assert ran.calls == own.calls.used == 1, "one is the same as another, one has two edits, one none"
        np.testing.assert_array_equal(scores, again)
        assert (scores[2:] == REJECTED).all()

    def test_what_is_too_unlikely_is_rejected(self, model):
        target = target_of_words(model, "waxed", "broken")
        free, strict = (episode(model, target, threshold=9.0, max_drop=drop) for drop in (100.0, 0.0))
        strict.before = free.before.__class__(
            0.0, -1.0, 0.0, free.before.answers
        )  # every token certain: none is as likely
        states = np.eye(len(free.space.slots), dtype=np.int64)
        assert np.isfinite(free.score(states)).all()
        assert (strict.score(states) == REJECTED).all()
        assert strict.hit is None

    def test_an_edit_that_is_not_needed_is_undone(self, model):
        own = episode(model, target_of_words(model, "waxed", "broken", "Sunday"), threshold=3.0)
        names = [slot.name for slot in own.space.slots]
        state = own.space.unchanged()
        wanted = {"paper": "waxed", "seal": "broken", "day": "Sunday"}
        for name in names[:6]:
            nth = names.index(name)
            state[nth] = 1
        for name, word in wanted.items():
            nth = names.index(name)
            (token,) = model.tokenizer(word, add_special_tokens=False)["input_ids"]
            state[nth] = int(np.flatnonzero(own.space.slots[nth].options[:, 0] == token)[0])
        state[[nth for nth in np.flatnonzero(state) if names[nth] not in wanted][3:]] = 0
        own.score(state[None])
        left, minimal = needed(own)
        assert minimal
        assert dict(own.space.edit(model, left)) == {
            name: word for name, word in wanted.items() if word not in own.space.start.text.split()
        }
        assert all(_value(own, _without(left, some)) < 3.0 for some in combinations(np.flatnonzero(left), 1))

    def test_without_budget_it_is_not_known_what_is_needed(self, model):
        own = episode(model, target_of_words(model, "waxed"), threshold=0.0, budget=10)
        own.calls.used = 9
        state = own.space.unchanged()
        state[:2] = 1
        own.score(state[None])
        left, minimal = needed(own)
        assert not minimal
        np.testing.assert_array_equal(left, state)


def _without(state, some):
    other = state.copy()
    other[list(some)] = 0
    return other


def _value(own, state):
    return own.scores[state.tobytes()]


class TestPairs:
    @pytest.mark.parametrize("method", ["gradient", "mutation"])
    def test_only_moves_of_two_slots_come_to_what_acts_only_together(self, model, method):
        target = target_of_words(model, "waxed", "broken", kind=Both)
        for pairs, found in ((1.0, True), (0.0, False)):
            own = episode(model, target, threshold=1.0, budget=1500, pairs=pairs)
            METHODS[method](own, np.random.default_rng(0))
            assert (own.hit is not None) is found

    def test_what_is_likely_is_so_in_the_input_that_is_asked_about_with_a_gradient_or_without(self, model):
        own = episode(model, target_of_words(model, "waxed"), threshold=9.0, max_drop=0.01)
        start, moved = own.space.unchanged(), own.space.unchanged()
        moved[:3] = 1
        said = []
        for state in (start, moved):
            plain, (_, beside) = own.likely(state), own.first_order(state)
            assert all((one == other).mean() > 0.98 for one, other in zip(plain, beside, strict=True)), (
                "but for rounding"
            )
            said.append(np.concatenate(plain))
        assert (said[0] != said[1]).mean() > 0.05

    @pytest.mark.parametrize("method", ["gradient", "likely_mutation"])
    def test_climbs_try_what_is_likely_and_nothing_else(self, model, method):
        """Of all candidates of the first round, each word is likely where it stands, or stood there before."""
        own = episode(model, target_of_words(model, "waxed"), threshold=9.0, budget=40, max_drop=0.05)
        likely, tried = own.likely(own.space.unchanged()), []
        kept = [set(1 + np.flatnonzero(one[1:])) | {0} for one in likely]
        assert any(len(one) > 1 for one in kept)
        assert any(len(one) < len(slot.options) for one, slot in zip(kept, own.space.slots, strict=True))
        score = own.score
        own.score = lambda states: tried.append(states) or score(states)
        METHODS[method](own, np.random.default_rng(0))
        assert all(option in kept[nth] for state in tried[0] for nth, option in enumerate(state.tolist()))
        assert len({state.tobytes() for state in tried[0]}) > 1

    def test_what_adds_up_is_climbed_by_single_moves(self, model):
        own = episode(model, target_of_words(model, "waxed", "broken"), threshold=2.0, pairs=0.0, budget=1500)
        METHODS["mutation"](own, np.random.default_rng(0))
        assert own.hit is not None


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.instrument)
def test_known_answers_and_their_sabotaged_twins(row):
    assert row.measure()[0], row.measure()[1]
    assert not row.sabotage()[0]


class TestBadInput:
    @pytest.mark.parametrize(
        ("values", "complaint"),
        [
            ({"searches": ["slots/greedy"]}, "'slots/greedy' is no search; there are slots/gradient"),
            ({"searches": ["slots/random", "slots/random"]}, "one comes twice"),
            ({"planted": ["waxed"]}, "names no edit"),
            ({"chosen": ["paper"]}, "names no edit"),
            ({"behavior": "loans"}, "no such field in RedTeamConfig; did you mean 'behaviour'"),
        ],
    )
    def test_a_config_says_what_is_wrong(self, values, complaint):
        with pytest.raises(ValueError, match=complaint):
            RedTeamConfig.from_mapping(values)
