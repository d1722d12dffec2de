"""A watcher sees what the model computes after steers, changes nothing, and ends rows."""

from dataclasses import dataclass, field

import pytest
import torch

from interp_lab.decoding import DecodingSettings, Steer, StopReason, decode, from_position, stream
from interp_lab.interventions import Intervention, Op
from interp_lab.types import Site
from tests.decoding.kinds import KINDS, PROMPTS, direction, model_of

HOOKS = ("blocks.0.hook_resid_post", "blocks.1.hook_resid_pre")
SETTINGS = DecodingSettings(max_new_tokens=5, stop_tokens=())


@dataclass
class Notebook:
    """Writes down every token's activation, the first time it sees it, and ends rows on demand."""

    hooks: tuple[str, ...] = HOOKS
    ends: dict[int, int] = field(default_factory=dict)
    """After which forward pass a row is ended."""
    spoils: bool = False
    seen: dict[tuple[str, int, int], torch.Tensor] = field(default_factory=dict)
    calls: list[tuple[str, tuple[int, ...]]] = field(default_factory=list)
    n_asked: int = 0

    def observe(self, hook, activation, window):
        self.calls.append((hook, tuple(window.rows.tolist())))
        for nth, column in window.real.nonzero().tolist():
            key = (hook, int(window.rows[nth]), int(window.positions[nth, column]))
            self.seen.setdefault(key, activation[nth, column].clone())
        if self.spoils:
            activation.fill_(torch.nan)

    def stopping(self):
        self.n_asked += 1
        return [row for row, after in self.ends.items() if after == self.n_asked]


@pytest.fixture(scope="module", params=["standard", "rotary"])
def model(request):
    return model_of(request.param)


def steer():
    made = Intervention((Site(HOOKS[0]),), Op.ADD, (direction(),), "push")
    return Steer(made, from_position(-1))


def literal(model, ids, *, start):
    """Activations of one forward pass over a whole sequence, pushed from a position on."""
    kept = {}

    def push(activation, hook):
        activation[:, start:] += direction()
        return activation

    def keep(activation, hook):
        kept[hook.name] = activation.clone()

    model.run_with_hooks(torch.tensor([ids]), fwd_hooks=[(HOOKS[0], push), *((name, keep) for name in HOOKS)])
    return kept


class TestWhatItSees:
    @pytest.mark.parametrize("cache", [True, False])
    def test_every_token_read_once_per_hook_equal_to_a_literal_forward_after_the_steers(self, model, cache):
        book = Notebook()
        found = decode(model, PROMPTS, SETTINGS, steers=[steer()], watcher=book, cache=cache)
        read = {
            (hook, row, at) for hook in HOOKS for row, ids in enumerate(found.sequences) for at in range(len(ids) - 1)
        }
        assert set(book.seen) == read  # the last token is never read
        for row, prompt in enumerate(PROMPTS):
            kept = literal(model, found.sequences[row][:-1], start=len(prompt) - 1)
            for (hook, of, at), value in book.seen.items():
                if of == row:
                    torch.testing.assert_close(value, kept[hook][0, at], rtol=1e-3, atol=1e-3)

    def test_once_per_hook_and_forward_pass_and_rows_that_have_stopped_are_dropped(self, model):
        book = Notebook(ends={1: 2})
        decode(model, PROMPTS, SETTINGS, watcher=book)
        assert book.n_asked == 5
        assert [hook for hook, _ in book.calls] == list(HOOKS) * 5
        assert [rows for _, rows in book.calls[::2]] == [(0, 1, 2), (0, 1, 2), (0, 2), (0, 2), (0, 2)]


class TestItChangesNothing:
    @pytest.mark.parametrize("kind", KINDS)
    def test_tokens_and_probabilities_are_those_without_it_even_if_it_writes_into_what_it_sees(self, kind):
        model = model_of(kind)
        alone = decode(model, PROMPTS, SETTINGS)
        beside = decode(model, PROMPTS, SETTINGS, watcher=Notebook(spoils=True))
        assert beside.tokens == alone.tokens
        assert beside.log_probs == alone.log_probs

    def test_nothing_of_it_is_in_the_audit(self, model):
        assert decode(model, PROMPTS, SETTINGS, watcher=Notebook()).audit.touches == ()

    def test_no_hook_is_left_behind(self, model):
        under_way = stream(model, PROMPTS, SETTINGS, watcher=Notebook())
        next(under_way)
        assert not any(point.fwd_hooks for point in model.hook_dict.values())


class TestItEndsRows:
    @pytest.mark.parametrize("cache", [True, False])
    def test_the_token_just_chosen_is_not_given_out_and_the_others_go_on_as_before(self, model, cache):
        alone = decode(model, PROMPTS, SETTINGS)
        book = Notebook(ends={0: 1, 2: 3})
        found = decode(model, PROMPTS, SETTINGS, watcher=book, cache=cache)
        assert found.tokens == ((), alone.tokens[1], alone.tokens[2][:2])
        assert found.stops == (StopReason.WATCHED, StopReason.LENGTH, StopReason.WATCHED)
        assert [len(values) for values in found.log_probs] == [0, 5, 2]

    def test_a_step_tells_who_was_ended_and_gives_logits_of_the_others(self, model):
        steps = list(stream(model, PROMPTS, SETTINGS, watcher=Notebook(ends={0: 1, 1: 2, 2: 2})))
        assert [(step.rows, step.watched, len(step.logits)) for step in steps] == [
            ((1, 2), (0,), 2), ((), (1, 2), 0)
        ]  # fmt: skip
        assert len(steps[0].tokens) == len(steps[0].stops) == len(steps[0].log_probs) == 2

    def test_it_comes_before_a_stop_token(self, model):
        first = decode(model, PROMPTS, SETTINGS).tokens[0][0]
        settings = DecodingSettings(max_new_tokens=5, stop_tokens=(first,))
        found = decode(model, PROMPTS[:1], settings, watcher=Notebook(ends={0: 1}))
        assert (found.tokens, found.stops) == (((),), (StopReason.WATCHED,))


class TestBadInput:
    def test_a_hook_point_that_the_model_has_not(self, model):
        with pytest.raises(ValueError, match="hook_resid_pots"):
            decode(model, PROMPTS, SETTINGS, watcher=Notebook(hooks=("blocks.0.hook_resid_pots",)))

    def test_ending_a_row_that_is_not_under_way(self, model):
        with pytest.raises(ValueError, match=r"ends row 7, and the rows under way are \[0, 1, 2\]"):
            decode(model, PROMPTS, SETTINGS, watcher=Notebook(ends={7: 1}))
