"""Which side of a merge wins: the best model among the sides that no reset left behind.

All of it follows from the commits that are joined and their history, so that every machine finds the same winner.

A *reset* goes back behind some work because somebody does not want it. Work that builds on what was left behind, and
was done without knowing of the reset, does not come back through a better score: such a side is in the history of
the merge, and loses. It *builds on* it if its model descends from a model that the reset left behind, or if it is of
a definition of the task that the reset left behind. What somebody took up again after the reset, knowing of it, counts
as before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mu2net_core.errors import ConflictError, PluginError, SearchError
from mu2net_core.objects import Commit, Model, Scorer, Task, unknown_in
from mu2net_core.repo.core import PURGED_SOURCE
from mu2net_core.scoring import rank_key, score

__all__ = ["Manifests", "ancestry", "contenders", "is_canonical_merge", "winner"]


class Manifests(Protocol):
    """Where commits, models and tasks are looked up, e.g. an object database."""

    def commit(self, oid: str) -> Commit:
        """Returns a commit by its id."""

    def model(self, oid: str) -> Model:
        """Returns a model manifest by its id."""

    def task(self, oid: str) -> Task:
        """Returns a task object by its id."""


def is_canonical_merge(commit: Commit) -> bool:
    """Returns whether ``commit`` only joins others, so that its parents say all it says."""
    return commit.is_merge and commit.agent is None


def ancestry(manifests: Manifests, tips: Iterable[str], *, without: str | None = None) -> Iterator[str]:
    """Returns the ids of ``tips`` and of all their ancestors, nearest first, each once.

    The commit ``without`` is passed over, and what is reached through it alone.
    """
    seen = set[str]() if without is None else {without}
    queue = [oid for oid in dict.fromkeys(tips) if oid not in seen]
    seen.update(queue)
    for oid in queue:  # grows while it is walked
        yield oid
        fresh = [parent for parent in manifests.commit(oid).parents if parent not in seen]
        seen.update(fresh)
        queue.extend(dict.fromkeys(fresh))


def winner(manifests: Manifests, sides: Sequence[str]) -> str:
    """Returns which of the commits ``sides`` has the model, and the definition of the task, that a merge keeps.

    The best score wins; of equal ones the newer, then the one of the smaller id; and a refit, whatever is newer, before
    the model that it is one of, whose score it has. Where the sides were scored by different rules, all are scored
    again, from the quality and the costs their manifests hold, by the rule of the newest side. What layers cost is as
    it was when each side was scored: who shares them now differs from copy to copy.

    Raises:
        ConflictError: the scores do not compare, whatever one does.
    """
    able = contenders(manifests, sides)
    _check_definitions(manifests, able)
    commits = {oid: manifests.commit(oid) for oid in able}
    scores = _scores(manifests, commits)
    refit = {manifests.model(commit.model).refit_of for commit in commits.values() if commit.model is not None}
    ranked = sorted(oid for oid in able if commits[oid].model is None or commits[oid].model not in refit)
    # the sort below is stable: ties go to the smaller id
    ranked.sort(key=lambda oid: (oid in scores, rank_key(scores.get(oid)), commits[oid].finished_at), reverse=True)
    return ranked[0]


def _comparable(one: Task, other: Task) -> bool:
    """Returns whether qualities of models of two definitions of a task compare: measured alike, on the same examples.

    Where the data lies, what is trained on and who may read it make no difference.
    """
    return (one.metric, one.output, one.splits["validation"].fingerprint) == (
        other.metric,
        other.output,
        other.splits["validation"].fingerprint,
    )


def contenders(manifests: Manifests, sides: Sequence[str]) -> tuple[str, ...]:
    """Returns those of ``sides`` that no reset left behind; all, if resets contradict each other."""
    history = {oid: manifests.commit(oid) for oid in ancestry(manifests, sides)}
    resets = [_Reset.of(manifests, history, oid) for oid, commit in history.items() if commit.reset_to in history]
    able = tuple(oid for oid in sides if not any(reset.beats(manifests, oid) for reset in resets))
    return able or tuple(sides)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reset:
    """What a reset left behind, as far as nobody took it up again.

    Attributes:
        models: that it left behind.
        tasks: definitions of the task that it left behind.
        again: models that were retained after it, by somebody who knew of it.
        knowing: the commits that know of it, itself included.
    """

    models: frozenset[str | None]
    tasks: frozenset[str]
    again: frozenset[str | None]
    knowing: frozenset[str]

    @classmethod
    def of(cls, manifests: Manifests, history: Mapping[str, Commit], oid: str) -> _Reset:
        reset = history[oid]
        before = [history[c] for c in ancestry(manifests, reset.parents)]
        kept = [history[c] for c in ancestry(manifests, [reset.reset_to or ""])]
        knowing = _descendants(history, oid)
        after = [history[c] for c in knowing if not is_canonical_merge(history[c])]
        return cls(
            models=frozenset(c.model for c in before) - {c.model for c in kept} - {None},
            tasks=frozenset(c.task_id for c in before) - {c.task_id for c in (*kept, *after)},
            again=frozenset(c.model for c in after),
            knowing=knowing,
        )

    def beats(self, manifests: Manifests, oid: str) -> bool:
        """Returns whether a commit builds on what was left behind, without knowing that it was."""
        if oid in self.knowing:
            return False
        commit = manifests.commit(oid)
        return commit.task_id in self.tasks or self._descends(manifests, commit.model)

    def _descends(self, manifests: Manifests, model_id: str | None) -> bool:
        pending, seen = [model_id], set[str | None]([None])
        for oid in pending:  # grows while it is walked
            if oid is None or oid in seen or oid in self.again:
                continue
            if oid in self.models:
                return True
            seen.add(oid)
            pending += manifests.model(oid).sources
        return False


def _descendants(history: Mapping[str, Commit], oid: str) -> frozenset[str]:
    """Returns ``oid`` and all commits of ``history`` that come after it."""
    children: dict[str, list[str]] = {}
    for child, commit in history.items():
        for parent in commit.parents:
            children.setdefault(parent, []).append(child)
    pending, found = [oid], set[str]()
    while pending:
        current = pending.pop()
        if current not in found:
            found.add(current)
            pending.extend(children.get(current, ()))
    return frozenset(found)


def _check_definitions(manifests: Manifests, sides: Iterable[str]) -> None:
    names = {manifests.commit(oid).task_id: manifests.commit(oid).task for oid in sides}
    if len(names) < 2:
        return
    first, *others = [manifests.task(task_id) for task_id in sorted(names)]
    if len({task.source == PURGED_SOURCE for task in (first, *others)}) > 1:
        raise ConflictError(f"The task {first.name} was purged on one side, and is there on the other.")
    unknown = next(filter(None, map(unknown_in, (first, *others))), None)
    if unknown is not None:
        raise ConflictError(
            f"The two sides define the task {first.name} differently, and one of them was made by a newer mu2net: "
            f"{unknown}. Whether their scores compare cannot be told here.",
            hint="Upgrade: pip install -U mu2net",
        )
    if not all(_comparable(first, other) for other in others):
        raise ConflictError(
            f"The two sides define the task {first.name} differently: other outputs or validation examples. Their "
            "scores do not compare.",
        )


def _check_examples(models: Iterable[Model]) -> None:
    """Checks that the models of all sides were scored on as many validation examples, which are the same then."""
    tasks = {n: model.task for model in models if (n := model.validation_examples) is not None}
    if len(tasks) > 1:
        (task, *_), counts = tasks.values(), sorted(tasks)
        raise ConflictError(
            f"The two sides scored the task {task} on different validation examples, {counts[0]} and {counts[-1]} of "
            "them: their scores do not compare.",
            hint="Who shares a task needs the same evolve.validation_cap.",
        )


def _scores(manifests: Manifests, commits: Mapping[str, Commit]) -> dict[str, float | None]:
    """Returns by commit the score of its model, all by one rule; commits without a model are left out."""
    models = {oid: manifests.model(c.model) for oid, c in commits.items() if c.model is not None}
    _check_examples(models.values())
    rules = {oid: model.scorer for oid, model in models.items() if model.scorer is not None}
    if len(set(rules.values())) < 2:
        return {oid: model.score for oid, model in models.items()}
    judge = rules[max(sorted(rules), key=lambda oid: commits[oid].finished_at)]
    return {oid: _scored_by(judge, model, commits[oid].task) for oid, model in models.items()}


def _scored_by(judge: Scorer, model: Model, task: str) -> float | None:
    if model.quality is None:
        return None
    try:
        if model.costs is not None:
            return score(model.quality, model.costs, judge)
        why = "a model's costs are not known"
    except PluginError:
        why = f"the rule {judge.name!r} is none we know"
    except SearchError as exc:
        why = exc.message.rstrip(".")
    raise ConflictError(
        f"The two sides scored the task {task} by different rules, and {why}: their scores do not compare.",
    )
