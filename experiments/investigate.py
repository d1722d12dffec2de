"""Search, written hypotheses, a test of them on what was held out, and one page: a scenario of this folder.

Scenarios: the files in experiments/investigations, such as loans, stereotype, shortcut or negative.

Usage: python experiments/investigate.py SCENARIO [--key.path=value ...] [--steps.NAME.key=value ...]
"""

import sys
from datetime import datetime
from pathlib import Path

from interp_lab.config import parse_overrides
from interp_lab.investigation import investigate, read_investigation_config
from interp_lab.investigation.page import write_investigation

SCENARIOS = Path(__file__).parent / "investigations"


def main(arguments: list[str]) -> None:
    if not arguments or not (SCENARIOS / f"{arguments[0]}.yaml").is_file():
        sys.exit(f"{__doc__}\nThere are: {', '.join(sorted(path.stem for path in SCENARIOS.glob('*.yaml')))}")
    config = read_investigation_config(SCENARIOS / f"{arguments[0]}.yaml", parse_overrides(arguments[1:]))

    out = Path("out") / f"{arguments[0]}-{datetime.now():%Y%m%d-%H%M%S}"
    found = investigate(config, out)
    for one in found.decided:
        print(f"{one.hypothesis.id} {'holds' if one.holds else 'is refuted'}: {one.hypothesis.statement}. {one.why}")
    print(f"{sum(one.holds for one in found.decided)} of {len(found.decided)} hypotheses hold", found.stopped or "")

    command = f"python experiments/investigate.py {' '.join(arguments)}"
    print("its page:", write_investigation(found, reproduce=command))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ValueError, RuntimeError, OSError) as error:
        sys.exit(f"error: {error}")
