"""Models by the names that TransformerLens knows: the only file of the package that may use the network."""

import difflib
import socket
import urllib.parse
import urllib.request
from dataclasses import asdict
from typing import Any

import torch

from interp_lab.identity import WeightProcessing
from interp_lab.models.bridge import process_bridge
from interp_lab.models.containment import contained
from interp_lab.models.identity import declare_identity
from interp_lab.models.layout import store_as_multiplied_
from interp_lab.models.processing import admitted
from interp_lab.models.tokenizers import settle_bos
from interp_lab.types import HookedModel

_NOT_DECODERS = ("t5", "bert", "wav2vec2")
_PROBE_SECONDS = 3.0


def official_name(name: str) -> str | None:
    """Return the hub name that TransformerLens loads for a name or alias; `None` if it knows neither."""
    return _aliases().get(name.lower())


def closest_names(name: str) -> list[str]:
    """Return up to three hub names close to one that is unknown."""
    return difflib.get_close_matches(name.lower(), _aliases(), n=3, cutoff=0.6)


def _aliases() -> dict[str, str]:
    with contained():
        from transformer_lens.loading_from_pretrained import make_model_alias_map

        return {
            alias: official
            for alias, official in make_model_alias_map().items()
            if not any(kind in official.lower() for kind in _NOT_DECODERS)
        }


def load_from_hub(
    official: str, *, name: str, processing: WeightProcessing, backend: str, device: str, dtype: torch.dtype
) -> HookedModel:
    """Download (or read from the local hub cache) and load.

    Raises: ValueError, if the hub cannot be reached or does not deliver; at once, without the
        hub client's retries where there is no network at all.
    """
    _require_reachable(name)
    make = _boot_bridge if backend == "bridge" else _load_hooked
    try:
        with contained():
            model, steps = make(official, processing=processing, device=device, dtype=dtype)
    except OSError as error:  # what transformers and huggingface_hub raise for everything on the way to a file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"could not fetch {name!r} ({official}): {reason}; {_way_out(official)}") from error
    declare_identity(model, name=name, processing=steps)
    return model.eval()


def _load_hooked(
    official: str, *, processing: WeightProcessing, device: str, dtype: torch.dtype
) -> tuple[Any, WeightProcessing]:
    from transformer_lens import HookedTransformer

    model = HookedTransformer.from_pretrained(official, device=device, dtype=dtype, **asdict(processing))
    store_as_multiplied_(model)
    _settle(model)
    return model, admitted(processing, model.cfg)


def _boot_bridge(
    official: str, *, processing: WeightProcessing, device: str, dtype: torch.dtype
) -> tuple[Any, WeightProcessing]:
    from transformer_lens.model_bridge import TransformerBridge

    bridge = TransformerBridge.boot_transformers(official, device=device, dtype=dtype)
    process_bridge(bridge, processing, name=official)
    _settle(bridge)
    return bridge, processing


def _settle(model: Any) -> None:  # noqa: ANN401 - either backend
    """Both loaders appoint EOS where the tokenizer defines no BOS; what it defined is in `init_kwargs`."""
    if model.tokenizer is not None:
        model.tokenizer.padding_side = "right"  # see tokenizers.taken_as_is
        settle_bos(model, has_bos=model.tokenizer.init_kwargs.get("bos_token") is not None)


def _require_reachable(name: str) -> None:
    """Find out in seconds what the hub client finds out after forty: there is no network."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE or urllib.request.getproxies():
        return
    address = urllib.parse.urlsplit(constants.ENDPOINT)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname or "", port), timeout=_PROBE_SECONDS).close()
    except OSError as error:
        raise ValueError(f"cannot reach {constants.ENDPOINT} to fetch {name!r} ({error}); {_way_out(name)}") from error


def _way_out(name: str) -> str:
    from huggingface_hub import constants

    cached = "" if constants.HF_HUB_OFFLINE else "set HF_HUB_OFFLINE=1 if it is in the local hub cache, or "
    return (
        f"{cached}save it where there is a network (model.save_pretrained and tokenizer.save_pretrained of {name!r}) "
        "and give load_model that directory"
    )
