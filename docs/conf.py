"""The documentation: guides by hand, everything else from the code; `make docs` builds it strictly and offline."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # of `docs.pages`

project = "interp_lab"
author = "The interp_lab authors"
html_title = "interp_lab"
html_theme = "furo"
html_theme_options = {"sidebar_hide_name": False}
html_static_path = ["static"]
html_css_files = ["pages.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False

extensions = ["myst_parser", "sphinx.ext.autodoc", "docs.pages"]
exclude_patterns = ["figures", "pages", "static"]
# Docstrings write code as `code`, without a role.
default_role = "code"
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
maximum_signature_line_length = 90
python_use_unqualified_type_names = True
toc_object_entries = False
