"""Is a competitor about to be named, a reply about to be harsh, a false fact being written? Four monitors, one table.

Beside each stand the model's own output, a filter of keywords and one that learns words; where the model writes under
the alarms, what leaks.
"""

from pathlib import Path

import pandas as pd

from interp_lab.production.monitors.measured import KEYWORDS, WORDS
from interp_lab.production.monitors.own_output import NEXT, SURPRISE
from interp_lab.registry import load_experiment

SCENARIOS = ("competitor", "competitor_early", "tone", "truth", "truth_early")
CONFIGS = Path(__file__).parent / "configs"


def main() -> None:
    rows = []
    for name in SCENARIOS:
        found = load_experiment(CONFIGS / f"monitors_{name}.yaml").run(run_dir=Path("runs") / f"monitors_{name}")
        print(found.summary(), end="\n\n")
        for part, held in found.parts.items():
            row = {"scenario": name, "part": part, "monitor": found.area(held, (0,)).estimate}
            for one in (NEXT, SURPRISE, KEYWORDS, WORDS):
                row[one] = found.area(held, found.groups[one]).estimate if one in found.groups else None
            leaks = [found.said(held, way).estimate for way in (1, 2)] if len(held.says) else [None, None]
            rows.append({**row, "stop leaks": leaks[0], "response leaks": leaks[1]})
    print(pd.DataFrame(rows).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
