"""What extracting activations of a large model would cost: arithmetic, from rates that were measured; see `scaling`."""

from dataclasses import dataclass

from rich.table import Table

LABEL_BYTES = 16
"""Of every row on disk, beside the activations: token, document, place, position, 4 bytes each."""
H100 = 989e12
"""Published peak (FLOP/s, bf16, dense)."""
SHARD_BYTES = 64 * 2**20
"""Of a part, as `ActivationsConfig.shard_bytes` has it."""


@dataclass(frozen=True)
class Layers:
    """The part of a transformer that a pass runs: up to the hook point, and no unembedding."""

    n: int
    d_model: int
    d_mlp: int
    gated: bool = True
    window: int = 1024
    """Tokens that are read together; attention is counted as it is computed, above the diagonal too."""

    @property
    def multiply_adds(self) -> int:
        """For one token: queries, keys, values and outputs; the MLP; scores and the mix of values."""
        mlp = (3 if self.gated else 2) * self.d_model * self.d_mlp
        return self.n * (4 * self.d_model**2 + mlp + 2 * self.window * self.d_model)


@dataclass(frozen=True)
class Rates:
    """Of single processes."""

    text: float
    """Tokens read per second, without the model."""
    write: float
    """Bytes written per second, in parts of 64 MiB."""
    join: float
    """Bytes joined per second."""
    memory: float
    """Bytes that the join holds for each token."""


SEVEN_BILLION = Layers(n=16, d_model=4096, d_mlp=11008)
"""The lower half of a model of 32 layers."""


def gpu_hours(layers: Layers, *, n_tokens: int, utilisation: float, peak: float = H100) -> float:
    """Of one pass; `utilisation` is the share of the peak that is had, an assumption."""
    return 2 * layers.multiply_adds * n_tokens / (utilisation * peak) / 3600


def row_bytes(layers: Layers, *, n_hooks: int = 1, value_bytes: int = 2) -> int:
    return n_hooks * layers.d_model * value_bytes + LABEL_BYTES


def n_parts(layers: Layers, *, n_tokens: int, n_hooks: int = 1, shard_bytes: int = SHARD_BYTES) -> int:
    """Shards, of whole rows."""
    return -(-n_tokens // (shard_bytes // row_bytes(layers, n_hooks=n_hooks)))


def tokens_read(*, n_tokens: int, n_jobs: int) -> int:
    """By all jobs of a map: each reads the text up to the end of its own range, so that the last reads all of it."""
    return n_tokens * (n_jobs + 1) // 2


def estimate(rates: Rates, *, n_tokens: int, layers: Layers = SEVEN_BILLION) -> Table:
    """One hook point of the lower half of a 7B model."""
    made = Table("what", "value", "from", title=f"Estimate: 7B, {layers.n} of 32 layers, {n_tokens / 1e9:g}B tokens")
    flops, wide, parts = 2 * layers.multiply_adds, row_bytes(layers), n_parts(layers, n_tokens=n_tokens)
    made.add_row("FLOPs", f"{flops * n_tokens:.2e}", f"{flops / 1e9:.2f}e9 a token, windows of {layers.window}")
    for share in (0.1, 0.3, 0.5):
        hours = gpu_hours(layers, n_tokens=n_tokens, utilisation=share)
        rate = n_tokens / hours / 3600
        pace = f"{rate:,.0f} tokens/s, {rate * wide / 1e6:,.0f} MB/s to be written"
        made.add_row(f"GPU-hours at {share:.0%} of {H100 / 1e12:.0f} TFLOP/s", f"{hours:.1f}", f"assumed share; {pace}")
    n_bytes = n_tokens * wide
    made.add_row("disk", f"{n_bytes / 1e12:.2f} TB", f"fp16, {wide} bytes a token")
    made.add_row("parts of 64 MiB", f"{parts:,}", "")
    made.add_row("writing, one process", hours_of(n_bytes / rates.write), f"{rates.write / 1e6:,.0f} MB/s, measured")
    made.add_row("joining, one process", hours_of(n_bytes / rates.join), f"{rates.join / 1e6:,.0f} MB/s, measured")
    made.add_row(
        "memory of the join", f"{n_tokens * rates.memory / 1e9:,.0f} GB", f"{rates.memory:.0f} bytes a token, measured"
    )
    for n_jobs in (1, 8, 64, 1024):
        every = hours_of(tokens_read(n_tokens=n_tokens, n_jobs=n_jobs) / rates.text)
        last = f"the last job {hours_of(n_tokens / rates.text)}; {rates.text:,.0f} tokens/s, measured"
        made.add_row(f"reading text, {n_jobs} jobs of {-(-parts // n_jobs):,} parts", f"{every} of cores", last)
    return made


def hours_of(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} h"
