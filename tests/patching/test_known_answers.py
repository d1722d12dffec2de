"""Every instrument reads true on the compiled models, and its sabotaged twin does not."""

from collections import Counter

import pytest
import torch

from interp_lab.organisms.compiled import compiled_names
from interp_lab.patching.known_answers import rows
from interp_lab.patching.known_estimates import reads_first_order
from interp_lab.patching.known_patches import on_resample_edges, reads_backup, reads_heads, reads_stream
from interp_lab.patching.worked import HEADS, STREAM, stream_effects
from tests.organisms.compiled.building import known

ROWS = rows()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.instrument)
def test_reads_true(row):
    ok, measured = row.measure()
    assert ok, f"expected {row.expected}, measured {measured}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.instrument)
def test_the_sabotaged_twin_does_not(row):
    ok, measured = row.sabotage()
    assert not ok, f"the sabotage went unnoticed: {measured}"


@pytest.mark.parametrize("sabotage", [{"swapped": True}, {"head_offset": 1}], ids=["swapped runs", "wrong head"])
@pytest.mark.parametrize("name", ["compiled/copying", "compiled/linear"])
def test_patches_of_heads_notice_every_sabotage(name, sabotage):
    assert not reads_heads(name, **sabotage)[0]


@pytest.mark.parametrize("sabotage", [{"swapped": True}, {"offset": 1}, {"offset": -1}], ids=str)
def test_patches_of_the_stream_notice_every_sabotage(sabotage):
    assert not reads_stream("compiled/linear", **sabotage)[0]


@pytest.mark.parametrize("sabotage", [{"opposite": True}, {"head_offset": 1}], ids=["flipped sign", "wrong head"])
def test_estimates_notice_every_sabotage(sabotage):
    assert not reads_first_order("attribution", **sabotage)[0]


def test_a_head_that_matters_alone_is_no_backup():
    """Keys of 0.0 and 1.0: noising those of 1.0 shows nothing, but the previous-token head has none to do without."""
    assert not reads_backup(pair=[(0, 0), (1, 0)])[0]


def test_every_model_is_patched_by_head_and_by_position():
    named = Counter(row.instrument.split(", ")[1] for row in ROWS)
    assert set(compiled_names()) == set(named)
    assert min(named.values()) >= 2
    assert len({row.instrument for row in ROWS}) == len(ROWS)


class TestWhatWasWorkedByHandIsTheTruthsOwn:
    @pytest.mark.parametrize("name", compiled_names())
    def test_heads_are_those_on_resample_edges(self, name):
        assert set(HEADS[name]) == on_resample_edges(known(name)[0].truth)

    def test_a_head_on_edges_of_zero_ablation_alone_is_none_of_them(self):
        assert (2, 1) not in on_resample_edges(known("compiled/backup")[0].truth)
        assert "2.1" in {edge.target_node for edge in known("compiled/backup")[0].truth.edges_zero}

    def test_in_the_linear_model_the_other_prompt_takes_what_zero_does_and_as_much_again(self):
        truth = known("compiled/linear")[0].truth
        assert HEADS["compiled/linear"] == {head: 2 * amount for head, amount in truth.total_effects.items()}

    @pytest.mark.parametrize("name", compiled_names())
    def test_after_the_last_layer_everything_stands_at_the_last_position(self, name):
        compiled, _ = known(name)
        assert STREAM[name][-1] == {"last": 2 * compiled.truth.logit_difference}
        assert len(STREAM[name]) == compiled.config["n_layers"] + 1

    def test_positions_of_a_pair_written_out(self):
        """BOS q l a b q l a: the current a stood at 3, and what followed it at 4."""
        pairs = known("compiled/induction")[0].sample_pairs(1, 0)
        clean = torch.tensor([[0, 7, 5, 1, 2, 7, 5, 1]])
        effects = stream_effects("compiled/induction", pairs._replace(clean=clean, corrupted=clean + 8))[:, :, 0]
        assert effects.tolist() == [
            [0, 0, 0, 10, 20, 0, 0, 10],
            [0, 0, 0, 0, 10, 0, 0, 10],
            [0, 0, 0, 0, 0, 0, 0, 20],
        ]

    def test_a_token_that_follows_itself_is_looked_for_before_it_is_copied(self):
        """BOS q a a: the last a is both query and what is copied; with another symbol there nothing is looked for."""
        pairs = known("compiled/induction")[0].sample_pairs(1, 0)
        clean = torch.tensor([[0, 7, 1, 1]])
        effects = stream_effects("compiled/induction", pairs._replace(clean=clean, corrupted=clean + 8))[:, :, 0]
        assert effects.tolist() == [[0, 0, 10, 10], [0, 0, 0, 10], [0, 0, 0, 20]]
