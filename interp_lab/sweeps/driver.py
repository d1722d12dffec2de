"""A sweep from its definition to its result: the trials, and the winner measured again on held-out examples."""

import shutil
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from interp_lab.config import merge, read_yaml
from interp_lab.experiment import Progress, silent
from interp_lab.jobs import Executor, executor
from interp_lab.registry import entry, modules_of, resolve
from interp_lab.runs import save_result
from interp_lab.sweeps.checked import require_usable
from interp_lab.sweeps.definition import Definition, SweepError
from interp_lab.sweeps.held_out import re_evaluate
from interp_lab.sweeps.opening import SETTINGS, SweepFolder, opened
from interp_lab.sweeps.result import SweepResult
from interp_lab.sweeps.settings import SweepSettings
from interp_lab.sweeps.study import n_trials_of, search_for
from interp_lab.sweeps.trial import Trial, best_of
from interp_lab.sweeps.work import Watch, Work, nobody

_PRELOAD = ("interp_lab.cli.main", "interp_lab.cli.show", "transformer_lens")
"""What every trial imports."""


def run_sweep(
    definition: Definition,
    settings: SweepSettings,
    folder: Path,
    *,
    resume: bool = False,
    watch: Watch = nobody,
    progress: Progress = silent,
) -> SweepResult:
    """Carry out a sweep, or what is left of it, and keep its result in the folder's `result`.

    Args:
        folder: of the sweep; see `opening` for what is in it.
        resume: go on with the sweep in the folder; start it if there is none.
        watch: told of the trials.
        progress: told of the runs on held-out examples.

    Raises: SweepError, for a definition that cannot be carried out, a folder that holds something else or another
        driver holds, no room on the disk, a metric that trials do not have, or trials that failed one and all.
    """
    require_usable(definition, seed=settings.seed)
    if settings.held_out:
        require_search_fold(definition)
    if not (resume and (folder / SETTINGS).is_file()):
        n_trials_of(definition, settings)
    with opened(folder, definition, settings, resume=resume) as place, workers_for(place) as workers:
        search = search_for(definition, seed=settings.seed)
        work = Work(place, workers, search, n_trials_of(definition, place.settings), watch)
        trials = work.run()
        winner = require_winner(trials, definition)
        again, why_not = [], "given up by --no-held-out"
        if settings.held_out:
            again, why_not = re_evaluate(definition, winner, place, workers, place.settings, progress=progress), ""
        result = SweepResult.of(
            definition, trials, again, pareto=place.settings.pareto, no_held_out=why_not, seed=settings.seed
        )
        if place.result.is_dir():  # made from the ledger, and made again when that has grown
            shutil.rmtree(place.result)
        save_result(result, place.result)
    return result


def workers_for(place: SweepFolder) -> AbstractContextManager[Executor]:
    """Start the workers that a sweep was given; what its experiment needs is imported once."""
    settings = place.settings
    preload = (*_PRELOAD, *modules_of(place.definition.base.experiment))
    return executor(
        settings.backend, workers=settings.workers, threads=settings.threads, address=settings.address, preload=preload
    )


def require_search_fold(definition: Definition) -> None:
    """Refuse a sweep whose trials would see the examples that the winner is to be tested on.

    Raises: SweepError.
    """
    name, swept = definition.base.experiment, definition.parameters.get("fold")
    if "fold" not in resolve(entry(name).config).model_fields:
        raise SweepError(
            f"{definition.path}: experiment {name} draws no examples that could be held out from the trials; give up "
            "measuring the winner again by --no-held-out"
        )
    base = merge(read_yaml(definition.base.config_path), definition.base.overrides)
    if (list(swept.points()) if swept else [base.get("fold")]) != ["search"]:
        raise SweepError(
            f"{definition.path}: trials must run on the fold 'search', so that the winner can be measured on examples "
            "that no trial has seen; add --fold=search to the command, or give up that measurement by --no-held-out"
        )


def require_winner(trials: Sequence[Trial], definition: Definition) -> Trial:
    """Return the best complete trial.

    Raises: SweepError, if there is none, with the commonest reason.
    """
    winner = best_of(trials, goal=definition.goal)
    if winner is None:
        reasons = Counter(trial.reason for trial in trials)
        reason, n = reasons.most_common(1)[0]
        log = next(trial for trial in trials if trial.reason == reason).folder.with_suffix(".log")
        raise SweepError(f"none of {len(trials)} trials ran to its end; {n} of them: {reason}. See {log}")
    return winner
