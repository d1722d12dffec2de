"""Shared fixtures. The package is imported inside fixtures, or the type checks would install too late."""

import os
import signal

# Before anything imports torch or a hub client: no network, no second copy of every thread pool.
os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", WANDB_MODE="offline")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Begun in the background of a script, this process ignores Ctrl-C, and would hand that on to all that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
