"""Requests and answers as JSON: what FastAPI checks, and what the OpenAPI document says."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

ActionName = Literal["flag", "stop", "steer", "route"]
Reason = Literal["stop token", "stop sequence", "length", "watched"]
TokenId = Annotated[int, Field(ge=0, le=2**31 - 1)]


class Asked(BaseModel):
    """Base of requests: unknown keys are refused, and nothing is read as another type."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


class Told(BaseModel):
    """Base of answers."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, json_schema_serialization_defaults_required=True
    )


class Watch(Asked):
    """A monitor that is to look on."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    """One of `GET /v1/monitors`."""
    action: ActionName | None = None
    """What its alarm sets off in this request; as the service has it by default."""


class Explain(Asked):
    """What is told of every token."""

    top_tokens: Annotated[int, Field(ge=0, le=20)] = 0
    """Likeliest tokens at each generated one, with their log-probabilities."""
    scores: bool = True
    """Every monitor's score of every token that it read."""


class GenerateRequest(Asked):
    """A prompt, how to go on from it, and who looks on."""

    prompt: (
        Annotated[str, Field(min_length=1, max_length=1_000_000)]
        | Annotated[list[TokenId], Field(min_length=1, max_length=1_000_000)]
    )
    """Text, or token ids, which are taken as they are."""
    max_new_tokens: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Most tokens generated; by default 32, or what service and context have room for."""
    temperature: Annotated[float, Field(ge=0.01, le=100)] | None = None
    """Of sampling; greedy without it."""
    top_k: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    """Sample among this many likeliest tokens; needs a temperature."""
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    """Sample among the likeliest tokens that together have this probability; needs a temperature."""
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    """What is sampled depends on it and on nothing else that the service is asked at the time."""
    stop: Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=16)] = []
    """Texts that end the answer, each tokenized by itself."""
    stop_tokens: Annotated[list[TokenId], Field(max_length=64)] | None = None
    """Ids that end the answer, and are kept; by default the end of text."""
    monitors: Annotated[list[Watch], Field(max_length=256)] | None = None
    """Who looks on: by default all, as the service has them; required ones always."""
    explain: Explain | None = None
    """What to tell of every token; by default nothing."""
    timeout_s: Annotated[float, Field(ge=1, le=3600)] | None = None
    """From arrival to end (seconds); at most what the service allows."""


class TopToken(Told):
    """A token that might have come."""

    token: int
    text: str | None
    """Without a tokenizer there is none."""
    log_prob: float
    """In nats."""


class AlarmTold(Told):
    """A monitor's aggregate has passed its threshold; told once per monitor."""

    monitor: str
    hook: str
    action: ActionName
    route: str | None
    """Who is to answer instead."""
    position: int
    """Of the token that raised it, from 0 at the beginning of the prompt."""
    generated: int | None
    """Which generated token that is, from 0; none if it is of the prompt."""
    token: int
    score: float
    """Of that token alone."""
    aggregate: float
    """Of all tokens up to it."""
    over: str
    threshold: float


class TokenTold(Told):
    """A token of prompt or answer, and what was read there."""

    position: int
    generated: int | None
    """Which generated token it is, from 0; none if it is of the prompt."""
    token: int
    text: str | None
    log_prob: float | None
    """Of a generated token, in nats, at temperature 1."""
    top_tokens: list[TopToken] | None
    """Of a generated token, where they were asked for."""
    scores: dict[str, float] | None
    """By monitor; the last generated token is never read, so that it has none."""


class GenerateResponse(Told):
    """What was generated, and what was noticed meanwhile."""

    id: str
    """Of the request, as in the log of alarms."""
    model: str
    prompt_tokens: int
    text: str | None
    """Without special tokens; without a tokenizer there is none."""
    tokens: list[int]
    log_probs: list[float]
    """Of each generated token, in nats, at temperature 1."""
    stop_reason: Reason
    alarms: list[AlarmTold]
    aggregates: dict[str, float | None]
    """Each monitor's number for the whole sequence; none where it has read nothing."""
    routed_to: str | None
    """Who is to answer instead, where a monitor says so."""
    explanation: list[TokenTold] | None
    """Every token, where that was asked for."""


class Delta(Told):
    """Event `token`: one generated token."""

    generated: int
    """Which one, from 0."""
    token: int
    text: str | None
    """What it adds to the text; the text of the event `done` is the one that counts."""
    log_prob: float
    top_tokens: list[TopToken] | None


class ScoresTold(Told):
    """Event `scores`: what the monitors say of one token that was read."""

    position: int
    token: int
    scores: dict[str, float]


class Problem(Told):
    """Why a request was not answered."""

    code: str
    """For programs."""
    message: str
    """For people."""


class ErrorResponse(Told):
    """Every answer that is no answer."""

    error: Problem
