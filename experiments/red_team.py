"""Which inputs turn an answer around, found by which search at what price, and does it hold on other texts?

Usage: python experiments/red_team.py [CONFIG] [--key.path=value ...]
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
    config = Path(arguments[0]) if named else HERE / "configs/red_team_loans.yaml"
    experiment = load_experiment(config, parse_overrides(arguments[named:]))

    out = Path("out") / f"{config.stem}-{datetime.now():%Y%m%d-%H%M%S}"
    result = experiment.run(run_dir=out)
    print(result.summary())
    if len(result.hits):
        print(result.tables()["clusters"].drop(columns="example").to_string(index=False))
        print("inputs to be tried again, for interp_lab.production.red_team.replay:", out / "regression" / "set.jsonl")

    command = f"python experiments/red_team.py {' '.join(arguments)}".strip()
    print("figures:", write_page(out.with_suffix(".html"), config.stem, [result], reproduce=command))


if __name__ == "__main__":
    main(sys.argv[1:])
