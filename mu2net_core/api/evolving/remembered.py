"""What the commits of a task keep of its trials: where a search method's memory of earlier iterations comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from mu2net_core.api.evolving.lines import earlier_models
from mu2net_core.engine import IterationState
from mu2net_core.errors import NotFoundError, PluginError
from mu2net_core.objects import MOST_TRIALS, Run, RunSetting, Trial, Trials
from mu2net_core.presets import Preset, preset_named
from mu2net_core.repo import Repository
from mu2net_core.repo.history import ancestry, basis_of

__all__ = ["remembered", "tellable", "trials_of"]

_MOST_COMMITS = 256
_CAP = "evolve.validation_cap"


def remembered(repo: Repository, base: str, preset: Preset) -> tuple[Trial, ...]:
    """Returns the trials of the iterations before the commit ``base`` and of its own, the newest last.

    Only those of the same definition of the task, under the same scorer and cap of validation examples, whose scores
    compare. It follows from the arguments alone, so that an iteration that is done again remembers the same.
    """
    task_id, found = repo.objects.commit(base).task_id, list[Sequence[Trial]]()
    for oid in islice(ancestry(repo.objects, [base]), _MOST_COMMITS):
        commit = repo.objects.commit(oid)
        if commit.trials is None or (commit.task_id, commit.trials.scorer) != (task_id, preset.scorer):
            continue
        if _validation_cap(commit.run) in {None, preset.training.validation_cap}:
            found.append(commit.trials.whole)
        if sum(map(len, found)) >= MOST_TRIALS:
            break
    return tuple(trial for trials in reversed(found) for trial in trials)[-MOST_TRIALS:]


def _validation_cap(run: Run | None) -> RunSetting | None:
    """Returns how many validation examples an iteration scored children on, at most; None if it is not told."""
    if run is None:
        return None
    try:
        return run.settings.get(_CAP, preset_named(run.preset).training.validation_cap)
    except (NotFoundError, PluginError):  # of a package that is not here
        return run.settings.get(_CAP)


def trials_of(repo: Repository, state: IterationState, renamed: Mapping[str, str]) -> Trials:
    """Returns what the commit of an iteration tells of its trials, by the names that models have once they are stored.

    Args:
        repo: the repository.
        state: of the iteration.
        renamed: what models of the iteration are called once they are stored, where that is something else.
    """
    seen = _seen(repo, (state.snapshot, *(later.snapshot for later in state.seen)))
    trials = state.search.trials
    if not {trial.parent for trial in trials} <= seen | {trial.model for trial in trials}:
        seen |= {oid for oid, _ in earlier_models(repo, state.base)}  # whoever reads the commit has its history
    named = (
        replace(
            trial,
            parent=renamed.get(trial.parent, trial.parent),
            model=None if trial.model is None else renamed.get(trial.model, trial.model),
        )
        for trial in tellable(trials, seen)
    )
    return Trials.of(tuple(named), state.search.scorer)


def tellable(trials: Sequence[Trial], visible: frozenset[str]) -> tuple[Trial, ...]:
    """Returns the trials that a commit may tell: those of children of ``visible`` models, and of children of these.

    What a child takes over from a model that not everybody may see who may read the commit, is not told either.
    """
    known, allowed = set(visible), list[Trial]()
    for trial in trials:
        if trial.parent in known:
            allowed.append(trial)
            known.update(() if trial.model is None else (trial.model,))
    return tuple(allowed)


def _seen(repo: Repository, snapshots: Iterable[str]) -> frozenset[str]:
    """Returns the models that children are made from in the snapshots that a commit names: all its readers see them."""
    found = [repo.objects.snapshot(oid) for oid in dict.fromkeys(snapshots)]
    heads = {commit for snapshot in found for commit in snapshot.heads.values()}
    models = (basis_of(repo, repo.objects.commit(oid)) for oid in heads)
    roots = (model for snapshot in found for model in snapshot.roots.values())
    return frozenset(oid for oid in (*models, *roots) if oid is not None)
