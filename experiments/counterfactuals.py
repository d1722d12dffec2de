"""Which smallest edits of a text flip the answer, and does a protected attribute do so alone?

Usage: python experiments/counterfactuals.py [CONFIG] [--key.path=value ...]
"""

import sys
from datetime import datetime
from pathlib import Path

from interp_lab.config import parse_overrides
from interp_lab.registry import load_experiment
from interp_lab.reports import write_page

HERE = Path(__file__).parent


def main(arguments: list[str]) -> None:
    named = bool(arguments) and not arguments[0].startswith("--")
    config = Path(arguments[0]) if named else HERE / "configs/counterfactuals_loans.yaml"
    experiment = load_experiment(config, parse_overrides(arguments[named:]))

    out = Path("out") / f"{config.stem}-{datetime.now():%Y%m%d-%H%M%S}"
    result = experiment.run(run_dir=out)
    print(result.summary())
    print(result.tables()["flips"][["method", "edit", "answer before", "turn"]].head(10).to_string(index=False))

    command = f"python experiments/counterfactuals.py {' '.join(arguments)}".strip()
    print("figures:", write_page(out.with_suffix(".html"), config.stem, [result], reproduce=command))


if __name__ == "__main__":
    main(sys.argv[1:])
