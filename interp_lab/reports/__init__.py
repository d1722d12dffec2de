"""Reports: results of any experiments joined into one self-contained page."""

from interp_lab.reports.join import load_runs
from interp_lab.reports.page import render_page, write_page

__all__ = ["load_runs", "render_page", "write_page"]
