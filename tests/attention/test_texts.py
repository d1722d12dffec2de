"""Natural text and tasks: what heads are read and ablated on besides repeats."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from interp_lab.attention import AttentionHeads, AttentionHeadsConfig, texts
from interp_lab.attention.head_types import PUNCTUATION, TASK, delimiters_of, head_types
from interp_lab.attention.looks import REPEATS, TEXT
from interp_lab.attention.texts import draw_task, draw_text
from interp_lab.claims import Split
from interp_lab.models import load_model
from interp_lab.tasks import pairs_for
from interp_lab.tasks.encoding import spellings

QUICK = {"model": "organism", "n_sequences": 32, "ablations": ["zero"], "n_copied_tokens": None, "n_untrained": 1}
QUICK |= {"text": "grammar", "n_text": 32, "task": "grammar/indirect_objects", "n_task": 64, "find_partners": False}


def config(**changes):
    return AttentionHeadsConfig.from_mapping({**QUICK, **changes})


@pytest.fixture(scope="module")
def model():
    return load_model("organism")


@pytest.fixture(scope="module")
def result(model):
    return AttentionHeads(config()).measure(model)


def masks(model):
    return {name: one.mask for name, one in head_types(window=5, delimiters=delimiters_of(model)).items()}


class TestText:
    def test_is_of_the_grammar_and_held_out_text_is_of_reserved_templates(self, model):
        parts = draw_text(model, config(), masks(model))
        assert {split: tuple(part.shape) for split, part in parts.items()} == {
            Split.SELECT: (16, 48), Split.REPORT: (16, 48), Split.HELD_OUT: (16, 48),
        }  # fmt: skip
        rows = [tuple(row) for part in parts.values() for row in part.tolist()]
        assert len(set(rows)) == 48
        assert (torch.cat(list(parts.values()))[:, 0] == model.tokenizer.bos_token_id).all()

    def test_windows_in_which_a_type_has_nothing_to_look_at_are_passed_over(self, model):
        every = masks(model)
        usual = draw_text(model, config(), every)[Split.SELECT]
        share = torch.tensor([float((usual == token).any(1).float().mean()) for token in range(model.cfg.d_vocab)])
        wanted = int((share - 0.5).abs().argmin())
        assert 0.3 < share[wanted] < 0.7
        picky = draw_text(model, config(), {**every, "one word": lambda tokens, *_: (tokens == wanted)[:, None]})
        assert all((part == wanted).any(1).all() for part in picky.values())

    def test_is_read_from_a_file_the_later_documents_held_out(self, model, tmp_path):
        sentences = [
            f"{name} has {number} books . the city is old ." for name in ("Anna", "Peter") for number in range(2)
        ]
        known = [text for text in sentences if _is_known(model, text)] or ["the city is old . the city is new ."]
        (tmp_path / "own.txt").write_text("\n\n".join(known * 300))
        parts = draw_text(model, config(text=str(tmp_path / "own.txt"), text_length=16), masks(model))
        assert len(parts[Split.HELD_OUT]) == 16

    def test_that_is_too_short_is_refused(self, model, tmp_path):
        (tmp_path / "own.txt").write_text("the city is old . the city is old . " * 4)
        with pytest.raises(
            ValueError, match=r"own.txt' has \d+ windows of 8 tokens .* and 48 are needed; give more text"
        ):
            draw_text(model, config(text=str(tmp_path / "own.txt"), text_length=8), masks(model))

    def test_that_is_not_there_is_refused(self, model):
        with pytest.raises(ValueError, match=r"there is no nowhere.txt"):
            draw_text(model, config(text="nowhere.txt"), masks(model))


def _is_known(model, text):
    try:
        model.tokenizer(text)
    except ValueError:
        return False
    return True


class TestDelimiters:
    def test_are_punctuation_and_nothing_else(self, model):
        found = {text.strip(" ") for text in spellings(model, delimiters_of(model)).values()}
        assert {".", ","} <= found
        assert all(set(text) <= PUNCTUATION for text in found)

    def test_of_a_model_without_tokenizer_there_are_none(self):
        assert delimiters_of(load_model("organism-attn")) == ()


class TestTask:
    def test_values_come_of_other_prompts_of_the_same_templates(self, model):
        parts = draw_task(model, config())
        for reference, measured in parts.values():
            assert set(reference.templates) == set(measured.templates)
        (_, ordinary), (_, reserved) = parts.values()
        assert not set(ordinary.templates) & set(reserved.templates)

    def test_a_prompt_that_is_drawn_twice_is_in_one_half(self, model):
        """The facts are so few that some come twice."""
        asked = config(task="grammar/facts", n_task=160)
        drawn = pairs_for(model, asked.task, asked.n_task, seed=asked.seed, reserved=False).clean_texts
        assert len(set(drawn)) < len(drawn)
        for reference, measured in draw_task(model, asked).values():
            every = [*reference.clean_texts, *measured.clean_texts]
            assert len(set(every)) == len(every)

    def test_answers_of_several_tokens_are_refused(self, model, monkeypatch):
        one = pairs_for(model, "grammar/indirect_objects", 64, seed=0)
        several = replace(one, answers=tuple(((1, 2),) for _ in range(len(one))))
        monkeypatch.setattr(texts, "pairs_for", lambda *_, **__: several)
        with pytest.raises(ValueError, match="answers of 'grammar/indirect_objects' have several tokens; name a task"):
            draw_task(model, config())

    def test_too_few_prompts_are_refused(self):
        with pytest.raises(ValueError, match="n_task"):
            config(n_task=8)

    def test_of_ones_own_without_reserved_templates_is_measured_and_not_replicated(self, model, tmp_path):
        pairs = pairs_for(model, "grammar/facts", 60, seed=0, reserved=False)
        rows = {
            clean: {"clean": clean, "corrupted": corrupted, "answer": right, "wrong": wrong, "template": template}
            for clean, corrupted, right, wrong, template in zip(
                pairs.clean_texts, pairs.corrupted_texts, words(model, pairs.answers), words(model, pairs.wrong),
                pairs.templates, strict=True,
            )
        }  # fmt: skip
        path = tmp_path / "own.jsonl"
        path.write_text("\n".join(json.dumps(row) for row in rows.values()))
        own = {"task": str(path), "n_task": 40, "text": None}
        with pytest.raises(ValueError, match="or set n_task_held_out to null, and nothing is replicated on the task"):
            draw_task(model, config(**own))
        found = AttentionHeads(config(**own, n_task_held_out=None)).measure(model)
        assert found.why_not(TASK) is None
        assert (Split.HELD_OUT, TASK) not in found.effects
        assert all(again is None for _, again in found.evidence[TASK].values())


def _with(changes, head, value):
    changed = changes.copy()
    changed[:, *head] += value
    return changed


def words(model, answers):
    return [" " + model.tokenizer.decode([one[0][0]]).strip() for one in answers]


class TestResult:
    def test_every_behaviour_is_asked_about(self, result):
        assert result.behaviours == ("second copy", "text", "task")
        assert result.effects[Split.REPORT, TASK].metric == "logit difference"
        assert result.why_not("second copy") is not None, "the organism never learned random repeats"
        assert result.why_not("text") is None

    def test_what_is_worse_is_positive_for_losses_and_logit_differences_alike(self, result):
        """0.2 carries who is the indirect object (patching says so, too), and text needs 0.3."""
        assert result.intervals(TASK).low[0, 2] > 1
        assert result.intervals("text").low[0, 3] > 0.3
        assert result.at_stake(TASK).low > 10

    def test_types_are_scored_on_either_text(self, result):
        assert "delimiter" in result.looks.types[TEXT]
        assert "delimiter" not in result.looks.types[REPEATS]
        nth = result.looks.types[TEXT].index("delimiter")
        scores = result.looks.report[TEXT].scores[nth]
        assert ((scores >= 0) & (scores <= 1)).all()

    def test_one_correction_counts_the_heads_of_all_behaviours(self, result):
        """As many tests again, all without effect, and what was found is less sure."""
        alone = replace(result, effects={key: one for key, one in result.effects.items() if key[1] == TASK})
        quiet = result.effects[Split.REPORT, "text"]
        still = np.random.default_rng(0).normal(0, 0.01, quiet.changes.shape)
        beside = replace(result, effects={**result.effects, (Split.REPORT, "text"): replace(quiet, changes=still)})
        first, other = (found.evidence[TASK][0, 2][0] for found in (alone, beside))
        assert first.effect == other.effect
        assert other.p_adjusted > 1.5 * first.p_adjusted

    def test_a_head_that_acts_on_two_behaviours_is_claimed_on_both(self, result):
        changed = {
            key: replace(one, changes=_with(one.changes, (0, 3), 40.0)) if key[1] == TASK else one
            for key, one in result.effects.items()
        }
        told = [one.statement for one in replace(result, effects=changed).claims() if one.statement.startswith("0.3 ")]
        assert [name in one for one, name in zip(told, ("natural text", "the answers"), strict=True)] == [True, True]

    def test_what_is_not_there_to_lose_on_held_out_prompts_is_not_replicated_on_them(self, result):
        key = (Split.HELD_OUT, TASK)
        changed = {**result.effects, key: replace(result.effects[key], stake=-result.effects[key].stake)}
        before, after = (found.evidence[TASK][0, 2][1] for found in (result, replace(result, effects=changed)))
        assert before is not None
        assert after is None

    def test_a_type_found_on_text_alone_is_a_type(self, result):
        nth = result.looks.types[TEXT].index("delimiter")
        select = result.looks.select[TEXT]
        scores = select.scores.copy()
        scores[nth, 2, 1] = 0.9
        changed = replace(result.looks, select={**result.looks.select, TEXT: replace(select, scores=scores)})
        assert changed.of_heads[2, 1] == ("delimiter",)
        assert "delimiter score on text" in changed.told((2, 1))

    def test_is_rebuilt_from_its_arrays(self, result):
        again = type(result).from_arrays(result.config, result.provenance, result.arrays())
        assert again.claims() == result.claims()
        assert all(again.tables()[name].equals(table) for name, table in result.tables().items())

    def test_attended_pairs_are_reported_on_text_they_were_not_chosen_on(self, result):
        table = result.tables()["attended"]
        assert (table.attention <= 1).all()
        assert np.isfinite(table.attention).all()
