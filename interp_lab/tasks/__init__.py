"""Behaviours to measure: prompts with their answers, one file per family; besides, labelled tokens and text streams."""

from interp_lab.tasks.alignment import TextPair, tokenize_pairs
from interp_lab.tasks.batch import TokenBatch, tokenize
from interp_lab.tasks.contrast import Contrast
from interp_lab.tasks.grammar import grammar_pairs
from interp_lab.tasks.grammar_texts import ContrastRule, grammar_contrast, grammar_documents
from interp_lab.tasks.labelled_tokens import LabelledTokens, labelled_tokens
from interp_lab.tasks.pairs import Pairs
from interp_lab.tasks.registry import Task, pairs_for, task, task_names
from interp_lab.tasks.streams import Document, read_documents
from interp_lab.tasks.user import read_pairs, write_template
from interp_lab.tasks.windows import Windows, token_windows

__all__ = [
    "Contrast",
    "ContrastRule",
    "Document",
    "LabelledTokens",
    "Pairs",
    "Task",
    "TextPair",
    "TokenBatch",
    "Windows",
    "grammar_contrast",
    "grammar_documents",
    "grammar_pairs",
    "labelled_tokens",
    "pairs_for",
    "read_documents",
    "read_pairs",
    "task",
    "task_names",
    "token_windows",
    "tokenize",
    "tokenize_pairs",
    "write_template",
]
