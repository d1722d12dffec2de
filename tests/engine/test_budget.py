"""How much is run at once: pieces that fit, and halves where memory did not suffice after all."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from interp_lab.engine import sweep
from interp_lab.engine.budget import Costs, chunks, half_jobs, halving
from interp_lab.engine.items import Job
from interp_lab.engine.packed import Block
from interp_lab.engine.stacked import Stacked
from interp_lab.engine.support import Entry, Stage
from interp_lab.interventions import Ablation, Intervention, Op, ablations, patches
from interp_lab.metrics import kl_divergence
from interp_lab.types import Site
from tests.engine.compare import difference
from tests.engine.models import diverging, hooked, prompts

HEADS = [[Site.of_head(layer, head)] for layer in range(3) for head in range(4)]
NOTHING = Intervention((Site("hook_embed"),), Op.ADD, (torch.zeros(()),), "nothing")
COSTS = Costs(per_token=10, per_key=0, per_score=0, per_read=5, n_pos=9, n_read=1)


def job(index, n_items, *, n_tokens=1):
    each = np.arange(n_items)
    return Job(index, NOTHING, Entry(0, Stage.PRE), each, 0 * each, 0 * each + n_tokens - 1)


def described(jobs):
    return [(one.index, one.examples.tolist()) for one in jobs]


class Memory:
    """Runs at most so many items at once; more are an out-of-memory error."""

    def __init__(self, n_items):
        self.n_items, self.ran, self.tried = n_items, [], []

    def __call__(self, jobs):
        self.tried.append(sum(len(one.examples) for one in jobs))
        if self.tried[-1] > self.n_items:
            raise torch.OutOfMemoryError("CUDA out of memory")
        self.ran += described(jobs)


class TestHalving:
    def test_what_fits_is_run_at_once(self):
        memory = Memory(8)
        halving(memory, [job(0, 4), job(1, 4)], halves=half_jobs)
        assert memory.tried == [8]
        assert memory.ran == [(0, [0, 1, 2, 3]), (1, [0, 1, 2, 3])]

    def test_what_does_not_fit_is_run_in_halves_in_the_same_order_and_each_item_once(self):
        memory = Memory(2)
        halving(memory, [job(0, 4), job(1, 1), job(2, 3)], halves=half_jobs)
        assert memory.tried == [8, 4, 2, 2, 4, 1, 3, 1, 2]
        assert memory.ran == [(0, [0, 1]), (0, [2, 3]), (1, [0]), (2, [0]), (2, [1, 2])]

    def test_one_item_that_does_not_fit_is_the_allocators_error(self):
        memory = Memory(0)
        with pytest.raises(torch.OutOfMemoryError):
            halving(memory, [job(0, 2), job(1, 2)], halves=half_jobs)
        assert memory.tried == [4, 2, 1]

    @pytest.mark.parametrize("words", ["DefaultCPUAllocator: can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED"])
    def test_errors_that_have_no_class_of_their_own(self, words):
        tried = []

        def run(jobs):
            tried.append(len(jobs))
            if len(jobs) > 1:
                raise RuntimeError(words)

        halving(run, [job(0, 1), job(1, 1)], halves=half_jobs)
        assert tried == [2, 1, 1]

    def test_any_other_error_passes(self):
        def run(jobs):
            raise RuntimeError("shapes do not match")

        with pytest.raises(RuntimeError, match="shapes"):
            halving(run, [job(0, 4)], halves=half_jobs)


class TestChunks:
    """Items of 15 bytes: 10 for a token, 5 for what is read."""

    def test_fill_the_budget_and_no_more(self):
        pieces = list(chunks([job(0, 3), job(1, 3)], COSTS, budget=30))
        assert [described(piece) for piece in pieces] == [[(0, [0, 1])], [(0, [2]), (1, [0])], [(1, [1, 2])]]

    def test_of_which_one_item_exceeds_the_budget_hold_one_item(self):
        pieces = list(chunks([job(0, 2), job(1, 1, n_tokens=9)], COSTS, budget=1))
        assert [described(piece) for piece in pieces] == [[(0, [0])], [(0, [1])], [(1, [0])]]

    def test_of_no_jobs(self):
        assert list(chunks([], COSTS, budget=30)) == []


class TestSweepsThatRunOutOfMemory:
    @pytest.fixture
    def prompts_and_patches(self):
        model = hooked("gpt2")
        base = prompts(model)
        made = patches(model, HEADS, diverging(base, [3, 0, 6, 1], n_tokens=20), base=base)
        return model, base, made

    def test_give_the_same_numbers_and_count_every_item_once(self, prompts_and_patches, monkeypatch):
        model, base, made = prompts_and_patches
        metric, _ = difference(model, base)
        usual = sweep(model, base, made, metric)
        run_chunk, told = Block._run_chunk, []

        def short_of_memory(self, jobs, *rest):
            values = run_chunk(self, jobs, *rest)
            if sum(len(one.examples) for one in jobs) > 5:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return values

        monkeypatch.setattr(Block, "_run_chunk", short_of_memory)
        found = sweep(model, base, made, metric, progress=lambda done, total, _: told.append((done, total)))
        np.testing.assert_allclose(found.values, usual.values, atol=1e-12)
        np.testing.assert_array_equal(found.baseline, usual.baseline)
        assert told[-1] == (48, 48)
        assert max(later - done for (done, _), (later, _) in pairwise(told)) <= 5

    @pytest.mark.parametrize("most", [1, 2, 3])
    def test_also_before_anything_is_patched(self, prompts_and_patches, monkeypatch, most):
        """The untouched run of a block of prompts is halved, and nothing that was found is counted twice."""
        model, base, made = prompts_and_patches
        metric, _ = difference(model, base)
        usual, untouched, tried, told = sweep(model, base, made, metric), Block._untouched, [], []

        def short_of_memory(self, jobs):
            tried.append(len(self.tokens))
            if tried[-1] > most:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return untouched(self, jobs)

        monkeypatch.setattr(Block, "_untouched", short_of_memory)
        found = sweep(model, base, made, metric, progress=lambda done, total, _: told.append((done, total)))
        np.testing.assert_allclose(found.values, usual.values, atol=1e-12)
        np.testing.assert_allclose(found.baseline, usual.baseline, atol=1e-12)
        assert tried == ([4, 2, 1, 1, 2, 1, 1] if most == 1 else [4, 2, 2])
        assert told[-1] == (48, 48)

    def test_a_block_that_fails_halfway_is_begun_again(self, prompts_and_patches, monkeypatch):
        """One item does not fit beside the activations of four prompts, and does beside those of two."""
        model, base, made = prompts_and_patches
        metric, _ = difference(model, base)
        usual, run_chunk, told, ran = sweep(model, base, made, metric), Block._run_chunk, [], []

        def short_of_memory(self, jobs, *rest):
            ran.append(len(self.tokens))
            if len(self.tokens) == 4 and len(ran) > 3:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return run_chunk(self, jobs, *rest)

        monkeypatch.setattr(Block, "_run_chunk", short_of_memory)
        found = sweep(
            model, base, made, metric, memory_budget=2**18, progress=lambda done, total, _: told.append((done, total))
        )
        assert ran[:3] == [4, 4, 4], "the first pieces of the block were done"
        assert 2 in ran
        np.testing.assert_allclose(found.values, usual.values, atol=1e-12)
        assert max(done for done, _ in told) == told[-1][0] == 48

    def test_of_models_that_are_run_as_they_are(self, monkeypatch):
        model, tried = hooked("gpt2"), []
        base = prompts(model)
        whole, forward = Stacked(model, base, None, difference(model, base)[0]), Stacked._forward
        usual = whole.untouched(batch_size=4)

        def short_of_memory(self, rows):
            tried.append(rows.tolist())
            if len(rows) > 1:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return forward(self, rows)

        monkeypatch.setattr(Stacked, "_forward", short_of_memory)
        torch.testing.assert_close(whole.untouched(batch_size=3), usual)
        assert tried == [[0, 1, 2], [0], [1, 2], [1], [2], [3]]

    def test_leave_no_hook_behind(self, prompts_and_patches, monkeypatch):
        model, base, made = prompts_and_patches

        def never_enough(*_):
            raise torch.OutOfMemoryError("CUDA out of memory")

        monkeypatch.setattr(model.blocks[2].mlp, "forward", never_enough)
        with pytest.raises(torch.OutOfMemoryError):
            sweep(model, base, made, difference(model, base)[0])
        assert not any(point._forward_hooks for point in model.hook_dict.values())


@pytest.mark.parametrize("budget", [1, 60_000])
def test_prompts_that_do_not_fit_together_are_run_in_blocks(budget, monkeypatch):
    """Payloads, gates, positions and starts of each prompt are those of its own, whatever block it is in."""
    model = hooked("llama")
    base, generator = prompts(model, n=5), torch.Generator().manual_seed(0)
    vectors = torch.randn(5, 16, generator=generator, dtype=torch.float64)
    site, at = (Site("blocks.1.hook_resid_pre"),), torch.arange(5) * 2
    settings = [{}, {"positions": at}, {"since": at}, {"gate": at > 3}]
    made = [Intervention(site, Op.ADD, (vectors,), "own", per_example=True, **setting) for setting in settings]
    made += ablations(model, HEADS[::5], kind=Ablation.ZERO)
    with torch.no_grad():
        metric = kl_divergence(model(prompts(model, n=5, seed=1)))
    usual = sweep(model, base, made, metric)
    blocks, run = [], Block.run
    monkeypatch.setattr(Block, "run", lambda self, *rest, **more: blocks.append(1) or run(self, *rest, **more))
    found = sweep(model, base, made, metric, memory_budget=budget)
    assert len(blocks) > 2
    np.testing.assert_allclose(found.values, usual.values, atol=1e-9)
    np.testing.assert_allclose(found.baseline, usual.baseline, atol=1e-9)
