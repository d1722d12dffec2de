"""Requests over HTTP by many clients at once: decoded together, against one after the other; run alone, with times."""

import asyncio
import atexit
import statistics
import time
from contextlib import ExitStack

import httpx2
import torch
from rich.console import Console
from rich.table import Table

from interp_lab.models import declare_identity
from interp_lab.models.layout import store_as_multiplied_
from tests.apps.serve.served import running
from tests.benchmarks.decoding import KIND, SHAPE
from tests.benchmarks.harness import Comparison
from tests.tiny import tiny_model

N_CLIENTS, N_NEW, LENGTH = 32, 32, 16


def comparisons() -> list[Comparison]:
    urls = services()
    prompts = torch.randint(8192, (N_CLIENTS, LENGTH), generator=torch.Generator().manual_seed(0)).tolist()
    return [
        Comparison(
            f"{N_CLIENTS} clients over HTTP, {LENGTH} tokens, {N_NEW} new ones each, up to 16 decoded together",
            "the same service, one at a time",
            lambda: asked(urls[16], prompts)[0],
            lambda: asked(urls[1], prompts)[0],
            lambda ours, reference: ours == reference,
        )
    ]


def services() -> dict[int, str]:
    """Addresses of services by how many requests they decode together."""
    model = tiny_model(**SHAPE, **KIND)
    store_as_multiplied_(model)
    declare_identity(model, name="benchmark", processing="raw")
    stack = ExitStack()
    atexit.register(stack.close)
    return {n: stack.enter_context(running(model=model, max_batch=n, batch_wait_ms=5)).url for n in (1, 16)}


def asked(url: str, prompts: list[list[int]]) -> tuple[list[list[int]], list[float]]:
    """Return the answers to prompts that are asked at once, and the seconds that each took."""

    async def one(http: httpx2.AsyncClient, prompt: list[int]) -> tuple[list[int], float]:
        began = time.perf_counter()
        body = {"prompt": prompt, "max_new_tokens": N_NEW, "stop_tokens": []}
        answer = await http.post("/v1/generate", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()["tokens"], time.perf_counter() - began

    async def everyone() -> list[tuple[list[int], float]]:
        async with httpx2.AsyncClient(base_url=url, timeout=300) as http:
            return await asyncio.gather(*(one(http, prompt) for prompt in prompts))

    tokens, seconds = zip(*asyncio.run(everyone()), strict=True)
    return list(tokens), list(seconds)


def main() -> None:
    urls = services()
    prompts = torch.randint(8192, (N_CLIENTS, LENGTH), generator=torch.Generator().manual_seed(0)).tolist()
    table = Table("decoded together, at most", "requests/s", "median (s)", "95% (s)")
    for together, url in urls.items():
        asked(url, prompts)
        began = time.perf_counter()
        seconds = sorted(value for _ in range(5) for value in asked(url, prompts)[1])
        rate = 5 * N_CLIENTS / (time.perf_counter() - began)
        table.add_row(str(together), f"{rate:.1f}", f"{statistics.median(seconds):.2f}", f"{seconds[-8]:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
