"""Known features, and how well directions match them."""

import itertools

import pytest
import torch
from sae_lens.synthetic import eval_sae_on_synthetic_data, mean_correlation_coefficient

from interp_lab.sae.concepts.synthetic import SyntheticSource, recovery, synthetic_model
from interp_lab.sae.source import ActivationSource
from interp_lab.sae.training import SaeConfig, TrainingConfig, train_saes
from interp_lab.sae.training.architectures import TopKSae


def directions(n: int, *, seed: int, d: int = 12):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed))


class TestRecovery:
    def test_order_sign_and_length_do_not_matter(self):
        truth = directions(9, seed=0)
        moved = -3.0 * truth[torch.randperm(9, generator=torch.Generator().manual_seed(1))]
        assert recovery(moved, truth) == pytest.approx(1.0)

    def test_every_feature_has_a_partner_of_its_own(self):
        assert recovery(torch.tensor([[1.0, 0, 0], [1, 0, 0], [0, 1, 0]]), torch.eye(3)) == pytest.approx(2 / 3)

    @pytest.mark.parametrize("n", [5, 9, 20], ids=["fewer", "as many", "more"])
    def test_is_that_of_sae_lens(self, n):
        found, truth = directions(n, seed=2), directions(9, seed=3)
        assert recovery(found, truth) == pytest.approx(mean_correlation_coefficient(found, truth), abs=1e-6)

    def test_is_the_best_of_all_matchings(self):
        found, truth = directions(5, seed=4), directions(5, seed=5)
        cosines = torch.nn.functional.cosine_similarity(found[:, None], truth[None], dim=-1).abs()
        best = max(float(cosines[range(5), order].mean()) for order in itertools.permutations(range(5)))
        assert recovery(found, truth) == pytest.approx(best, abs=1e-6)

    def test_refuses_other_lengths_and_directions_of_none(self):
        with pytest.raises(ValueError, match="12 entries cannot be matched to some of 8"):
            recovery(directions(3, seed=0), directions(3, seed=0, d=8))
        with pytest.raises(ValueError, match="3 directions, 1 of no length: leave those out"):
            recovery(torch.cat([directions(2, seed=0), torch.zeros(1, 12)]), directions(3, seed=0))


class TestSource:
    def test_is_a_source_of_activations_whose_batches_hang_on_their_number_alone(self):
        source = SyntheticSource(synthetic_model())
        assert isinstance(source, ActivationSource)
        before = torch.get_rng_state()
        first = list(itertools.islice(source.batches(16, seed=3), 4))
        again = next(source.batches(16, seed=3, first=2))
        assert torch.equal(first[2], again)
        assert not torch.equal(first[2], first[3])
        assert not torch.equal(next(source.batches(16, seed=4)), first[0])
        assert torch.equal(torch.get_rng_state(), before)

    def test_what_is_learnt_of_it_scores_with_sae_lens_as_here(self):
        source = SyntheticSource(synthetic_model(n_features=12, d_in=10))
        sae = SaeConfig(architecture=TopKSae(k=1), width=24, learning_rate=1e-2)
        config = TrainingConfig(saes={"one": sae}, n_tokens=20_480, batch_size=512, n_first=1, device="cpu")
        learnt = train_saes(source, config)["one"].sae
        truth = source.truth
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            theirs = eval_sae_on_synthetic_data(learnt, truth.feature_dict, truth.activation_generator, num_samples=256)
        ours = recovery(learnt.W_dec, truth.feature_dict.feature_vectors)
        assert ours == pytest.approx(theirs.mcc, abs=1e-6)
        assert ours > 0.8
