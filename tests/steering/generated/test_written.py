"""Continuations of many settings at once, and what is measured of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.decoding import DecodingSettings, decode
from interp_lab.steering.generated import Generated, GeneratedConfig, Subject, generated_of
from interp_lab.steering.generated.measured import _openings, _settings
from interp_lab.steering.generated.tables import short_names
from interp_lab.steering.generated.writing import written
from interp_lab.steering.prompts import prompts_of
from interp_lab.steering.setting import steers_for
from tests.steering.made import HOOK, LATER, gate, organism, setting, vectors

N = 6
CONFIG = GeneratedConfig(n_prompts=N, max_new_tokens=10, seed=1)


def subject(own, *, seed=0, scale=60.0, n_random=20, gate=None):
    n = len(own.hooks)
    random = torch.stack([vectors(n, seed=100 + nth, scale=scale) for nth in range(n_random)])
    return Subject(own, vectors(n, seed=seed, scale=scale), random, gate, torch.full((n,), 2.0))


SUBJECTS = (
    subject(setting()),
    subject(setting(coefficient=-2.0, where="from -1"), seed=1),
    subject(setting("ablate", "all+bos"), seed=2),
    subject(setting("clamp", "last", coefficient=0.5, hooks=(HOOK, LATER)), seed=3),
    subject(setting("add", "all", hooks=(HOOK, LATER), gate="projection"), seed=4, gate=gate("projection")),
)


@pytest.fixture(scope="module")
def prompts():
    return prompts_of(organism(), "sentiment", 24, seed=0)


@pytest.fixture(scope="module")
def found(prompts):
    return generated_of(organism(), prompts, SUBJECTS[:2], CONFIG)


class TestOneBatch:
    """Every row under its own setting is what a batch of that setting alone is."""

    @pytest.fixture(scope="class")
    def together(self, prompts):
        given = [tuple(row[:7].tolist()) for row in prompts.tokens[:3]]
        variants = [None, *SUBJECTS]
        rows = [(one, prompt) for prompt in given for one in variants]
        settings = [DecodingSettings(max_new_tokens=8, stop_tokens=())] * len(rows)
        return given, variants, written(
            organism(), [prompt for _, prompt in rows], [one for one, _ in rows], settings, rows_at_once=7
        )  # fmt: skip

    def alone(self, one, prompt):
        steers = ()
        if one is not None:
            steers = steers_for(organism(), one.setting, one.vectors, gate=one.gate, midpoints=one.midpoints)
        return decode(organism(), [prompt], DecodingSettings(max_new_tokens=8, stop_tokens=()), steers=steers)

    def test_as_each_alone(self, together):
        given, variants, all_rows = together
        for nth, prompt in enumerate(given):
            for at, one in enumerate(variants):
                row = nth * len(variants) + at
                slow = self.alone(one, prompt)
                assert all_rows.tokens[row] == slow.tokens[0], one
                assert all_rows.texts[row] == slow.texts(organism())[0]

    def test_settings_differ(self, together):
        _, variants, all_rows = together
        assert len(set(all_rows.tokens[: len(variants)])) >= 4

    def test_what_the_audit_says(self, together):
        _, variants, all_rows = together
        by_variant = {name: getattr(all_rows, name)[: len(variants)] for name in ("touched", "norm", "first")}
        np.testing.assert_allclose(
            by_variant["touched"][:3], [0.0, 13 / 14, 8 / 14], err_msg="none, all but BOS, from -1"
        )
        np.testing.assert_allclose(by_variant["norm"][:3], [0.0, 60.0, 120.0], rtol=1e-4)
        np.testing.assert_allclose(by_variant["touched"][4], 1 / 14, err_msg="the last token of the prompt")
        assert by_variant["first"].tolist()[:5] == [0.0, 1.0, 1.0, 1.0, 1.0]
        assert 0 < by_variant["touched"][5] < 13 / 14, "some tokens, through the gate"

    def test_a_coefficient_of_zero_writes_what_nobody_steers(self, prompts):
        given = [tuple(row[:7].tolist()) for row in prompts.tokens[:4]]
        zero = subject(setting(coefficient=0.0))
        settings = [DecodingSettings(max_new_tokens=8)] * 8
        both = written(organism(), given * 2, [None] * 4 + [zero] * 4, settings, rows_at_once=64)
        assert both.tokens[:4] == both.tokens[4:]
        assert not both.touched.any()


class TestMeasured:
    def test_layout(self, found):
        assert len(found.continuations) == 1 + 2 + 40
        assert found.random(0) == range(3, 23)
        assert found.random(1) == range(23, 43)

    def test_fluency_is_what_the_unsteered_model_says(self, prompts, found):
        tokenizer = organism().tokenizer
        for variant in (0, 2, 30):
            opening, text = found.openings[1], found.continuations[variant][1]
            ids = [tokenizer.bos_token_id, *tokenizer(opening, add_special_tokens=False)["input_ids"]]
            new = tokenizer(text, add_special_tokens=False)["input_ids"]
            new += [tokenizer.eos_token_id] * (int(found.values["length"][variant, 1]) - len(new))
            with torch.no_grad():
                log_probs = organism()(torch.tensor([ids + new])).log_softmax(-1)[0]
            slow = np.mean([float(log_probs[len(ids) + nth - 1, token]) for nth, token in enumerate(new)])
            np.testing.assert_allclose(found.values["fluency"][variant, 1], slow, atol=1e-4)

    def test_unsteered_text_is_the_most_fluent(self, found):
        means = found.values["fluency"].mean(-1)
        assert means[0] > means[2]

    def test_openings_are_different_ones_and_their_templates_go_with_them(self, prompts, found):
        assert len(set(found.openings)) == N
        by_text = dict(zip(prompts.texts, prompts.templates, strict=True))
        for opening, template in zip(found.openings, found.templates, strict=True):
            starts = opening.removeprefix("<|bos|> ")
            assert template in {name for text, name in by_text.items() if text.startswith(starts)}

    def test_where_openings_are_alike_there_are_fewer(self, prompts):
        short = CONFIG.overlaid({"n_prompts": 24, "opening": 2})
        made = generated_of(organism(), prompts, SUBJECTS[:1], short)
        assert len(made.openings) == len(set(made.openings)) < 24

    def test_the_same_luck_under_every_setting(self, prompts):
        zero = replace(SUBJECTS[0], setting=setting(coefficient=0.0))
        made = generated_of(organism(), prompts, [zero], CONFIG.overlaid({"temperature": 1.0}))
        assert made.continuations[0] == made.continuations[1]
        again = generated_of(organism(), prompts, [zero], CONFIG.overlaid({"temperature": 1.0, "rows_at_once": 16}))
        assert again.continuations == made.continuations

    def test_a_classifier_of_your_own(self, prompts):
        def is_long(openings, texts):
            assert all(openings)
            return [float(len(text.split())) for text in texts]

        made = generated_of(organism(), prompts, SUBJECTS[:1], CONFIG, classifier=is_long)
        assert made.target == "classifier"
        lengths = [[len(text.split()) for text in row] for row in made.continuations]
        np.testing.assert_array_equal(made.values["classifier"], lengths)

    def test_whole_prompts(self, prompts):
        made = generated_of(organism(), prompts, SUBJECTS[:1], CONFIG.overlaid({"opening": None}))
        assert all(text in prompts.texts for text in made.openings)
        written_first = [text.split()[0] for text in made.continuations[0]]
        assert (
            np.mean(
                [
                    one
                    in ("loved", "hated", "recommend", "avoid", "great", "awful", "highly", "poorly", "again", "never")
                    for one in written_first
                ]
            )
            > 0.9
        )
        assert (np.abs(made.values["lexicon"][0]) == 1).mean() > 0.9


class TestByHand:
    """Four openings of two templates; the unsteered model writes nothing of either side."""

    @pytest.fixture(scope="class")
    def one(self):
        values = np.zeros((22, 4))
        values[1] = 0.2, 0.4, 0.6, 0.8
        values[2:] = np.linspace(-1.0, 1.0, 20)[:, None]
        measured = dict.fromkeys(("lexicon", "touched", "first"), values + 3.0) | {"fluency": values - 7.0}
        return Generated(
            "made", ("add +1 drawn at 2, all",), 20, ("a", "b", "c", "d"), tuple("xxyy"),
            tuple((f"text {row}",) * 4 for row in range(22)), measured, 0.9,
        )  # fmt: skip

    def test_intervals_resample_templates(self, one):
        # two templates with means 0.3 and 0.7: Student with one degree of freedom (6.3138), standard error 0.2
        found = one.interval(one.changes("lexicon")[0])
        assert found.n_clusters == 2
        assert (found.low, found.high) == pytest.approx((0.5 - 6.3138 * 0.2, 0.5 + 6.3138 * 0.2), abs=1e-3)

    def test_the_band_leaves_out_as_much_on_either_side(self, one):
        # 20 means evenly from -1 to 1: a twentieth of the way from either end
        band = one.random_interval("lexicon", 0)
        assert (band.low, band.high) == pytest.approx((-0.9, 0.9))

    def test_evidence_is_asked_of_templates_and_beyond_the_margin(self, one):
        compared = one.compared(margin=0.25)
        assert compared.margin == 0.25
        assert compared.clusters == tuple("xxyy")

    def test_p_is_by_rank_among_the_random_directions(self, one):
        # the setting moves the lexicon by 0.5 on average; of 20 means evenly from -1 to 1 ten are at least as large
        assert one.random_p(0) == pytest.approx(11 / 21)

    def test_texts_say_what_the_setting_did_and_not_what_there_was(self, one):
        (section,) = one.sections()
        assert "fluency +0.50 [" in section.suggests, "a change, from -7 to -6.5"
        assert "350% of the tokens read" in section.suggests, "of the setting: 3 and a half, not the 3 of the unsteered"
        table = section.tables["continuations, side by side"]
        assert table.loc[0].tolist() == ["a", "text 0", "text 1", "text 2"], "unsteered, the setting, a random one"


class TestOpenings:
    def test_none_is_longer_than_its_prompt(self, prompts):
        config = CONFIG.overlaid({"opening": 40, "n_prompts": 8})
        rows, given = _openings(prompts.rows(np.r_[0:8]), config)
        assert rows.tolist() == list(range(8))
        assert [len(one) for one in given] == (prompts.last[:8] + 1).tolist()

    def test_of_several_alike_the_first_is_taken(self, prompts):
        twice = prompts.rows(np.r_[0:6, 0:6])
        assert _openings(twice, CONFIG.overlaid({"opening": None}))[0].tolist() == list(range(6))

    def test_what_is_written_ends_with_the_context(self):
        made = _settings(organism(), [(1,) * 8], CONFIG.overlaid({"max_new_tokens": 1000}))
        assert made[0].max_new_tokens == int(organism().cfg.n_ctx) - 8

    def test_each_opening_has_luck_of_its_own(self):
        assert [one.seed for one in _settings(organism(), [(1,) * 8] * 3, CONFIG)] == [1, 2, 3]


class TestAudit:
    def test_what_acts_only_on_what_is_written_does_not_steer_the_first_token(self, prompts):
        """From the eighth token on: of a prompt of seven nothing is touched before a token is written."""
        given = [tuple(row[:7].tolist()) for row in prompts.tokens[:2]]
        late = subject(setting(where="from 7", hooks=(HOOK, LATER)), scale=60.0)
        found = written(
            organism(), given, [late, late], [DecodingSettings(max_new_tokens=4, stop_tokens=())] * 2, rows_at_once=8
        )
        assert found.first.tolist() == [0.0, 0.0]
        assert found.touched.tolist() == pytest.approx([3 / 10] * 2)
        assert found.norm.tolist() == pytest.approx([60.0] * 2, rel=1e-4), "the mean over both hook points"


class TestAsAPart:
    def test_is_rebuilt_from_its_arrays(self, found):
        again = Generated.from_arrays("written", found.arrays("written"))
        assert again.metrics() == found.metrics()
        assert again.continuations == found.continuations
        assert again.templates == found.templates
        assert {type(value) for value in found.arrays("written").values()} == {np.ndarray}

    def test_changes_are_paired(self, found):
        changes = found.changes("fluency")
        np.testing.assert_allclose(changes[1], found.values["fluency"][2] - found.values["fluency"][0])
        assert found.metrics()["generated/2/fluency"] == pytest.approx(changes[1].mean())

    def test_evidence_has_random_directions_as_controls(self, found):
        compared = found.compared(margin=0.1)
        assert compared.names == tuple(f"{name}: lexicon of continuations" for name in found.names)
        assert [len(one) for one in compared.controls] == [20, 20]
        np.testing.assert_array_equal(compared.controls[1], found.changes("lexicon")[22:42])

    def test_the_random_band_lies_between_single_directions(self, found):
        band, means = found.random_interval("fluency", 0), found.random_means("fluency", 0)
        assert means.min() <= band.low <= band.estimate <= band.high <= means.max()

    def test_what_is_too_short_is_left_out(self, found):
        values = {**found.values, "repeated_4": np.full_like(found.values["repeated_4"], np.nan)}
        values["repeated_4"][0, 0] = 0.25
        part = replace(found, values=values)
        alone = part.interval(part.values["repeated_4"][0])
        assert alone.estimate == 0.25
        assert np.isnan(alone.low)
        assert "generated/1/repeated_4" not in part.metrics()

    def test_what_a_page_shows(self, found):
        (section,) = found.sections()
        assert section.causal
        table = section.tables["continuations, side by side"]
        assert list(table.columns) == ["opening", "unsteered", "add +1 drawn", "add -2 drawn", "a random direction"]
        assert table["unsteered"].tolist() == list(found.continuations[0])
        assert "100% of the continuations were steered before their first token" in section.suggests
        measures = found.tables()["generated"]
        assert set(measures["setting"]) == {"unsteered", *found.names}

    def test_settings_that_do_the_same_elsewhere_are_numbered(self, found):
        names = ("add +1 drawn at 1.hook_resid_post, all", "add +1 drawn at 2.hook_resid_post, all")
        assert short_names(replace(found, names=names)) == ["add +1 drawn (1)", "add +1 drawn (2)"]


class TestBadInput:
    def test_no_subjects(self, prompts):
        with pytest.raises(ValueError, match="give at least one"):
            generated_of(organism(), prompts, [], CONFIG)

    def test_too_few_random_directions(self, prompts):
        with pytest.raises(ValueError, match=r"\[3\] random directions .* give n_random=20"):
            generated_of(organism(), prompts, [subject(setting(), n_random=3)], CONFIG)

    def test_too_few_openings(self, prompts):
        with pytest.raises(ValueError, match="3 different openings, and it takes 4"):
            generated_of(organism(), prompts.rows(np.arange(3)), SUBJECTS[:1], CONFIG)

    def test_answers_that_are_no_words(self, prompts):
        lettered = replace(prompts, trait="x.jsonl", positive=((),) * 24, negative=((),) * 24)
        with pytest.raises(ValueError, match="no word tells the sides"):
            generated_of(organism(), lettered, SUBJECTS[:1], CONFIG)

    def test_a_classifier_that_says_too_little(self, prompts):
        with pytest.raises(ValueError, match="the classifier gave"):
            generated_of(organism(), prompts, SUBJECTS[:1], CONFIG, classifier=lambda openings, texts: [1.0])
