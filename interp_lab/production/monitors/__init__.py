"""Monitors: probes, features and directions inside generation, with alarms and what they set off.

`Watching` looks on while a model generates (`decode(..., watcher=watching, steers=watching.steers)`); `decode_watched`
does both at once. One matrix product per hook point and step serves all monitors.
"""

from interp_lab.production.monitors.alarms import SCHEMA, Alarm, EventLog
from interp_lab.production.monitors.bank import MonitorBank
from interp_lab.production.monitors.from_run import monitor_from_file, monitor_from_run, monitor_of
from interp_lab.production.monitors.monitor import Action, Monitor
from interp_lab.production.monitors.over import over_of
from interp_lab.production.monitors.readings import Readings
from interp_lab.production.monitors.watched import Watched, decode_watched, readings_on
from interp_lab.production.monitors.watching import Watching

__all__ = [
    "SCHEMA",
    "Action",
    "Alarm",
    "EventLog",
    "Monitor",
    "MonitorBank",
    "Readings",
    "Watched",
    "Watching",
    "decode_watched",
    "monitor_from_file",
    "monitor_from_run",
    "monitor_of",
    "over_of",
    "readings_on",
]
