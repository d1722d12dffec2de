"""What a caller may say about device, dtype and weight processing, read once and refused by name."""

import torch

from interp_lab.identity import WeightProcessing
from interp_lab.types import nearest

DTYPES = {
    "float32": torch.float32,
    "float64": torch.float64,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}
"""Accepted names of a dtype."""


def dtype_named(dtype: str | torch.dtype) -> torch.dtype:
    """Return the floating-point dtype meant.

    Raises: ValueError, for anything but float32, float64, float16 and bfloat16.
    """
    if isinstance(dtype, torch.dtype) and dtype in DTYPES.values():
        return dtype
    if isinstance(dtype, str) and dtype.removeprefix("torch.") in DTYPES:
        return DTYPES[dtype.removeprefix("torch.")]
    raise ValueError(f"unknown dtype {dtype!r}{nearest(str(dtype), DTYPES)}; use one of {', '.join(DTYPES)}")


def device_named(device: str | None) -> str:
    """Return the device meant; `None` is CUDA where there is one, else the CPU.

    Raises: ValueError, for a device that this machine does not have.
    """
    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    available = available_devices()
    if device not in available:
        raise ValueError(
            f"device {device!r} is not available{nearest(device, available)}; here there are: {', '.join(available)}"
        )
    return device


def available_devices() -> list[str]:
    """Return the names that `device_named` accepts on this machine."""
    cuda = ["cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return ["cpu", *(cuda if torch.cuda.is_available() else []), *mps]


def processing_named(processing: WeightProcessing | str) -> WeightProcessing:
    """Return the weight processing meant; raises ValueError as `WeightProcessing.named`."""
    return processing if isinstance(processing, WeightProcessing) else WeightProcessing.named(processing)
