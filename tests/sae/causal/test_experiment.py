"""A small run on the bundled dictionary, planted ones, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.claims import Split
from interp_lab.config import ConfigError
from interp_lab.effects.parts import parts_of
from interp_lab.models import load_model
from interp_lab.runs import read_run
from interp_lab.sae.causal import FeatureEffects, FeatureEffectsConfig, FeatureEffectsResult
from interp_lab.sae.causal.known_answers import planted
from interp_lab.sae.causal.measured import Measuring
from interp_lab.sae.chosen import SaeChoice, load_chosen
from tests.sae.causal.drawn import SMALL, organism, small_run


def small(**changes):
    return FeatureEffects(FeatureEffectsConfig(**{"task": "grammar/sentiment", **SMALL, **changes}))


def lengths(**changes):
    """How much the change of each latent writes on the prompts that choose."""
    config = small(**changes).config
    part = parts_of(organism(), config, partners="any").by_split[Split.SELECT]
    return Measuring(organism(), load_chosen(SaeChoice()), config, part, cost=False).lengths().mean(1)


class TestOnTheOrganism:
    def test_accounts_for_the_whole_effect(self):
        shares = small_run().tables()["shares"].set_index("part")["denoise"]
        assert shares["whole activation"] == pytest.approx(1, abs=1e-4)
        assert 0.6 < shares["all features"] < 1.1
        assert shares[["all features", "error term", "interaction"]].sum() == pytest.approx(1, abs=1e-4)

    def test_the_last_set_is_nearly_all_features(self):
        """Considered latents are those that write most: all of them patched are below all there are."""
        table = small_run().tables()["growing"]
        assert table["latents"].tolist() == [1, 2, 4, 8, 16, 20]
        assert table["denoise"].iloc[-1] > table["denoise"].iloc[0]

    def test_silence_on_text_is_measured_where_a_feature_is_active(self):
        table = small_run().tables()["text"]
        assert len(table) == 3
        assert table.loc[table["density"] > 0, "loss_rise"].notna().all()

    def test_same_config_same_bits(self):
        one, again = (small(n_held_out=None, n_latents=1, most_latents=8).measure(organism()) for _ in range(2))
        for name, array in again.arrays().items():
            np.testing.assert_array_equal(array, one.arrays()[name], err_msg=name)

    def test_is_kept_and_read_again(self, tmp_path):
        experiment = small(n_held_out=None, n_latents=1)
        found = experiment.run(run_dir=tmp_path / "run")
        run = read_run(tmp_path / "run")
        again = FeatureEffectsResult.from_arrays(experiment.config, found.provenance, run.arrays())
        assert again.summary() == found.summary()

    def test_named_latents_at_one_place(self):
        size = lengths(positions="end")
        two = size.argsort(descending=True)[:2].tolist()
        experiment = small(latents=tuple(two), positions="end", n_held_out=None, most_latents=8)
        found = experiment.measure(organism())
        assert found.selected.latents.tolist() == two
        assert "2 named features" in found.summary()


class TestPlanted:
    def config(self, **changes):
        return FeatureEffectsConfig(
            model="compiled/linear", task="compiled/linear", text=None, n_held_out=None, operations=("zero",),
            n_pairs=48, n_random=20, n_latents=4, **changes,
        )  # fmt: skip

    def test_features_and_error_carry_what_was_worked_by_hand(self):
        found = FeatureEffects(self.config()).measure(load_model("compiled/linear"), codec=planted())
        table = found.tables()["shares"].set_index("part")
        for way in ("denoise", "noise"):
            assert table.loc["all features", way] == pytest.approx(6 / 8, abs=1e-3)
            assert table.loc["error term", way] == pytest.approx(2 / 8, abs=1e-3)

    def test_a_feature_loses_its_5_2_where_it_is_the_answer_and_its_1_2_where_it_is_not(self):
        found = FeatureEffects(self.config()).measure(load_model("compiled/linear"), codec=planted())
        sizes = np.unique(np.round(found.report.alone, 3))
        assert sizes.tolist() == [-2.5, -0.5, 0.0]

    def test_the_output_score_knows_which_latents_write_their_token(self):
        """The first latent's row is turned to where nothing reads: amplified, it brings nothing about."""
        codec = planted()
        rows = codec.decoder_rows.clone()
        rows[4] = torch.roll(rows[4], 24)  # from `out` to `scratch`, which lies behind it
        found = FeatureEffects(self.config()).measure(
            load_model("compiled/linear"), codec=replace(codec, decoder_rows=rows)
        )
        scores = dict(zip(found.selected.considered.tolist(), found.selected.scores["output score"], strict=True))
        others = [score for latent, score in scores.items() if latent != 4]
        assert min(others) > 0.9
        assert scores.get(4, 0.0) < 0.7  # what it does not write is there anyway on some prompts


class TestBadInput:
    def test_a_latent_that_the_dictionary_has_not(self):
        with pytest.raises(ValueError, match=r"latent 50000 is outside the \d+ .*use 0 to \d+"):
            small(latents=(50000,)).measure(organism())

    def test_a_latent_that_is_never_active(self):
        silent = int(lengths(positions="end").argmin())
        with pytest.raises(ValueError, match=rf"silencing latent {silent} of .* changes nothing on the \d+ prompts"):
            small(latents=(silent,), positions="end").measure(organism())

    def test_a_place_that_prompts_have_not(self):
        with pytest.raises(ValueError, match=r"positions='cue' is no place .*did you mean 'cue\d'.* or one of start, "):
            small(positions="cue").measure(organism())

    def test_a_dictionary_of_another_model(self):
        with pytest.raises(ValueError, match="organism-tuned"):
            small(model="organism-tuned").run()

    def test_a_dictionary_of_another_weight_processing(self):
        with pytest.raises(ValueError, match="weight processing"):
            small().measure(load_model("organism", processing="raw"))

    def test_a_dictionary_that_decodes_token_by_token(self):
        codec = load_chosen(SaeChoice())
        codec.sae.cfg.normalize_activations = "layer_norm"
        with pytest.raises(ValueError, match="divides each token by its own norm"):
            small().measure(organism(), codec=codec)

    def test_a_dictionary_that_is_not_linear(self):
        codec = load_chosen(SaeChoice())
        own = codec.sae.decode
        codec.sae.decode = lambda latents: own(latents).relu()
        with pytest.raises(ValueError, match="does not decode as rows times latents plus a constant"):
            small().measure(organism(), codec=codec)

    def test_all_latents_named_leave_none_to_compare_with(self):
        active = (lengths(positions="end") > 0).nonzero().flatten().tolist()
        with pytest.raises(ValueError, match=rf"naming {len(active)} latents leaves 0 of the {len(active)} .* at most"):
            small(latents=tuple(active), positions="end", most_latents=2000).measure(organism())

    def test_more_latents_than_there_are(self):
        with pytest.raises(
            ValueError, match=r"n_latents=18 leaves 2 of the 20 that silencing changes .* take 17 at most"
        ):
            small(n_latents=18).measure(organism())

    def test_a_place_that_is_a_special_token(self):
        with pytest.raises(ValueError, match=r"positions='start' is a special token .* set exclude_special to false"):
            small(positions="start").measure(organism())

    def test_one_operation_twice(self):
        with pytest.raises(ConfigError, match="one comes twice"):
            FeatureEffectsConfig.from_mapping({"operations": ["zero", "zero"]})
