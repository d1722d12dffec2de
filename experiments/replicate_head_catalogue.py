"""Are the heads of GPT-2 small that others call induction and previous-token heads found, and do they act the part?

GPT-2 small comes from the hub once: run this with a network. `--model=path/to/directory` runs another model, whose
figures mean nothing beside the published ones.

Usage: python experiments/replicate_head_catalogue.py [--config=FILE] [--key.path=value ...]
"""

import sys
from datetime import datetime
from pathlib import Path

from interp_lab.attention.replication import CATALOGUE, beside_catalogue, caveat
from interp_lab.config import parse_overrides
from interp_lab.registry import load_experiment

CONFIG = Path(__file__).parent / "configs/attention_gpt2_small.yaml"


def main(arguments: list[str]) -> None:
    named = [argument for argument in arguments if argument.startswith("--config=")]
    config = Path(named[-1].removeprefix("--config=")) if named else CONFIG
    overrides = parse_overrides([argument for argument in arguments if argument not in named])

    out = Path("out") / f"{config.stem}-{datetime.now():%Y%m%d-%H%M%S}"
    result = load_experiment(config, overrides).run(run_dir=out)
    print(result.summary())

    print("\nheads that others named, beside what was measured:")
    print(beside_catalogue(result).to_string(index=False, float_format="%.3f"))
    print("published by:", "; ".join(dict.fromkeys(one.source for one in CATALOGUE)))
    print(caveat(result) or "scores depend on the text; whether a head is of its type should not")
    print("kept in", out)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ValueError, RuntimeError, OSError) as error:
        sys.exit(f"error: {error}")
