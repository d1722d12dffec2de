"""From a request to what goes into the queue: tokens, settings and monitors, checked."""

from typing import Any
from uuid import uuid4

from pydantic import ValidationError

from interp_lab.apps.serve.config import ServeConfig
from interp_lab.apps.serve.engine import Loaded
from interp_lab.apps.serve.job import Job
from interp_lab.apps.serve.refused import RefusedError
from interp_lab.apps.serve.wire import GenerateRequest
from interp_lab.decoding import DecodingSettings, prompt_ids
from interp_lab.decoding.prompts import require_room, tokenizer_of

BY_DEFAULT = 32
"""Tokens that are generated, where a request does not say."""


def job_of(asked: GenerateRequest, loaded: Loaded, config: ServeConfig) -> Job:
    """Return a request that can be decoded; call it in the event loop, where alone the tokenizer is used.

    Raises: RefusedError (422), for what does not fit the model, the service's limits or its monitors.
    """
    try:
        watchers = loaded.watchlist.chosen(
            None if asked.monitors is None else [(one.name, one.action) for one in asked.monitors]
        )
        prompts: Any = [asked.prompt]  # one text, or the ids of one
        [ids] = prompt_ids(loaded.model, prompts)
        _require_length(len(ids), config)
        room = int(loaded.model.cfg.n_ctx) - len(ids)
        settings = _settings(asked, loaded, n_new=_n_new(asked.max_new_tokens, config, room=room))
        require_room(loaded.model, [ids], [settings])
    except ValidationError as error:
        raise RefusedError(422, "invalid", "; ".join(one["msg"] for one in error.errors())) from error
    except ValueError as error:
        raise RefusedError(422, "invalid", str(error)) from error
    return Job(
        id=uuid4().hex,
        ids=tuple(ids),
        settings=settings,
        watchers=watchers,
        n_top=0 if asked.explain is None else asked.explain.top_tokens,
        wants_scores=asked.explain is not None and asked.explain.scores,
        prompt=asked.prompt if isinstance(asked.prompt, str) else None,
    )


def _settings(asked: GenerateRequest, loaded: Loaded, *, n_new: int) -> DecodingSettings:
    return DecodingSettings(
        max_new_tokens=n_new,
        temperature=asked.temperature,
        top_k=asked.top_k,
        top_p=asked.top_p,
        seed=asked.seed,
        stop_tokens=None if asked.stop_tokens is None else tuple(asked.stop_tokens),
        stop_sequences=tuple(_stop_ids(text, loaded) for text in asked.stop),
    )


def _stop_ids(text: str, loaded: Loaded) -> tuple[int, ...]:
    tokenizer = tokenizer_of(loaded.model)
    if tokenizer is None:
        raise ValueError("the model has no tokenizer for texts in stop; give stop_tokens")
    ids = tuple(tokenizer.encode(text, add_special_tokens=False))
    if not ids:
        raise ValueError(f"the text {text!r} in stop has no tokens; leave it out")
    return ids


def _n_new(asked: int | None, config: ServeConfig, *, room: int) -> int:
    """Return how many tokens to generate at most; a prompt that leaves no room is refused elsewhere."""
    if asked is None:
        return max(min(BY_DEFAULT, config.max_new_tokens, room), 1)
    if asked > config.max_new_tokens:
        raise ValueError(
            f"max_new_tokens={asked}, and this service generates {config.max_new_tokens} at most; ask for that or less"
        )
    return asked


def _require_length(n_tokens: int, config: ServeConfig) -> None:
    if config.max_prompt_tokens is not None and n_tokens > config.max_prompt_tokens:
        raise ValueError(
            f"the prompt has {n_tokens} tokens, and this service takes {config.max_prompt_tokens} at most; shorten it"
        )
