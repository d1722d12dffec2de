"""Behaviours to measure: prompts with their answers, one file per family."""
