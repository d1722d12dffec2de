"""What do investigations cost? Records it, for the estimates of `interp-lab investigate --plan`.

Give folders of investigations that ran on this machine, as they were; its speed is measured at the same time.

Usage: python experiments/record_costs.py FOLDER ...
"""

import sys
from pathlib import Path
from statistics import median

import interp_lab.investigation
from interp_lab.investigation.costs import BUNDLED, as_bundled, factor_of, spent_in
from interp_lab.investigation.yardstick import yardstick

if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    rows = [one for folder in sys.argv[1:] for one in spent_in(Path(folder))]
    path = Path(interp_lab.investigation.__file__).with_name(BUNDLED)
    path.write_text(as_bundled(rows, yardstick=median(yardstick() for _ in range(9))), "utf-8")
    print(f"{len(rows)} steps and tests in {path}; 4 of 5 within a factor {factor_of(rows) or float('nan'):.2f}")
