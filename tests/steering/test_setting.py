"""One way of steering: at which tokens, what is done there, and that decoding and sweeps do the same."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.decoding import DecodingSettings, stream
from interp_lab.decoding.where import policy_of
from interp_lab.engine import sweep
from interp_lab.hooks import capture
from interp_lab.interventions import applied
from interp_lab.metrics import user_metric
from interp_lab.steering.setting import (
    How,
    Setting,
    at_each_hook,
    intervention_for,
    is_inert,
    selected_tokens,
    steers_for,
)
from tests.steering.made import HOOK, LATER, WHERES, batch, gate, literal_logits, organism, setting, vectors

SHORT = ("the film was slow", "again the film")
WAYS = [
    (how, where, kind)
    for how in ("add", "clamp", "ablate")
    for where in WHERES
    for kind in (None, "projection", "similarity")
    if kind is None or where in ("all", "from -3", "tokens film hotel was")
]


def columns_of(where):
    """Which tokens of `SHORT` are selected, BOS included."""
    return [row.nonzero().flatten().tolist() for row in selected_tokens(organism(), setting(where=where), batch(SHORT))]


class TestWhichTokens:
    @pytest.mark.parametrize(
        ("where", "columns"),
        [
            ("all", [[1, 2, 3, 4], [1, 2, 3]]),
            ("all+bos", [[0, 1, 2, 3, 4], [0, 1, 2, 3]]),
            ("last", [[4], [3]]),
            ("from 0", [[1, 2, 3, 4], [1, 2, 3]]),
            ("from 3", [[3, 4], [3]]),
            ("from -2", [[3, 4], [2, 3]]),
            ("tokens film", [[2], [3]]),
            ("tokens film again", [[2], [1, 3]]),
        ],
    )
    def test_by_policy_and_never_padding(self, where, columns):
        assert columns_of(where) == columns

    def test_the_end_of_the_prompt_is_where_the_batch_says(self):
        whole = batch(SHORT)
        earlier = replace(whole, last=torch.tensor([2, 1]))
        found = selected_tokens(organism(), setting(where="from -1"), earlier)
        assert [row.nonzero().flatten().tolist() for row in found] == [[2, 3, 4], [1, 2, 3]]

    @pytest.mark.parametrize("where", ["", "some", "from", "from x", "from 1 2", "tokens", "all + bos"])
    def test_no_policy(self, where):
        with pytest.raises(ValueError, match="no position policy; use one of"):
            setting(where=where)

    def test_a_word_that_the_tokenizer_does_not_know(self):
        with pytest.raises(ValueError, match="'zebra' is not one token"):
            policy_of(organism(), "tokens zebra")

    def test_left_padding_counts_from_where_the_text_begins(self):
        right = batch(SHORT)
        tokens, mask = right.tokens.clone(), right.mask.clone()
        tokens[1], mask[1] = tokens[1].roll(1), mask[1].roll(1)
        left = replace(right, tokens=tokens, mask=mask, last=torch.tensor([4, 4]))
        for where in WHERES:
            one, other = (selected_tokens(organism(), setting(where=where), own) for own in (right, left))
            torch.testing.assert_close(one[1].roll(1), other[1])
            torch.testing.assert_close(one[0], other[0])


class TestWhatIsDone:
    def after(self, own_setting, **more):
        own = batch()
        made = intervention_for(organism(), own_setting, 8 * vectors(), own, **more)
        before = capture(organism(), own.tokens, [HOOK], mask=own.mask)[HOOK]
        edit = made.edits()[HOOK]
        return before[own.mask], edit(before.clone())[own.mask]

    def test_adding_moves_by_coefficient_times_vector(self):
        before, after = self.after(setting(coefficient=-0.5, where="all+bos"))
        torch.testing.assert_close(after - before, (-4 * vectors()).expand_as(before), atol=1e-4, rtol=0)

    def test_clamping_sets_the_projection_to_the_midpoint_plus_the_gap(self):
        unit = vectors()[0] / vectors()[0].norm()
        before, after = self.after(setting("clamp", "all+bos", coefficient=-0.5), midpoints=torch.tensor([3.0]))
        torch.testing.assert_close(after @ unit, torch.full((len(after),), 3.0 - 0.5 * 64), atol=1e-3, rtol=0)
        rest = [part - (part @ unit)[:, None] * unit for part in (before, after)]
        torch.testing.assert_close(*rest, atol=1e-3, rtol=0)

    @pytest.mark.parametrize("own", [setting("ablate", "all+bos"), setting("clamp", "all+bos", coefficient=0.0)])
    def test_ablating_and_clamping_to_nothing_are_the_same(self, own):
        _, after = self.after(own)
        assert (after @ vectors()[0] / 8).abs().max() < 1e-4

    @pytest.mark.parametrize("how", ["add", "ablate"])
    def test_a_coefficient_of_zero_changes_nothing_at_all(self, how):
        own = batch()
        made = intervention_for(organism(), setting(how, coefficient=0.0), vectors(), own)
        assert is_inert(made)
        with torch.no_grad():
            clean = organism()(own.tokens, attention_mask=own.mask.long())
            with applied(organism(), made):
                steered = organism()(own.tokens, attention_mask=own.mask.long())
        assert torch.equal(clean, steered)

    def test_a_gate_that_stays_closed_changes_nothing_and_is_no_error(self):
        closed = replace(gate("projection"), threshold=1e9)
        made = intervention_for(organism(), setting(gate="projection"), vectors(), batch(), gate=closed)
        assert is_inert(made)

    def test_it_is_made_for_its_rows(self):
        own = batch()
        made = intervention_for(organism(), setting(where="last"), vectors(), own)
        torch.testing.assert_close(made.rows(torch.tensor([1])).tokens, made.tokens[1:2])


class TestSweepsDecodingAndLiteralPassesAgree:
    @pytest.mark.parametrize("hooks", [(HOOK,), (HOOK, LATER)], ids=["one hook", "two hooks"])
    def test_for_every_way(self, hooks):
        own, made = batch(), {}
        midpoints = torch.full((len(hooks),), 2.0)
        for how, where, kind in WAYS:
            own_setting = setting(how, where, gate=kind, hooks=hooks)
            more = {"gate": None if kind is None else gate(kind), "midpoints": midpoints}
            made[own_setting] = more
        rows = torch.arange(len(own.tokens))
        fast = sweep(organism(), own.tokens, self.interventions(made, own), self.probe(own), mask=own.mask).values
        for nth, (own_setting, more) in enumerate(made.items()):
            selected = selected_tokens(organism(), own_setting, own, gate=more["gate"])
            logits = literal_logits(own_setting, vectors(len(hooks)), own, selected, midpoints=midpoints)
            slow = logits[rows, own.last]
            np.testing.assert_allclose(fast[nth], slow[:, 7] - slow[:, 11], atol=2e-4, err_msg=own_setting.name)
            torch.testing.assert_close(self.first_logits(own, own_setting, more), slow, atol=2e-4, rtol=0)

    @staticmethod
    def interventions(made, own):
        return [intervention_for(organism(), one, vectors(len(one.hooks)), own, **more) for one, more in made.items()]

    @staticmethod
    def probe(own):
        def score(logits, last):
            at = logits[torch.arange(len(logits)), last]
            return at[:, 7] - at[:, 11]

        return user_metric(score, name="probe", unit="logits", data=(own.last,))

    @staticmethod
    def first_logits(own, own_setting, more):
        """Of the first token that is generated, prompts left-padded by the decoding loop."""
        ids = [row[kept].tolist() for row, kept in zip(own.tokens, own.mask, strict=True)]
        steers = steers_for(organism(), own_setting, vectors(len(own_setting.hooks)), **more)
        return next(stream(organism(), ids, DecodingSettings(max_new_tokens=1), steers=steers)).logits

    def test_what_is_decoded_is_what_a_pass_over_the_whole_text_says(self):
        own, own_setting = batch(), setting("add", "from -1", gate="projection", hooks=(HOOK, LATER), coefficient=2.0)
        more = {"gate": gate("projection")}
        ids = [row[kept].tolist() for row, kept in zip(own.tokens, own.mask, strict=True)]
        steers = steers_for(organism(), own_setting, vectors(2), **more)
        settings = DecodingSettings(max_new_tokens=5, stop_tokens=())
        found = stream(organism(), ids, settings, steers=steers).to_end()
        for row, (prompt, written) in enumerate(zip(ids, found.tokens, strict=True)):
            whole = replace(
                batch(("the",)),
                tokens=torch.tensor([[*prompt, *written[:-1]]]),
                mask=torch.ones(1, len(prompt) + 4, dtype=torch.bool),
                last=torch.tensor([len(prompt) - 1]),
            )
            selected = selected_tokens(organism(), own_setting, whole, **more)
            logits = literal_logits(own_setting, vectors(2), whole, selected)
            assert logits[0, len(prompt) - 1 :].argmax(-1).tolist() == list(written), f"row {row}"

    def test_a_gate_says_the_same_at_every_hook_whatever_was_decoded_in_between(self):
        """Two streams in turn with the same steers: each is as if it were alone."""
        steers = steers_for(
            organism(), setting(gate="projection", hooks=(HOOK, LATER)), vectors(2), gate=gate("projection")
        )
        ids = ([[0, 5, 6, 9]], [[0, 7, 8, 20], [0, 3, 4, 30]])
        settings = DecodingSettings(max_new_tokens=4, stop_tokens=())
        alone = [stream(organism(), one, settings, steers=steers).to_end().tokens for one in ids]
        both = [stream(organism(), one, settings, steers=steers) for one in ids]
        for _ in range(4):
            for one in both:
                next(one)
        assert [one.to_end().tokens for one in both] == alone

    def test_what_a_gate_said_of_another_window_is_not_heard(self):
        own_gate = gate("projection")
        first, again = at_each_hook(own_gate, n_hooks=2)
        windows = [batch(SHORT).window for _ in range(2)]
        activations = 1000 * torch.tensor(own_gate.direction).expand(2, 5, -1)
        said = [first(scale * activations, window) for scale, window in zip((1.0, -1.0), windows, strict=True)]
        assert not torch.equal(*said)
        for own, window in zip(said, windows, strict=True):
            assert torch.equal(again(activations, window), own)
        with pytest.raises(KeyError):
            again(activations, batch(SHORT).window)

    def test_rows_choose_prompts(self):
        ids = [[0, 5, 6], [0, 5, 6]]
        steers = steers_for(organism(), setting(), 10 * vectors(), rows=torch.tensor([True, False]))
        logits = next(stream(organism(), ids, DecodingSettings(max_new_tokens=1), steers=steers)).logits
        clean = next(stream(organism(), ids, DecodingSettings(max_new_tokens=1))).logits
        torch.testing.assert_close(logits[1], clean[1])
        assert (logits[0] - clean[0]).abs().max() > 1


class TestBadInput:
    @pytest.mark.parametrize(
        ("changed", "told"),
        [
            ({"coefficient": float("nan")}, "coefficient=nan .* finite"),
            ({"coefficient": float("inf")}, "coefficient=inf .* finite"),
            ({"hooks": ()}, "at least one hook"),
            ({"hooks": (HOOK, HOOK)}, "each once"),
            ({"how": How.ABLATE, "coefficient": 0.5}, "takes a direction out or leaves it"),
            ({"gate": "cosine"}, "none of projection, similarity"),
        ],
    )
    def test_no_setting(self, changed, told):
        given = {"direction": "d", "hooks": (HOOK,), "how": How.ADD, "coefficient": 1.0}
        with pytest.raises(ValueError, match=told):
            Setting(**given | changed)

    @pytest.mark.parametrize(
        ("own", "given", "told"),
        [
            (setting(), torch.ones(2, 128), "1 hooks and 2 vectors"),
            (setting(), torch.zeros(1, 128), "length zero"),
            (setting(), torch.full((1, 128), torch.nan), "NaN or inf"),
            (setting(gate="projection"), torch.ones(1, 128), "needs a fitted gate"),
        ],
    )
    def test_vectors_and_gates_that_are_not_there(self, own, given, told):
        with pytest.raises(ValueError, match=told):
            intervention_for(organism(), own, given, batch())
        with pytest.raises(ValueError, match=told):
            steers_for(organism(), own, given)

    def test_a_vector_of_another_width(self):
        made = intervention_for(organism(), setting(), torch.ones(1, 64), batch())
        with pytest.raises(ValueError, match="64"):
            sweep(organism(), batch().tokens, [made], self.metric(), mask=batch().mask)

    def metric(self):
        return TestSweepsDecodingAndLiteralPassesAgree.probe(batch())

    @pytest.mark.parametrize("given", [{"kind": "similarity"}, {"kind": "projection", "hook": LATER}])
    def test_a_gate_of_another_kind_or_hook(self, given):
        with pytest.raises(ValueError, match=r"projection gate at blocks\.1\.hook_resid_post, and got"):
            intervention_for(organism(), setting(gate="projection"), vectors(), batch(), gate=gate(**given))

    def test_a_gate_that_is_not_asked_for(self):
        with pytest.raises(ValueError, match="names no gate"):
            intervention_for(organism(), setting(), vectors(), batch(), gate=gate("projection"))


def test_the_name_says_everything():
    own = setting("clamp", "from -1", coefficient=-2.0, gate="similarity", hooks=(HOOK, LATER))
    assert own.name == "clamp -2 drawn at 1.hook_resid_post+2.hook_resid_post, from -1, similarity gate"
