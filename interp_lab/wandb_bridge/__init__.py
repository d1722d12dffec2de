"""The only place that knows W&B; importing it is cheap, `wandb` itself is imported when a run is opened or read."""

from interp_lab.wandb_bridge.reader import WandbRecord, read_wandb_run
from interp_lab.wandb_bridge.start import start_run, tracking
from interp_lab.wandb_bridge.tracker import WandbStatus, WandbTracker

__all__ = ["WandbRecord", "WandbStatus", "WandbTracker", "read_wandb_run", "start_run", "tracking"]
