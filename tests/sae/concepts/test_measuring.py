"""Concepts of a dictionary that is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.claims import Split
from interp_lab.linear import ridge
from interp_lab.sae.concepts.config import ConceptsConfig
from interp_lab.sae.concepts.judged import Judged
from interp_lab.sae.concepts.known_answers import rows as known_answers
from interp_lab.sae.concepts.measured import FULL, measured_from
from interp_lab.sae.concepts.measuring import measure_concepts, shuffled_within_splits
from interp_lab.sae.concepts.planted import HOOK, planted
from interp_lab.sae.concepts.reading import by_text
from interp_lab.sae.concepts.sides import Entries, Features, Kind, components, neuron_hooks, random_dictionaries
from interp_lab.sae.concepts.sums import columns
from interp_lab.stats.auroc import auroc

CONFIG = ConceptsConfig(n_random=3, n_shuffled=3, k=(1, 2))


def measure(data, *, config=CONFIG, neurons=(), **extra):
    (found,) = measure_concepts(
        data.tokens, data.x | extra, hook=HOOK, codec=data.codec, neurons=neurons, config=config
    )
    return found


@pytest.fixture(scope="module")
def data():
    return planted()


@pytest.fixture(scope="module")
def found(data):
    return measure(data)


@pytest.mark.parametrize("row", known_answers(), ids=lambda row: row.instrument)
class TestKnownAnswers:
    def test_reads_true(self, row):
        ok, told = row.measure()
        assert ok, told

    def test_its_sabotaged_twin_does_not(self, row):
        ok, told = row.sabotage()
        assert not ok, told


class TestBestUnits:
    def test_scores_are_areas_on_texts_that_did_not_choose(self, data, found):
        latents = data.codec.encode(data.x[HOOK])[:, 3].numpy()
        for split in (Split.REPORT, Split.HELD_OUT):
            at = data.tokens.parts[split]
            expected = auroc(latents[None, at], data.tokens.member[0, at])
            assert found.scores[split].best[0].mean() == pytest.approx(expected[0])

    def test_sides_are_named_and_their_units_exist(self, found):
        assert found.sides == (Kind.FEATURE, Kind.COORDINATE, Kind.COMPONENT)
        assert found.units[0] == "3"
        assert found.units[1].startswith("0.hook_resid_post#")
        assert found.signs[0] == 1.0

    def test_a_feature_fires_where_it_was_planted(self, found):
        with_concept, without = found.scores[Split.REPORT].fires
        assert with_concept == pytest.approx(0.8, abs=0.1)
        assert without == 0.0

    def test_shuffled_labels_choose_something_and_nothing_is_left_of_it(self, found):
        assert (found.chosen_shuffled > 0.53).all()
        assert found.scores[Split.REPORT].shuffled.mean() == pytest.approx(0.5, abs=0.06)

    def test_neurons_stand_beside_where_there_are_some(self, data):
        neuron = data.codec.encode(data.x[HOOK])[:, [3]] - 0.2  # the concept, in a neuron
        found = measure(data, neurons=("blocks.0.mlp.hook_post",), **{"blocks.0.mlp.hook_post": neuron})
        assert found.units[found.sides.index(Kind.NEURON)] == "0.mlp.hook_post#0"
        judged = Judged(found, CONFIG)
        assert judged.rival == Kind.NEURON
        assert (judged.beyond_rival.low, judged.beyond_rival.high) == (0.0, 0.0)

    def test_the_same_config_gives_the_same_numbers(self, data, found):
        again = measure(data)
        assert again.units == found.units
        assert np.array_equal(again.scores[Split.REPORT].probes, found.scores[Split.REPORT].probes)

    def test_a_split_in_which_all_texts_are_alike_has_no_score(self, data):
        member = data.tokens.member.copy()
        member[:, data.tokens.parts[Split.HELD_OUT]] = True
        found = measure(replace(data, tokens=replace(data.tokens, member=member)))
        assert set(found.scores) == {Split.REPORT}
        assert np.isnan(Judged(found, CONFIG).score(Kind.FEATURE, Split.HELD_OUT).estimate)

    def test_the_best_unit_of_the_texts_that_choose_is_taken_where_another_is_better_on_the_others(self, data):
        """Latent 3 is the concept where units are chosen, latent 5 where they are reported."""
        x, on = data.codec.encode(data.x[HOOK]), torch.as_tensor(data.tokens.member[0])
        select = torch.zeros(len(x), dtype=torch.bool)
        select[data.tokens.parts[Split.SELECT]] = True
        noise = torch.rand(len(x), generator=torch.Generator().manual_seed(0)) < 0.25
        x[:, [3, 5]] = 0.0
        x[select & on & ~noise, 3] = 1.5  # three of four where it chooses
        x[~select & on, 5] = 1.5  # all of them on the others: the best of both together
        found = measure(replace(data, x={HOOK: data.codec.decode(x)}))
        assert found.units[0] == "3"
        assert found.scores[Split.REPORT].best[0].mean() == pytest.approx(0.5, abs=0.01)

    def test_every_split_is_shuffled_for_itself(self, data):
        """Splits of equal texts: the same shuffling of each would deal the labels out alike."""
        shuffled = shuffled_within_splits(data.tokens, n=3, seed=0)
        parts = [shuffled[:, data.tokens.parts[split]] for split in (Split.SELECT, Split.REPORT, Split.HELD_OUT)]
        own = [data.tokens.member[:, data.tokens.parts[split]] for split in (Split.SELECT, Split.REPORT)]
        assert np.array_equal(*own)
        for nth in range(3):
            for other in range(nth):
                assert not np.array_equal(parts[nth], parts[other])
        assert [part.sum() for part in parts] == [3 * own[0].sum()] * 3

    def test_arrays_come_back(self, found):
        again = measured_from("7", found.arrays("7"))
        assert (again.concept, again.units, again.k) == (found.concept, found.units, found.k)
        for split, part in found.scores.items():
            assert np.array_equal(again.scores[split].best, part.best)
            assert again.scores[split].share == part.share


class TestProbes:
    def test_two_units_tell_apart_what_one_cannot(self, data):
        """A concept that two features share the tokens of."""
        x = data.x[HOOK].clone()
        on = torch.as_tensor(data.tokens.member[0])
        half = torch.arange(len(x)) % 2 == 0
        latents = data.codec.encode(x)
        latents[:, [3, 4]] = 0.0
        latents[on & half, 3] = 1.5
        latents[on & ~half, 4] = 1.5
        found = measure(replace(data, x={HOOK: data.codec.decode(latents)}))
        one, two, _ = found.scores[Split.REPORT].probes[found.probed.index(Kind.FEATURE)].mean(-1)
        assert one == pytest.approx(0.75, abs=0.05)
        assert two > 0.99

    def test_the_full_probe_reads_all_units(self, data, found):
        rows, at = data.tokens.parts[Split.SELECT], data.tokens.parts[Split.REPORT]
        y = torch.as_tensor(2.0 * data.tokens.member[0, rows] - 1)
        plain = ridge(data.x[HOOK][rows], y, penalty=1e-2 * len(rows))
        scores = plain.score(data.x[HOOK][at]).numpy()
        expected = auroc(scores[None], data.tokens.member[0, at])[0]
        full = found.scores[Split.REPORT].probes[found.probed.index(Kind.COORDINATE), found.k.index(FULL)].mean()
        assert full == pytest.approx(expected, abs=0.03)

    def test_a_probe_of_one_unit_scores_what_the_unit_does(self, found):
        part = found.scores[Split.REPORT]
        assert part.probes[found.probed.index(Kind.FEATURE), 0] == pytest.approx(part.best[0])


class TestTexts:
    def test_a_text_reads_as_the_mean_of_its_tokens(self, data):
        whole, reader = by_text(data.tokens, data.x)
        side = Features(Kind.FEATURE, HOOK, data.codec, 32)
        means = columns(lambda at: reader.encode(side, at), torch.tensor([5, 70]), torch.arange(32))
        latents = data.codec.encode(data.x[HOOK])
        torch.testing.assert_close(means, torch.stack([latents[20:24].mean(0), latents[280:284].mean(0)]))
        assert whole.member.shape == (1, 192)
        assert [len(at) for at in whole.parts.values()] == [64, 64, 64]

    def test_a_feature_that_misses_tokens_may_miss_no_text(self, data, found):
        whole = measure(data, config=CONFIG.overlaid({"per": "text"}))
        assert whole.units[0] == "3"
        assert whole.scores[Split.REPORT].best[0].mean() > 0.99 > found.scores[Split.REPORT].best[0].mean()


class TestSides:
    def test_components_are_uncorrelated_and_the_first_varies_most(self):
        x = torch.randn(200, 5, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 3, 1, 2, 1]) + 4
        read = components(x, HOOK).encode({HOOK: x})
        covariance = torch.cov(read.T)
        torch.testing.assert_close(covariance, covariance.diag().diag(), atol=1e-4, rtol=0)
        assert torch.equal(covariance.diag().argsort(descending=True), torch.arange(5))

    def test_random_dictionaries_are_as_wide_and_as_sparse_as_asked(self):
        x = torch.randn(50, 16, generator=torch.Generator().manual_seed(0))
        first, second = random_dictionaries(x, HOOK, n=2, width=64, n_active=7.4, seed=0)
        read = first.encode({HOOK: x})
        assert read.shape == (50, 64)
        assert ((read != 0).sum(-1) == 7).all()
        assert not torch.equal(first.directions, second.directions)

    def test_random_features_are_never_negative(self):
        x = torch.randn(50, 16, generator=torch.Generator().manual_seed(0))
        (drawn,) = random_dictionaries(x, HOOK, n=1, width=8, n_active=7.0, seed=0)
        reach = (x - x.mean(0)) @ drawn.directions.T
        read = drawn.encode({HOOK: x})
        assert (reach > 0).sum(-1).min() < 7  # fewer than are asked for
        for token, values in zip(read, reach, strict=True):
            largest = sorted(values.tolist(), reverse=True)[:7]
            assert sorted(token[token != 0].tolist(), reverse=True) == pytest.approx([v for v in largest if v > 0])

    def test_entries_of_several_hook_points_are_named_one_by_one(self):
        side = Entries(Kind.NEURON, ("blocks.1.mlp.hook_post", "blocks.2.mlp.hook_post"), (4, 6))
        assert (side.unit(3), side.unit(4), side.n_units) == ("1.mlp.hook_post#3", "2.mlp.hook_post#0", 10)
        with pytest.raises(IndexError, match="beyond the 10 entries"):
            side.unit(10)

    @pytest.mark.parametrize(
        ("hook", "layers"),
        [("blocks.2.hook_resid_post", (1, 2)), ("blocks.2.hook_resid_pre", (0, 1)), ("blocks.2.attn.hook_z", (0, 1)),
         ("blocks.0.hook_mlp_out", (0,)), ("blocks.0.hook_resid_pre", ()), ("hook_embed", ())],
    )  # fmt: skip
    def test_neurons_are_those_that_write_to_the_place(self, hook, layers):
        from interp_lab.models import load_model

        assert neuron_hooks(load_model("organism"), hook) == tuple(f"blocks.{nth}.mlp.hook_post" for nth in layers)
