"""The only place that knows W&B; importing it is cheap, `wandb` itself is imported when a run is opened or read."""

from interp_lab.wandb_bridge.reader import WandbRecord, read_wandb_run
from interp_lab.wandb_bridge.start import start_run, tracking
from interp_lab.wandb_bridge.sweeps import agent_argv, create_sweep, require_server, run_agents
from interp_lab.wandb_bridge.tracker import WandbStatus, WandbTracker

__all__ = [
    "WandbRecord",
    "WandbStatus",
    "WandbTracker",
    "agent_argv",
    "create_sweep",
    "read_wandb_run",
    "require_server",
    "run_agents",
    "start_run",
    "tracking",
]
