"""What a service holds, and what it lets a request ask for."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from interp_lab.config import Config, Processing
from interp_lab.identity import WeightProcessing


class ServeConfig(Config):
    """One model behind HTTP: how it is loaded, and the limits of queue, batches, requests and log."""

    model: str = "organism"
    """A bundled or compiled model, a name known to TransformerLens, or a local Hugging Face directory."""
    processing: Processing = WeightProcessing()
    """Weight processing; monitors must have been made under the same."""
    backend: Literal["hooked", "bridge"] = "hooked"
    """`HookedTransformer` or `TransformerBridge`."""
    dtype: str = "float32"
    """Of the weights."""
    device: str | None = None
    """`None` takes a GPU if there is one."""
    queue_size: PositiveInt = 64
    """Requests that may wait; one more is refused with 503."""
    max_batch: PositiveInt = 16
    """Requests that are decoded together."""
    batch_wait_ms: Annotated[float, Field(ge=0, le=1000)] = 5.0
    """How long an idle service waits for a second request to decode with the first (milliseconds)."""
    max_body_bytes: PositiveInt = 262_144
    """Of a request; a longer one is refused with 413."""
    body_s: Annotated[float, Field(gt=0, le=600)] = 10.0
    """Within this time (seconds) the body of a request must have come; 408 otherwise."""
    max_prompt_tokens: PositiveInt | None = None
    """`None` leaves it to the model's context."""
    max_new_tokens: PositiveInt = 256
    """That a request may ask for."""
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """From a request's arrival to its end (seconds); a request may ask for less."""
    grace_s: Annotated[float, Field(ge=0, le=3600)] = 10.0
    """How long requests may go on after SIGTERM (seconds); then they are told that the service stops."""
    log: Path | None = None
    """File of alarms, a JSON object a line; `None` keeps none."""
    log_max_bytes: PositiveInt = 10_000_000
    """At which the file becomes `NAME.1`, that one `NAME.2`, and so on."""
    log_files: PositiveInt = 5
    """Earlier files that are kept."""
    keep_prompts: bool = False
    """Whether the log keeps the prompts of alarms."""

    @model_validator(mode="after")
    def _prompts_need_a_log(self) -> "ServeConfig":
        if self.keep_prompts and self.log is None:
            raise ValueError("keep_prompts=true and there is no log to keep them in; name a file with log, or leave it")
        return self
