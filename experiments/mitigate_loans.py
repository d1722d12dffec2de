"""Without the direction of the neighbourhood, are loans decided alike everywhere, and by finances as before?

Usage: python experiments/mitigate_loans.py [--key.path=value ...]
"""

import sys
from datetime import datetime
from pathlib import Path

from interp_lab.config import parse_overrides
from interp_lab.registry import load_experiment
from interp_lab.reports import write_page

CONFIG = Path(__file__).parent / "configs/steer_loans.yaml"


def main(arguments: list[str]) -> None:
    out = Path("out") / f"{CONFIG.stem}-{datetime.now():%Y%m%d-%H%M%S}"
    result = load_experiment(CONFIG, parse_overrides(arguments)).run(run_dir=out)
    print(result.summary())
    print(result.tables()["gap"].to_string(index=False, float_format="%.3f"))

    command = f"python experiments/mitigate_loans.py {' '.join(arguments)}".strip()
    print("figures:", write_page(out.with_suffix(".html"), CONFIG.stem, [result], reproduce=command))


if __name__ == "__main__":
    main(sys.argv[1:])
