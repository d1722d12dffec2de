"""Shared fixtures. The package is imported inside fixtures, or the type checks would install too late."""

import os

# Before anything imports torch or a hub client: no network, no second copy of every thread pool.
os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", WANDB_MODE="offline")
os.environ.setdefault("OMP_NUM_THREADS", "1")
