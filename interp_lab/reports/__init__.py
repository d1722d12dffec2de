"""Reports: results joined into one self-contained page."""

from interp_lab.reports.page import render_page, write_page

__all__ = ["render_page", "write_page"]
