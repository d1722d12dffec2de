"""From events to answers: one at the end, or one event of a stream after the other."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import asdict
from typing import Any

from pydantic import BaseModel

from interp_lab.apps.serve.engine import Loaded
from interp_lab.apps.serve.job import Ended, Event, Failed, Job, Progress
from interp_lab.apps.serve.refused import RefusedError
from interp_lab.apps.serve.wire import (
    AlarmTold,
    Delta,
    ErrorResponse,
    GenerateResponse,
    Problem,
    ScoresTold,
    TokenTold,
    TopToken,
)
from interp_lab.decoding.prompts import tokenizer_of

UNFINISHED = "\N{REPLACEMENT CHARACTER}"
"""What a tokenizer makes of the first bytes of a character."""


class Answer:
    """What has been heard of a request so far; for the event loop, where alone the tokenizer is used."""

    def __init__(self, job: Job, loaded: Loaded, *, explained: bool) -> None:
        self._job, self._loaded, self._explained = job, loaded, explained
        self._tokenizer: Any = tokenizer_of(loaded.model)
        self._heard: list[Progress] = []
        self._tokens: list[int] = []
        self._told = ""

    def hear(self, event: Progress) -> None:
        """Take in what one forward pass brought."""
        self._heard.append(event)
        if event.token is not None:
            self._tokens.append(event.token)

    def told_of(self, event: Progress) -> list[tuple[str, BaseModel]]:
        """Return the events of a stream that say the same; call it after `hear`."""
        sequence = [*self._job.ids, *self._tokens]
        found: list[tuple[str, BaseModel]] = [
            ("scores", ScoresTold(position=position, token=sequence[position], scores=dict(scores)))
            for position, scores in event.scores.items()
        ]
        found += [("alarm", _alarm(one)) for one in event.alarms]
        if event.token is not None:
            found.append(("token", self._delta(event, event.token)))
        return found

    def complete(self, ended: Ended) -> GenerateResponse:
        """Return the whole answer."""
        alarms = [one for event in self._heard for one in event.alarms]
        routes = [one.route for one in alarms if one.route is not None]
        return GenerateResponse(
            id=self._job.id,
            model=self._loaded.name,
            prompt_tokens=len(self._job.ids),
            text=self._text(self._tokens),
            tokens=self._tokens,
            log_probs=[one.log_prob for one in self._heard if one.token is not None],
            stop_reason=ended.reason.value,
            alarms=[_alarm(one) for one in alarms],
            aggregates=dict(ended.aggregates),
            routed_to=routes[0] if routes else None,
            explanation=self._explanation() if self._explained else None,
        )

    def _explanation(self) -> list[TokenTold]:
        scores = {position: dict(one) for event in self._heard for position, one in event.scores.items()}
        brought = [event for event in self._heard if event.token is not None]
        n_prompt, found = len(self._job.ids), []
        for position, token in enumerate([*self._job.ids, *self._tokens]):
            event = brought[position - n_prompt] if position >= n_prompt else None
            found.append(
                TokenTold(
                    position=position, generated=None if event is None else position - n_prompt, token=token,
                    text=self._text([token], special=True), log_prob=None if event is None else event.log_prob,
                    top_tokens=None if event is None else self._top(event), scores=scores.get(position),
                )
            )  # fmt: skip
        return found

    def _delta(self, event: Progress, token: int) -> Delta:
        return Delta(
            generated=len(self._tokens) - 1, token=token, text=self._added(), log_prob=event.log_prob,
            top_tokens=self._top(event),
        )  # fmt: skip

    def _added(self) -> str | None:
        """Return what the text has grown by since this was last asked; a character that is not whole is kept back."""
        text = self._text(self._tokens)
        if text is None:
            return None
        if text.endswith(UNFINISHED) or not text.startswith(self._told):
            return ""
        added, self._told = text[len(self._told) :], text
        return added

    def _top(self, event: Progress) -> list[TopToken] | None:
        if self._job.n_top == 0:
            return None
        return [TopToken(token=one, text=self._text([one], special=True), log_prob=value) for one, value in event.top]

    def _text(self, ids: list[int], *, special: bool = False) -> str | None:
        return None if self._tokenizer is None else self._tokenizer.decode(ids, skip_special_tokens=not special)


async def answered(answer: Answer, events: AsyncGenerator[Event, None]) -> GenerateResponse:
    """Wait for the end.

    Raises: RefusedError, if there is to be no answer.
    """
    async for event in events:
        if isinstance(event, Failed):
            raise RefusedError(event.status, event.code, event.message, retry_after=1 if event.status == 503 else None)
        if isinstance(event, Ended):
            return answer.complete(event)
        answer.hear(event)
    raise AssertionError("the last event is an end or a failure")


async def streamed(answer: Answer, events: AsyncGenerator[Event, None]) -> AsyncIterator[str]:
    """Yield server-sent events: `token`, `scores` and `alarm`, and at the end `done` or `error`."""
    async for event in events:
        if isinstance(event, Failed):
            yield _sent("error", ErrorResponse(error=Problem(code=event.code, message=event.message)))
        elif isinstance(event, Ended):
            yield _sent("done", answer.complete(event))
        else:
            answer.hear(event)
            yield "".join(_sent(name, told) for name, told in answer.told_of(event))


def _sent(name: str, told: BaseModel) -> str:
    return f"event: {name}\ndata: {json.dumps(told.model_dump(), allow_nan=False)}\n\n"


def _alarm(alarm: Any) -> AlarmTold:  # noqa: ANN401 - an `Alarm`
    known = asdict(alarm)
    return AlarmTold(**{name: known[name] for name in AlarmTold.model_fields})
