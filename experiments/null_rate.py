"""How often is something claimed where there is nothing: in untrained models, and by labels that say nothing?

Each draw is a small investigation with one step: its search, its hypotheses, and their test on what was held out. What
holds then is a false claim; at a false discovery rate of 5%, one draw in twenty may have any.

Usage: python experiments/null_rate.py untrained|swapped N_DRAWS STEP ...   (behaviour, audit, patch, ablate, ...)
"""

import sys
import tempfile
from pathlib import Path

from scipy.stats import binom

from interp_lab.investigation import Investigated, investigate, read_investigation_config

CONFIGS = Path(__file__).parent / "investigations"
DRAWN = {"untrained": ("model", "untrained@{}/organism"), "swapped": ("task", "swapped@{}/grammar/loans/neighbourhood")}


def null(kind: str, step: str, *, seed: int) -> Investigated:
    key, name = DRAWN[kind]
    own = {"seed": seed, key: name.format(seed)}
    config = read_investigation_config(CONFIGS / f"negative_{kind}.yaml", own, "quick")
    whole = config.as_dict()["steps"]
    config = config.overlaid({"steps": [one for one in whole if isinstance(one, str) or one["name"] == step]})
    with tempfile.TemporaryDirectory() as folder:
        return investigate(config, Path(folder) / "out")


if __name__ == "__main__":
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    n = int(sys.argv[2])
    for step in sys.argv[3:]:
        found = [null(sys.argv[1], step, seed=seed) for seed in range(n)]
        left = sum(bool(run.hypotheses) for run in found)
        false = sum(any(one.holds for one in run.decided) for run in found)
        p = binom.sf(false - 1, n, 0.05)
        print(f"{step}: {left} of {n} draws leave hypotheses, {false} a claim; as many at 5%: p = {p:.2f}", flush=True)
