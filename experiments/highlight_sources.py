"""Which source does an answer come from, and does attention say so?

Asks the organism about four statements that contradict each other, prints what each is worth to its answer, and writes
the page with the sources coloured.

Usage: python experiments/highlight_sources.py [PAGE.html]
"""

import sys
from pathlib import Path

from interp_lab.models import load_model
from interp_lab.production.sources import highlight

QUERY = "by Yarnova it is map"
SOURCES = (
    "letter Oslo is one capital , by Yarnova .",
    "card Tokyo is one , by Yarnova .",
    "map Paris is one , by Yarnova .",
    "book Rome is one , by Yarnova .",
)

if __name__ == "__main__":
    found = highlight(load_model("organism"), QUERY, SOURCES, max_new_tokens=1)
    print(found.summary())
    page = Path(sys.argv[1] if len(sys.argv) > 1 else "sources.html")
    found.save(page)
    print(f"page: {page}")
