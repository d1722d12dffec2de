"""Interventions on some of the tokens: a literal hook that writes token by token, and the exact sweep, say the same."""

import pytest
import torch

from interp_lab.engine import sweep
from interp_lab.interventions import Combined, Intervention, Op, applied, require_intervention, require_members_apart
from interp_lab.metrics import user_metric
from interp_lab.types import Site
from tests.engine.compare import difference, require_literal
from tests.engine.models import hooked, left_padding, prompts

RESID, MIDDLE = Site("blocks.0.hook_resid_post"), Site("blocks.1.hook_resid_mid")
N, LENGTH, D = 4, 9, 16
SOME = torch.rand(N, LENGTH, generator=torch.Generator().manual_seed(4)) < 0.4
OPS = [Op.ADD, Op.CLAMP, Op.PROJECT_OUT, Op.REPLACE]
PER_PROMPT = torch.randn(N, D, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
SHARED = PER_PROMPT[0]


@pytest.fixture(scope="module")
def model():
    return hooked("gpt2")


@pytest.fixture(scope="module")
def base(model):
    return prompts(model, n=N, length=LENGTH)


def by_hand(op, vector, payload):
    """One token's vector after the operation, in words: along the payload's unit vector, and across it."""
    unit = payload / payload.norm()
    across = vector - (vector @ unit) * unit
    return {
        Op.ADD: vector + payload, Op.CLAMP: across + payload, Op.PROJECT_OUT: across, Op.REPLACE: payload
    }[op]  # fmt: skip


def literal_logits(model, base, op, sites, payload_of, tokens, gate):
    """A hook per site that walks over rows and positions."""

    def hook_for(site):
        def write(activation, hook):
            for row in range(len(activation)):
                for position in range(activation.shape[1]):
                    if tokens[row, position] and gate[row]:
                        found = activation[row, position].clone()
                        activation[row, position] = by_hand(op, found, payload_of(site, row))
            return activation

        return write

    with torch.inference_mode():
        return model.run_with_hooks(base, fwd_hooks=[(site.hook, hook_for(site)) for site in sites])


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("gate", [None, torch.tensor([True, False, True, False])], ids=["all prompts", "gated"])
@pytest.mark.parametrize("per_example", [False, True], ids=["one payload", "one each"])
@pytest.mark.parametrize("sites", [(RESID,), (RESID, MIDDLE)], ids=["one site", "two sites"])
def test_equals_a_loop_over_tokens(model, base, op, gate, per_example, sites):
    payload = PER_PROMPT if per_example else SHARED
    made = Intervention(
        sites, op, tuple(payload * (1 + n) for n in range(len(sites))), "m", per_example, gate=gate, tokens=SOME
    )
    with torch.inference_mode(), applied(model, made):
        logits = model(base)
    expected = literal_logits(
        model, base, op, sites,
        lambda site, row: (payload[row] if per_example else payload) * (1 + sites.index(site)),
        SOME, [True] * N if gate is None else gate,
    )  # fmt: skip
    torch.testing.assert_close(logits, expected, atol=1e-10, rtol=1e-10)
    size = user_metric(lambda logits: logits[:, -1].square().sum(-1), name="size", unit="logits^2")
    swept = sweep(model, base, [made], size)
    torch.testing.assert_close(torch.from_numpy(swept.values[0]), expected[:, -1].square().sum(-1), atol=0, rtol=1e-9)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "neox", "bidirectional"])
def test_the_sweep_is_exact_under_padding_and_beside_others(kind):
    """Sites with heads, patterns, positions; items of other shapes in the same chunk."""
    model = hooked(kind)
    base, mask = prompts(model, n=N, length=LENGTH), left_padding([9, 6, 4, 8], length=LENGTH)
    last = SOME.clone()
    last[:, 7:] = True
    sites = [
        Site("blocks.1.hook_resid_pre"),
        Site.of_head(1, 2),
        Site("blocks.0.attn.hook_v"),
        Site("blocks.1.attn.hook_pattern"),
        Site("blocks.1.attn.hook_pattern", head=1),
        Site("blocks.0.mlp.hook_post", latent=3),
        Site("blocks.1.hook_resid_pre", position=7),
        Site("blocks.2.hook_mlp_out"),
    ]
    made = [
        Intervention((site,), Op.SCALE, (torch.tensor(2.5),), str(site), tokens=last, since=torch.tensor([2, 3, 5, 1]))
        for site in sites
    ]
    made.append(Intervention((sites[0],), Op.SCALE, (torch.tensor(0.5),), "everything"))
    require_literal(model, base, made, mask=mask, moves=False)


def test_the_sweep_runs_from_the_first_token_selected(model, base):
    """What reads only tokens before it is not moved, by not one bit."""
    late = torch.zeros(N, LENGTH, dtype=torch.bool)
    late[:, 6] = late[:, 8] = True
    pushed = Intervention((RESID,), Op.ADD, (SHARED,), "late", tokens=late)
    early = sweep(model, base, [pushed], difference(model, base, [5] * N)[0])
    assert early.changes.tolist() == [[0.0] * N]
    assert abs(sweep(model, base, [pushed], difference(model, base, [6] * N)[0]).changes).min() > 0


def test_a_position_is_touched_where_it_is_selected(model, base):
    """Position 3 of the prompts that select it, as a gate would."""
    tokens = torch.zeros(N, LENGTH, dtype=torch.bool)
    tokens[1, 3] = tokens[2, 3] = tokens[0, 5] = True
    at = Site(RESID.hook, position=3)
    chosen = Intervention((at,), Op.ADD, (SHARED,), "tokens", tokens=tokens)
    gated = Intervention((at,), Op.ADD, (SHARED,), "gate", gate=torch.tensor([False, True, True, False]))
    found = require_literal(model, base, [chosen, gated], moves=False)
    assert found.changes[0].tolist() == found.changes[1].tolist()
    assert (found.changes[0] != 0).tolist() == [False, True, True, False]


def test_rows_take_their_tokens_along(model, base):
    made = Intervention((RESID,), Op.ADD, (SHARED,), "m", tokens=SOME)
    index = torch.tensor([2, 0])
    with torch.inference_mode():
        with applied(model, made):
            whole = model(base)
        with applied(model, made.rows(index)):
            part = model(base[index])
    torch.testing.assert_close(part, whole[index], atol=1e-12, rtol=1e-12)


class TestBadInput:
    nothing = torch.zeros(N, LENGTH, dtype=torch.bool)

    def made(self, site=RESID, **settings):
        return Intervention((site,), Op.ADD, (SHARED,), "push", **settings)

    def test_selecting_nothing(self, model):
        with pytest.raises(ValueError, match="'push' selects no token of any prompt"):
            require_intervention(model, self.made(tokens=self.nothing))

    def test_a_position_that_is_selected_nowhere(self, model, base):
        tokens = self.nothing.clone()
        tokens[0, 2] = True
        with pytest.raises(ValueError, match="a position that its tokens select in no prompt"):
            sweep(model, base, [self.made(Site(RESID.hook, position=3), tokens=tokens)], difference(model, base)[0])

    def test_a_gate_open_only_where_nothing_is_selected(self, model):
        tokens = self.nothing.clone()
        tokens[0, 2] = True
        with pytest.raises(ValueError, match="open only for prompts of which it selects no token"):
            require_intervention(model, self.made(tokens=tokens, gate=torch.tensor([False, True, True, True])))

    def test_nothing_but_padding(self, model, base):
        mask = left_padding([9, 6, 4, 8], length=LENGTH)
        tokens = self.nothing.clone()
        tokens[1, :3] = True
        with pytest.raises(ValueError, match="selects nothing but padding"):
            sweep(model, base, [self.made(tokens=tokens)], difference(model, base)[0], mask=mask)

    def test_tokens_of_other_prompts(self, model, base):
        with pytest.raises(ValueError, match=r"tokens of 'push' is for \(3,\) prompts, and there are 4"):
            sweep(model, base, [self.made(tokens=SOME[:3])], difference(model, base)[0])
        with pytest.raises(ValueError, match="'push' selects among 8 tokens, and prompts have 9"):
            sweep(model, base, [self.made(tokens=SOME[:, :8])], difference(model, base)[0])
        with (
            pytest.raises(ValueError, match="'push' selects among 8 tokens, and the activation has 9"),
            applied(model, self.made(tokens=SOME[:, :8])),
        ):
            model(base)

    def test_with_a_position_for_each_prompt(self):
        with pytest.raises(ValueError, match="a position for each prompt, and tokens to act on; give one or the other"):
            self.made(tokens=SOME, positions=torch.tensor([1, 2, 3, 4]))


class TestApart:
    def push(self, tokens, name, **settings):
        return Intervention((RESID,), Op.ADD, (SHARED,), name, tokens=tokens, **settings)

    def test_interventions_on_other_tokens_do_not_meet(self):
        require_members_apart([self.push(SOME, "here"), self.push(~SOME, "there")], n_pos=LENGTH)

    def test_those_that_share_a_token_do(self):
        one = ~SOME
        one[2] |= SOME[2]
        with pytest.raises(ValueError, match="'here' and 'there' both act on"):
            require_members_apart([self.push(SOME, "here"), self.push(one, "there")], n_pos=LENGTH)
        at = Combined((Intervention((Site(RESID.hook, position=3),), Op.ADD, (SHARED,), "at 3"),), "at 3")
        tokens = torch.zeros(N, LENGTH, dtype=torch.bool)
        tokens[1, 3] = True
        with pytest.raises(ValueError, match="both act on"):
            require_members_apart([self.push(tokens, "here"), at], n_pos=LENGTH)

    def test_unless_one_gate_is_closed_there(self):
        tokens = torch.zeros(N, LENGTH, dtype=torch.bool)
        tokens[1, 3] = True
        shut = self.push(tokens, "shut", gate=torch.tensor([True, False, True, True]))
        require_members_apart([shut, self.push(tokens, "open")], n_pos=LENGTH)
