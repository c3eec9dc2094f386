"""Reports of models as they are stored beside the commits that retain these, and told without measuring."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from shlex import quote

import msgspec

from mu2net_core.api.context import Context
from mu2net_core.api.looking.names import find_model
from mu2net_core.api.models.report import EvalResult
from mu2net_core.api.models.stored import stored_model
from mu2net_core.errors import AccessDeniedError, NotFoundError, StorageError
from mu2net_core.objects import StoredReport, to_document
from mu2net_core.repo import Repository
from mu2net_core.repo.core import find_report, put_report

__all__ = ["store_report", "stored_report"]


def stored_report(repo: Repository, context: Context, revision: str, split: str) -> EvalResult:
    """Returns what somebody found of a model on a split before, with its report: a claim, like every score.

    Raises:
        NotFoundError: no such model, or nothing is stored of it on that split that this version knows.
        InvalidInputError: as for whoever measures it.
    """
    model = stored_model(repo, revision)
    found = find_report(repo.store, model.task.name, model.model_id, split, repo.limits)
    try:
        result = None if found is None else msgspec.convert(found.result, EvalResult)
    except msgspec.ValidationError:  # of another version
        result = None
    if result is None or result.report is None:
        where = "" if split == "test" else f" --split {split}"
        hint = f"Measure it, which stores one: {context.program} eval {quote(revision)} --report{where}"
        if repo.config.remotes:
            remote, task = (
                quote(min(repo.config.remotes, key=lambda name: (name != "origin", name))),
                quote(model.task.name),
            )
            hint += f"; or look whether somebody did since you pulled: {context.program} pull {remote} {task}"
        raise NotFoundError(f"No report of {revision} on the split {split} is stored.", hint=hint)
    return replace(result, stored=True)


def store_report(repo: Repository, context: Context, revision: str, result: EvalResult) -> None:
    """Stores what was found beside the commit that ``revision`` names, or whose model it is; warns if it cannot.

    Places of files are this machine's own, so of a path the last part is stored.
    """
    commit = find_model(repo, revision).commit or _head_of(repo, result)
    if commit is None:
        return
    told = to_document(replace(_without_places(result), wrong=None, wall_s=0.0))  # the same again is the same file
    report = StoredReport(task=result.task, commit=commit, model=result.model, split=result.split, result=told)
    try:
        put_report(repo.store, report)
    except (AccessDeniedError, StorageError) as exc:
        context.warn(f"the report could not be stored: {exc.message}")


def _head_of(repo: Repository, result: EvalResult) -> str | None:
    """Returns the head of a task if it retains the model."""
    state = repo.refs.head(result.task)
    return state.commit if state is not None and repo.objects.commit(state.commit).model == result.model else None


def _without_places(result: EvalResult) -> EvalResult:
    if result.report is None:
        return result
    worst = tuple(replace(one, name=PurePath(one.name).name) for one in result.report.worst)
    return replace(result, report=replace(result.report, worst=worst))
