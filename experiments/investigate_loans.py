"""Does the audit of loans name the same in every draw of texts, and nothing of the neighbourhood in the tuned model?

Each draw is an investigation with one step: an audit, its hypotheses, and their test on what was held out, in both.

Usage: python experiments/investigate_loans.py N_DRAWS
"""

import sys
import tempfile
from pathlib import Path

from interp_lab.audit.known_answers import is_true
from interp_lab.claims import Grade
from interp_lab.investigation import Investigated, investigate, read_investigation_config

CONFIG = Path(__file__).parent / "investigations/loans.yaml"


def drawn(seed: int) -> Investigated:
    config = read_investigation_config(CONFIG, {"seed": seed, "beside": "organism-tuned"})
    steps = [one for one in config.as_dict()["steps"] if isinstance(one, str) or one["name"] == "audit"]
    with tempfile.TemporaryDirectory() as folder:
        return investigate(config.overlaid({"steps": steps}), Path(folder) / "out")


def main(n: int) -> None:
    named = blind = 0
    for seed in range(n):
        decided = drawn(seed).decided
        own = {one.hypothesis.component for one in decided if one.holds}
        tuned = {one.hypothesis.component for one in decided if one.beside and one.beside.grade >= Grade.CAUSAL}
        named += is_true(tuple(own))
        blind += not any("neighbourhood" in one for one in tuned)
        print(f"{seed}: {', '.join(sorted(own))}; tuned: {', '.join(sorted(tuned))}", flush=True)
    print(f"in {named} of {n} draws all that was planted, nothing inert; in {blind} the tuned model is blind")


if __name__ == "__main__":
    main(int(sys.argv[1]))
