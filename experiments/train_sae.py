"""How much of a layer do sparse autoencoders keep, at which sparsity?

The autoencoders are in the folder of the run, `saes/NAME`; `--resume=FOLDER` goes on with a run that was stopped.

Usage: python experiments/train_sae.py [CONFIG] [--resume=FOLDER] [--key.path=value ...]
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
    config = Path(arguments[0]) if named else HERE / "configs/sae_train_organism.yaml"
    overrides = parse_overrides(arguments[named:])
    folder = overrides.pop("resume", None)
    if isinstance(folder, bool):
        sys.exit("--resume needs the folder of the run: --resume=FOLDER")
    experiment = load_experiment(config, overrides)

    out = Path(str(folder or f"out/{config.stem}-{datetime.now():%Y%m%d-%H%M%S}"))
    is_new = not (out / "run.json").is_file()
    print("nothing to resume, training anew into" if folder and is_new else "training into", out)
    result = experiment.run(run_dir=out, resume=folder is not None)
    print(result.summary())

    command = f"python experiments/train_sae.py {' '.join(arguments)}".strip()
    print("figures:", write_page(out.with_suffix(".html"), config.stem, [result], reproduce=command))


if __name__ == "__main__":
    main(sys.argv[1:])
