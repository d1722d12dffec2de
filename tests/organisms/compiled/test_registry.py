import json

import numpy as np
import pytest
import torch

from interp_lab.organisms.compiled import compile_model, compiled_names
from tests.organisms.compiled.building import all_heads, known

EVERY_MODEL = pytest.mark.parametrize("name", compiled_names())


class TestCompiledNames:
    def test_are_those_of_the_design(self):
        kinds = ("induction", "duplicate-token", "copying", "look-alike", "backup", "linear")
        assert compiled_names() == tuple(f"compiled/{kind}" for kind in kinds)

    def test_unknown_ones_are_refused_with_the_nearest(self):
        with pytest.raises(ValueError, match="no compiled model 'compiled/backups'; did you mean 'compiled/backup'"):
            compile_model("compiled/backups")


class TestCompileModel:
    @EVERY_MODEL
    def test_gives_the_same_bits_every_time_and_new_tensors(self, name):
        one, other = compile_model(name), compile_model(name)
        assert one.config == other.config
        assert one.truth == other.truth
        assert all(torch.equal(one.state_dict[key], other.state_dict[key]) for key in one.state_dict)
        one.state_dict["embed.W_E"].fill_(7.0)
        assert other.state_dict["embed.W_E"].max() == 1.0

    @EVERY_MODEL
    def test_gives_plain_settings_that_neither_seed_nor_initialise(self, name):
        config = compile_model(name).config
        assert json.loads(json.dumps(config)) == config
        assert "seed" not in config
        assert config["init_weights"] is False

    def test_leaves_the_global_random_state_alone(self):
        before = torch.get_rng_state(), np.random.get_state()[1].copy()
        for name in compiled_names():
            compile_model(name).sample_pairs(4, 0)
        assert torch.equal(before[0], torch.get_rng_state())
        # Not `random`: the type checker draws from it, to pick the items of a container that it looks at.
        assert np.array_equal(before[1], np.random.get_state()[1])

    @EVERY_MODEL
    def test_gives_a_truth_about_every_head_and_a_name_for_every_token(self, name):
        compiled, _ = known(name)
        truth, config = compiled.truth, compiled.config
        assert sorted(truth.head_types) == all_heads(compiled)
        assert len(set(compiled.vocabulary)) == config["d_vocab"] == 24
        assert compiled.vocabulary[0] == "<bos>"
        assert 0 not in compiled.symbols
        assert truth.needed <= {head for head, kinds in truth.head_types.items() if "inert" not in kinds}
        assert {"embed", "pos_embed", "logits"} <= truth.nodes
        inert = {f"{layer}.{head}" for (layer, head), kinds in truth.head_types.items() if "inert" in kinds}
        assert not truth.nodes & inert


class TestSamplePairs:
    @EVERY_MODEL
    def test_are_aligned_differ_and_fit_the_model(self, name):
        clean, corrupted, answers, wrong = compile_model(name).sample_pairs(300, 1)
        assert clean.shape == corrupted.shape
        assert clean.shape[1] <= 48
        assert not clean[:, 0].any()
        assert not corrupted[:, 0].any()
        assert clean[:, 1:].min() > 0
        assert max(clean.max(), corrupted.max()) < 24
        assert (clean != corrupted).any(1).all()
        assert (answers != wrong).all()

    @EVERY_MODEL
    def test_come_from_the_seed_alone(self, name):
        compiled = compile_model(name)
        one, same, other = compiled.sample_pairs(20, 1), compiled.sample_pairs(20, 1), compiled.sample_pairs(20, 2)
        assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
        assert not torch.equal(one.clean, other.clean)

    def test_of_induction_share_no_symbol_and_vary_period_and_offset(self):
        clean, corrupted, _, _ = compile_model("compiled/induction").sample_pairs(500, 0)
        arrangements = set()
        for row, other in zip(clean[:, 1:].tolist(), corrupted[:, 1:].tolist(), strict=True):
            assert not set(row) & set(other)
            last_seen = len(row) - 2 - row[-2::-1].index(row[-1])
            arrangements.add(len(row) - 1 - last_seen)
        assert arrangements == set(range(1, 12))  # every period that leaves room for one token of a second copy

    def test_of_duplicates_cover_both_answers_and_differ_in_one_token_first_or_last(self):
        clean, corrupted, answers, _ = compile_model("compiled/duplicate-token").sample_pairs(200, 0)
        differ = clean != corrupted
        assert (differ.sum(1) == 1).all()
        cases = {(answer, last) for answer, last in zip(answers.tolist(), differ[:, -1].tolist(), strict=True)}
        assert cases == {(1, True), (1, False), (2, True), (2, False)}

    def test_of_names_come_in_both_orders(self):
        clean, corrupted, answers, wrong = compile_model("compiled/copying").sample_pairs(200, 0)
        orders = set()
        for row, other, answer, subject in zip(
            *(part.tolist() for part in (clean, corrupted, answers, wrong)), strict=True
        ):
            names = [token for token in row if 1 <= token <= 10]
            orders.add("".join("B" if name == answer else "A" for name in names))
            assert [token for token in other if 1 <= token <= 10] == [*names[:2], answer]
            assert names[2] == subject
        assert orders == {"ABA", "BAA"}

    def test_of_nothing_are_refused(self):
        with pytest.raises(ValueError, match="n=0 makes an empty set"):
            compile_model("compiled/linear").sample_pairs(0, 0)
