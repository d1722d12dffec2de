"""Features to look at: a self-contained page, and export in Neuronpedia's JSON shape."""

from interp_lab.sae.dashboard.labels import read_labels
from interp_lab.sae.dashboard.neuronpedia import export_neuronpedia
from interp_lab.sae.dashboard.packing import Shown
from interp_lab.sae.dashboard.page import render_dashboard, write_dashboard

__all__ = ["Shown", "export_neuronpedia", "read_labels", "render_dashboard", "write_dashboard"]
