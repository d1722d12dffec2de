"""Every experiment on a model reads nothing but the fold that its config names.

What is read is overheard where nothing gets round it: at the tokenizer, for texts, and at models without one. Whatever
is heard must begin with a text that was asked about (`folds`) and is in the fold; who forgets to ask is found out. That
nothing is in both folds is for tests/test_folds.py.
"""

from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache

import pytest
import torch
from transformer_lens import HookedTransformer
from transformers import PreTrainedTokenizerBase

from interp_lab import folds
from interp_lab.config import ConfigError, ModelConfig
from interp_lab.models import declare_identity, load_model
from interp_lab.organisms.compiled import compile_model
from interp_lab.registry import EXPERIMENTS, entry, resolve
from tests.tasks.reading import grammar_reader

SMALL_TEXT = {"n_tokens": 300, "n_fit_tokens": 300, "baselines": [], "text": {"part": "held_out", "length": 32}}
TINY = "a random model of the grammar's words"
PAIRS = {"n_pairs": 16, "n_held_out": None}
SMALL: dict[str, dict] = {
    "behaviour": {**PAIRS, "model": TINY, "task": "grammar/sentiment", "capabilities": ["facts"], "n_capability": 16},
    "audit": {
        "model": TINY, "behaviour": "urgency", "n_select": 8, "n_contexts": 8, "n_held_out": 8, "n_gap": 16,
        "n_screen": 200, "n_candidates": 1, "n_controls": 2,
    },
    "attention_heads": {
        "period": 8, "second_period": 10, "held_out_period": 6, "n_sequences": 32, "ablations": ["zero"],
        "n_copied_tokens": None, "n_untrained": 1, "find_partners": False, "n_random_sets": 2,
    },
    "attention_relations": {
        "model": TINY, "relations": ["country-capital"], "n_prompts": 96, "n_held_out": None, "ablations": ["zero"],
        "n_random_sets": 5, "contrasts": [{"n_prompts": 32}],
    },
    "patching": {**PAIRS, "model": TINY, "task": "grammar/sentiment", "sites": ["resid_pre"]},
    "ablation": {**PAIRS, "model": TINY, "sites": ["z"], "ablations": ["zero"], "n_random_sets": 5, "n_backups": 0},
    "circuits": {
        **PAIRS, "model": "compiled/linear", "task": "compiled/linear", "method": "EAP", "n_random": 29, "n_greedy": 0,
    },
    "probes": {
        "model": TINY, "positions": ["end"], "n_documents": 96, "n_held_out": 16, "n_controls": 3, "n_untrained": 1,
        "mlp": None, "n_pairs": 16, "n_random": 5, "n_folds": 2, "sites": ["resid_post"], "penalties": [0.1],
    },
    "input_attribution": {
        **PAIRS, "model": TINY, "methods": ["saliency"], "removals": ["mask"], "n_random": 5, "n_sets": 4,
        "n_disturbed": 0,
        "n_strips": 0, "n_stages": 1,
    },
    "lenses": {
        **PAIRS, "model": TINY, "lens": "tuned", "training": {"n_steps": 2, "n_tokens": 64}, "n_windows": 4,
        "n_documents": 8,
        "window": 16, "patchscope": None, "n_untrained": 1, "n_shown": 0, "mid": False,
    },
    "model_difference": {
        **PAIRS, "model": TINY, "n_documents": 32, "batch_size": 16, "draws": 1, "parts": ["z"], "n_cumulative": 1,
    },
    "sae_evaluation": SMALL_TEXT,
    "activations": {
        "model": TINY, "activations": {"hooks": ["blocks.0.hook_resid_post"], "n_tokens": 600, "text": {"length": 32}},
    },
    "sae_training": {
        "model": TINY, "hook": "blocks.0.hook_resid_post",
        "training": {"saes": {"topk": {"architecture": {"kind": "topk", "k": 4}, "width": 16}}, "n_tokens": 800,
                     "batch_size": 100, "n_first": 1},
        "text": {"part": "train", "length": 32}, "evaluation": SMALL_TEXT,
    },
    "sae_features": {
        "model": TINY, "neurons": 0, "describe": {"n_tokens": 600, "text": {"length": 32}},
        "differences": {"sets": ["sentiment"], "tuned": "another", "n_documents": 32, "n_held_out": 32},
        "combination": {"n_documents": 32, "n_held_out": 16, "most_features": 1, "n_shuffled": 1, "readings": ["last"],
                        "n_folds": 2},
    },
    "sae_concepts": {"n_documents": 96, "n_held_out": 32, "k": [1], "n_random": 3, "n_shuffled": 3, "n_candidates": 4,
                     "n_full": 16, "penalties": [0.1]},
    "feature_effects": {**PAIRS, "n_latents": 1, "n_random": 8, "n_matched": 2, "operations": ["zero"],
                        "n_windows": 8, "most_latents": 4, "positions": "end", "by": "attribution",
                        "text": {"part": "held_out", "length": 16}},
    "steering": {
        "n_contrast": 8, "layers": [2], "hows": ["add"], "wheres": ["last"], "coefficients": [-1.0, 1.0],
        "n_prompts": 16, "n_held_out": 8, "n_neutral": 8, "capabilities": ["facts"], "n_capability": 16, "n_random": 40,
        "n_orthogonal": 2, "n_shuffled": 2, "n_priced": 2, "generated": None,
    },
    "counterfactuals": {
        "model": TINY, "n_select": 8, "n_report": 8, "n_held_out": 8, "most_edits": 2, "beam": 1, "n_tried": 4,
        "n_proposed": 4, "n_controls": 2,
    },
    "red_team": {
        "searches": ["slots/gradient"], "n_seeds": 2, "budget": 120, "n_followed": 1, "n_contexts": 8, "n_held_out": 8,
        "n_controls": 2,
    },
    "monitors": {
        "model": TINY, "says": None, "words_before": 1, "paraphrases": {"contract": "plan"}, "n_fit": 32,
        "n_choose": 16, "n_calibrate": 64, "n_report": 32, "n_held_out": 32, "layers": [0], "n_random": 2,
    },
    "confidence": {
        "task": "grammar/sources", "words_cut": 1, "n_fit": 64, "n_calibrate": 64, "n_report": 64, "n_held_out": 64,
        "least_of_a_kind": 5, "strange": 0.02,
    },
    "sources": {
        "model": TINY, "n_prompts": 16, "n_held_out": 8, "n_sources": 2, "n_shown": 0, "scoring": {"steps": 1},
    },
}  # fmt: skip
"""Of each experiment the least that draws everything it can draw."""


@dataclass
class Heard:
    """What was read, and what was asked about and is held out."""

    read: set[str] = field(default_factory=set)
    held_out: set[str] = field(default_factory=set)

    def strangers(self) -> list[str]:
        """What was read and does not begin with what is held out."""
        return sorted(text for text in self.read if not self._begins_with_one(text))

    def _begins_with_one(self, text):
        words = text.split()
        return any(" ".join(words[:n]) in self.held_out for n in range(len(words), 0, -1))


@contextmanager
def overheard(vocabulary=None):
    heard = Heard()
    tokenize, forward, number = PreTrainedTokenizerBase.__call__, HookedTransformer.forward, folds._number

    def noting_texts(self, text, *given, **named):
        heard.read.update([text] if isinstance(text, str) else text)
        return tokenize(self, text, *given, **named)

    def noting_tokens(self, given, *rest, **named):
        if self.tokenizer is None and isinstance(given, torch.Tensor) and given.ndim == 2 and given.shape[1] > 4:
            rows = given.tolist()
            heard.read.update(" ".join(str(t) if vocabulary is None else vocabulary[t] for t in row) for row in rows)
        return forward(self, given, *rest, **named)

    def noting_questions(texts):
        found, texts = number(texts), list(map(folds.normal, texts))
        if folds._fold(found) == "held_out":
            heard.held_out.update(texts)
        return found

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(PreTrainedTokenizerBase, "__call__", noting_texts)
        patched.setattr(HookedTransformer, "forward", noting_tokens)
        patched.setattr(folds, "_number", noting_questions)
        yield heard


@cache
def model_named(name, seed=0):
    if name != TINY:
        return load_model(name, "cpu")
    model = grammar_reader()
    declare_identity(model, name="organism", processing="raw")
    return model


def read_by(name, folder, **values) -> Heard:
    parts = entry(name)
    config = resolve(parts.config).from_mapping({"device": "cpu", **SMALL[name], **values})
    vocabulary = compile_model(config.model).vocabulary if config.model.startswith("compiled") else None
    model, named = model_named(config.model), {"folder": folder} if name == "activations" else {}
    if name in ("model_difference", "sae_features"):
        named["tuned"] = model_named(config.model, 1)
    with overheard(vocabulary) as heard:
        resolve(parts.experiment)(config).measure(model, **named)
    return heard


@pytest.fixture(autouse=True)
def _little_is_drawn_to_spare(monkeypatch):
    """Beside those that are measured, pairs that partners are drawn from; and documents of the grammar together."""
    monkeypatch.setattr("interp_lab.effects.parts.POOL", 8)
    monkeypatch.setattr("interp_lab.sae.activations.documents._AT_ONCE", 8)


@pytest.mark.parametrize("name", SMALL)
def test_nothing_is_read_but_the_fold(name, tmp_path):
    heard = read_by(name, tmp_path / "folder", fold="held_out")
    assert len(heard.read) > 8
    assert not heard.strangers()


class TestTheEavesdropper:
    def test_finds_out_who_opens_no_fold(self, tmp_path, monkeypatch):
        monkeypatch.setattr("interp_lab.runs.recorded.visible", lambda fold: nullcontext())
        assert len(read_by("activations", tmp_path / "folder", fold="held_out").strangers()) > 8

    def test_finds_out_who_does_not_ask(self, tmp_path, monkeypatch):
        monkeypatch.setattr("interp_lab.tasks.grammar.folds.shows", lambda *texts: True)
        assert len(read_by("patching", tmp_path, fold="held_out").strangers()) > 8


def test_every_experiment_keeps_to_a_fold_or_has_none():
    """One that has no examples to draw refuses the word."""
    for name in EXPERIMENTS:
        config = resolve(entry(name).config)
        if issubclass(config, ModelConfig):
            assert name in SMALL, f"{name}: add the smallest config that draws everything"
        else:
            with pytest.raises(ConfigError, match="fold: no such field"):
                config.from_mapping({"fold": "search"})
