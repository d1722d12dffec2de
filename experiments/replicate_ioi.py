"""Does activation patching find the published circuit of indirect objects in GPT-2 small?

GPT-2 small comes from the hub once: run this with a network. Another model runs too, if its tokenizer has the words and
names of the task (names as one token each), and its figures mean nothing.

Usage: python experiments/replicate_ioi.py [--config=FILE] [--key.path=value ...]
"""

import sys
from datetime import datetime
from pathlib import Path

from interp_lab.config import parse_overrides
from interp_lab.patching.replication import SOURCE, beside_published, caveat
from interp_lab.registry import load_experiment

CONFIG = Path(__file__).parent / "configs/patch_ioi_gpt2_small.yaml"


def main(arguments: list[str]) -> None:
    named = [argument for argument in arguments if argument.startswith("--config=")]
    config = Path(named[-1].removeprefix("--config=")) if named else CONFIG
    overrides = parse_overrides([argument for argument in arguments if argument not in named])

    out = Path("out") / f"{config.stem}-{datetime.now():%Y%m%d-%H%M%S}"
    result = load_experiment(config, overrides).run(run_dir=out)
    print(result.summary())

    print(f"\n{SOURCE.authors} {SOURCE.year} ({SOURCE.url}), beside what was measured:")
    print(beside_published(result).to_string(index=False, float_format="%.3f"))
    print(caveat(result) or "signs of heads are the paper's; sizes depend on sentences and on what is patched")
    print("kept in", out)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ValueError, RuntimeError, OSError) as error:
        sys.exit(f"error: {error}")
