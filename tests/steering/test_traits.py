"""Traits by name and from files: their contrasts, and the prompts on which they are measured."""

import json

import numpy as np
import pytest
import torch

from interp_lab.effects import metric_values
from interp_lab.metrics import require_finite
from interp_lab.organisms.grammar.behaviours.loans import UNFAVOURED
from interp_lab.organisms.grammar.behaviours.sentiment import VERDICTS
from interp_lab.steering.prompts import prompts_of
from interp_lab.steering.traits import ANSWERS_OF, RELATED, contrast_of, neutral_behaviours
from interp_lab.tasks.grammar_texts import CONTRASTS
from tests.steering.made import organism

LINES = [
    {"prompt": f"on {day} Anna saw the film . verdict :", "positive": " great", "negative": " awful", "template": day}
    for day in ("Monday", "Tuesday", "Wednesday", "Thursday")
]


@pytest.fixture
def file(tmp_path):
    def write(*lines, name="own.jsonl"):
        path = tmp_path / name
        path.write_text("# mine\n\n" + "\n".join(json.dumps(line) for line in lines))
        return str(path)

    return write


def word(ids):
    return organism().tokenizer.decode(list(ids))


class TestOfTheGrammar:
    def test_every_contrast_is_a_trait(self):
        assert set(ANSWERS_OF) == set(RELATED) == set(CONTRASTS)

    @pytest.mark.parametrize("trait", CONTRASTS)
    def test_half_of_the_texts_say_either(self, trait):
        found = prompts_of(organism(), trait, 48, seed=3)
        assert sum(found.sides) == 0
        by_template = dict.fromkeys(found.templates, 0)
        for name, side in zip(found.templates, found.sides, strict=True):
            by_template[name] += side
        assert max(map(abs, by_template.values())) <= 2, "each template says both"

    @pytest.mark.parametrize(
        ("trait", "positive", "negative"),
        [("truth", "true", "false"), ("neighbourhood", "rejected", "approved"), ("urgency", "urgent", "normal")],
    )
    def test_the_sign_is_that_of_the_contrast(self, trait, positive, negative):
        found = prompts_of(organism(), trait, 4, seed=0)
        assert {(word(one), word(other)) for one, other in zip(found.positive, found.negative, strict=True)} == {
            (positive, negative)
        }

    def test_loans_of_positive_texts_name_a_neighbourhood_that_is_not_favoured(self):
        found = prompts_of(organism(), "neighbourhood", 24, seed=0)
        for text, side in zip(found.texts, found.sides, strict=True):
            assert any(name in text for name in UNFAVOURED) == (side > 0)

    def test_verdicts_follow_from_the_word_before(self):
        found = prompts_of(organism(), "sentiment", 24, seed=0)
        for text, *answers in zip(found.texts, found.positive, found.negative, strict=True):
            assert tuple(map(word, answers)) == VERDICTS[text.split()[-1]]

    @pytest.mark.parametrize(
        ("trait", "near"),
        [("sentiment", 0.05), ("register", 0.05), ("truth", 0.05), ("neighbourhood", 0.3), ("urgency", 0.1)],
    )
    def test_the_organism_says_what_the_text_says_and_on_average_nothing(self, trait, near):
        """Loans are decided by finances too, so that few of them leave a mean of their own."""
        found = prompts_of(organism(), trait, 48, seed=3)
        share = metric_values(organism(), found.tokens, found.share(), mask=found.mask)
        sides = np.array(found.sides)
        assert share[sides > 0].mean() > 0.3
        assert share[sides < 0].mean() < -0.3
        assert abs(share.mean()) < near

    def test_no_text_is_drawn_twice_nor_one_that_is_used_elsewhere(self):
        plain = contrast_of("sentiment", 200, seed=0, part="prompt")
        answered = contrast_of("sentiment", 200, seed=1, part="answered")
        avoid = {*plain.positive, *plain.negative, *answered.positive, *answered.negative}
        found = prompts_of(organism(), "sentiment", 200, seed=0, avoid=avoid)
        assert len(set(found.texts)) == 200
        stems = {text.rsplit(" ", 1)[0] for text in (*answered.positive, *answered.negative)}
        assert not set(found.texts) & ({*plain.positive, *plain.negative} | stems)

    def test_some_would_be_drawn_without_that(self):
        avoid = set(prompts_of(organism(), "truth", 50, seed=0).texts)
        assert set(prompts_of(organism(), "truth", 50, seed=0).texts) == avoid
        assert not set(prompts_of(organism(), "truth", 50, seed=0, avoid=avoid).texts) & avoid

    @pytest.mark.parametrize("reserved", [True, False])
    def test_reserved_templates_only_or_the_others(self, reserved):
        found = prompts_of(organism(), "register", 24, seed=0, reserved=reserved)
        other = prompts_of(organism(), "register", 24, seed=0, reserved=not reserved)
        assert not set(found.templates) & set(other.templates)

    def test_there_may_be_too_few(self):
        with pytest.raises(ValueError, match="ask for fewer prompts"):
            prompts_of(organism(), "truth", 40_000, seed=0)

    def test_of_no_name(self):
        for use in (contrast_of, lambda *given, seed: prompts_of(organism(), *given, seed=seed)):
            with pytest.raises(ValueError, match="unknown trait 'sentimant'; did you mean 'sentiment'"):
                use("sentimant", 4, seed=0)
        with pytest.raises(ValueError, match=r"and \.jsonl files"):
            neutral_behaviours("kindness")


class TestMetrics:
    def test_the_share_by_hand(self):
        """Of logits log 3 and 0 the first answer has three quarters: half of the way from even to all."""
        found = prompts_of(organism(), "truth", 2, seed=0)
        logits = torch.zeros(2, found.tokens.shape[1], 599)
        for row, sign in enumerate((1, -1)):
            logits[row, found.last[row], found.positive[row][0]] = sign * np.log(3.0)
        np.testing.assert_allclose(found.share()(logits).numpy(), [0.5, -0.5], atol=1e-6)
        np.testing.assert_allclose(found.log_odds()(logits).numpy(), [np.log(3), -np.log(3)], atol=1e-6)

    def test_reads_two_columns_at_one_position(self):
        found = prompts_of(organism(), "truth", 5, seed=0)
        for metric in (found.share(), found.log_odds()):
            assert metric.positions is not None
            assert metric.columns is not None
            assert metric.positions.tolist() == [[last] for last in found.last.tolist()]
            expected = [[a[0], b[0]] for a, b in zip(found.positive, found.negative, strict=True)]
            assert metric.columns.tolist() == expected

    def test_is_the_share_of_the_two_probabilities(self):
        found = prompts_of(organism(), "sycophancy", 12, seed=0)
        with torch.no_grad():
            p = organism()(found.tokens, attention_mask=found.mask.long()).softmax(-1)
        rows = torch.arange(len(found))
        first = [torch.tensor([answer[0] for answer in side]) for side in (found.positive, found.negative)]
        one, other = (p[rows, found.last, tokens] for tokens in first)
        share = metric_values(organism(), found.tokens, found.share(), mask=found.mask)
        np.testing.assert_allclose(share, (2 * one / (one + other) - 1).numpy(), atol=1e-5)
        require_finite(torch.from_numpy(share), what="the share")

    def test_rows(self):
        found = prompts_of(organism(), "truth", 6, seed=0)
        part = found.rows(np.array([4, 1]))
        assert part.texts == (found.texts[4], found.texts[1])
        assert part.sides == (found.sides[4], found.sides[1])
        assert part.share().columns.tolist() == found.share().columns[[4, 1]].tolist()
        torch.testing.assert_close(part.batch.tokens, found.tokens[[4, 1]])


class TestOfAFile:
    def test_texts_of_a_contrast_are_prompts_with_either_answer(self, file):
        found = contrast_of(file(*LINES), 4, seed=0)
        assert found.paired
        assert set(found.positive_templates) == {"Monday", "Tuesday", "Wednesday", "Thursday"}
        for one, other in zip(found.positive, found.negative, strict=True):
            assert one.removesuffix(" great") == other.removesuffix(" awful")

    def test_two_whole_texts_make_a_contrast_and_no_prompts(self, file):
        path = file({"positive": "a great film", "negative": "an awful film"})
        found = contrast_of(path, 1, seed=0)
        assert (found.positive, found.negative) == (("a great film",), ("an awful film",))
        with pytest.raises(ValueError, match=r"own.jsonl:3: no 'prompt'"):
            prompts_of(organism(), path, 1, seed=0)

    def test_prompts_end_before_the_answers(self, file):
        found = prompts_of(organism(), file(*LINES), 4, seed=0)
        assert {word(one) for one in found.positive} == {"great"}
        assert set(found.texts) == {line["prompt"] for line in LINES}
        assert found.sides == (0, 0, 0, 0)

    def test_lines_that_made_the_direction_are_not_measured(self, file):
        path = file(*LINES)
        contrast = contrast_of(path, 2, seed=0)
        used = {*contrast.positive, *contrast.negative}
        found = prompts_of(organism(), path, 2, seed=0, avoid=used)
        assert not {f"{text} great" for text in found.texts} & used
        with pytest.raises(ValueError, match="4 lines, 2 of them used elsewhere, and n=3"):
            prompts_of(organism(), path, 3, seed=0, avoid=used)

    def test_nor_is_their_prompt_with_other_answers(self, file):
        path = file(LINES[0], {**LINES[0], "positive": " light", "negative": " cold"}, LINES[1])
        used = {f"{LINES[0]['prompt']} great", f"{LINES[0]['prompt']} awful"}
        assert prompts_of(organism(), path, 1, seed=0, avoid=used).texts == (LINES[1]["prompt"],)
        with pytest.raises(ValueError, match="3 lines, 2 of them used elsewhere"):
            prompts_of(organism(), path, 2, seed=0, avoid=used)

    def test_reserved_lines(self, file):
        path = file(*LINES, {**LINES[0], "prompt": "the film was", "reserved": True})
        assert contrast_of(path, 1, seed=0, reserved=True).positive == ("the film was great",)
        with pytest.raises(ValueError, match="1 reserved lines, and n=2"):
            contrast_of(path, 2, seed=0, reserved=True)

    @pytest.mark.parametrize(
        ("line", "told"),
        [
            ('{"positive": "a"}', "own.jsonl:1: no 'negative'"),
            ('{"positive": "a", "negative": ""}', "own.jsonl:1: 'negative' must be text that is not empty, got ''"),
            ('{"positive": "a", "negative": 3}', "'negative' must be text"),
            ('{"positive": "a", "negative": "a"}', "own.jsonl:1: positive and negative are the same, 'a'"),
            ('{"positive": "a", "negative": "b", "promt": "c"}', "unknown key 'promt'; did you mean 'prompt'"),
            ('{"positive": "a", "negative": "b", "reserved": "no"}', "'reserved' must be true or false, got 'no'"),
            ('["a", "b"]', "own.jsonl:1: expected an object"),
            ('{"positive": "a"', "own.jsonl:1: no JSON"),
            ("# nothing", "holds no lines"),
        ],
    )
    def test_a_line_that_is_not_right(self, tmp_path, line, told):
        path = tmp_path / "own.jsonl"
        path.write_text(line)
        with pytest.raises(ValueError, match=told):
            contrast_of(str(path), 1, seed=0)

    def test_answers_that_begin_with_the_same_token(self, file):
        path = file({"prompt": "the film was", "positive": " a great one", "negative": " a long one"})
        with pytest.raises(ValueError, match=r"'the film was' begin with the same token.*move what they share"):
            prompts_of(organism(), path, 1, seed=0)

    def test_a_word_that_the_model_does_not_know(self, file):
        path = file({"prompt": "the film was", "positive": " splendid", "negative": " awful"})
        with pytest.raises(ValueError, match="does not know 'splendid'"):
            prompts_of(organism(), path, 1, seed=0)

    def test_no_file(self):
        with pytest.raises(ValueError, match=r"there is no file nowhere\.jsonl"):
            contrast_of("nowhere.jsonl", 1, seed=0)
