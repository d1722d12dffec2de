"""What is wrong with a model that names wrong capitals, once a head that retrieves them is gone?

Takes a head that holds in an investigation of knowledge out of the bundled model, sorts the completions that are wrong
then (missing knowledge, broken routing, shortcut), and patches each part from the whole model until one repairs them.

Usage: python experiments/debug_knowledge.py FOLDER_OF_THE_INVESTIGATION
"""

import re
import sys
from pathlib import Path
from typing import Any

from interp_lab.investigation import read_investigation
from interp_lab.lenses import Lenses, LensesConfig
from interp_lab.lenses.result import LensesResult
from interp_lab.models import load_model

CONFIG = LensesConfig(task="grammar/facts", patchscope=None, n_pairs=96, n_held_out=48, n_untrained=1, mid=False)


def debugged(folder: Path) -> tuple[str, LensesResult]:
    """Break the first head that holds, by the strength of its effect, and ask what is wrong."""
    holds = [one.hypothesis for one in read_investigation(folder).decided if one.holds]
    heads = [one for one in holds if re.fullmatch(r"\d+\.\d+", one.component) and one.step == "ablate"]
    if not heads:
        raise ValueError(
            f"no head holds in {folder} by being ablated; give the folder of an investigation of knowledge"
        )
    layer, head = map(int, heads[0].component.split("."))
    broken: Any = load_model(CONFIG.model)
    broken.blocks[layer].attn.W_O.data[head] = 0.0
    return heads[0].component, Lenses(CONFIG).measure(broken, donor=load_model(CONFIG.model))


if __name__ == "__main__":
    gone, result = debugged(Path(sys.argv[1]))
    print(f"without {gone}:", result.summary())
