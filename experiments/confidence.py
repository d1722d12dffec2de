"""How likely is an answer of the model to be right, and how far can one go by that?

Usage: python experiments/confidence.py [CONFIG] [--key.path=value ...]
"""

import sys
from datetime import datetime
from pathlib import Path

from interp_lab.config import parse_overrides
from interp_lab.production.confidence import save_calibration
from interp_lab.registry import load_experiment
from interp_lab.reports import write_page

HERE = Path(__file__).parent


def main(arguments: list[str]) -> None:
    named = bool(arguments) and not arguments[0].startswith("--")
    config = Path(arguments[0]) if named else HERE / "configs/confidence.yaml"
    experiment = load_experiment(config, parse_overrides(arguments[named:]))

    out = Path("out") / f"{config.stem}-{datetime.now():%Y%m%d-%H%M%S}"
    result = experiment.run(run_dir=out)
    print(result.summary())
    print(result.tables()["levels"].to_string(index=False))
    save_calibration(result, out / "calibration.safetensors")
    print("for interp_lab.production.confidence.assess:", out / "calibration.safetensors")

    command = f"python experiments/confidence.py {' '.join(arguments)}".strip()
    print("figures:", write_page(out.with_suffix(".html"), config.stem, [result], reproduce=command))


if __name__ == "__main__":
    main(sys.argv[1:])
