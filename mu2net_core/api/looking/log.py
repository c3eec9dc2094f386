"""``log``: what happened, newest first."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from mu2net_core.api.looking.names import task_head
from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import Agent, Commit
from mu2net_core.presets import PRESETS
from mu2net_core.repo import Repository
from mu2net_core.repo.history import History, How, Past

__all__ = ["CommitKind", "HowRun", "LogEntry", "event_of", "log", "log_entry", "parse_since"]

CommitKind = Literal["add", "iteration", "merge", "purge", "refit", "remove", "reset"]

_AGE = re.compile(r"(\d{1,6}) ?(s|m|min|h|d|w|seconds?|minutes?|hours?|days?|weeks?)( ago)?")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HowRun:
    """How an iteration was run.

    Attributes:
        seed: that every random decision derived from.
        method: of the search; None if that is of a preset that is unknown here.
        generations: how many there were to be.
        done: how many there were: fewer if time ran out.
        children: per generation.
        validations: training cycles per child; None likewise.
    """

    seed: int
    method: str | None
    generations: int
    done: int
    children: int
    validations: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One commit.

    Attributes:
        commit: its id.
        task: whose head it moved.
        event: what it was.
        iteration: task iterations behind the head, this one included.
        model: the retained model's id; None before the first one.
        validation: the model's quality on the validation split.
        test: on the test split.
        gain: of validation quality over the best parent's; None if no parent had a model.
        sampled: children sampled in the iteration.
        kept: of these, those that joined the population.
        discarded: of these, those that did not, by reason.
        run: how the iteration was run; None of what is none.
        improved: whether the iteration found a better model; None of what is none.
        agent: who did it; None for a merge.
        started_at: UTC, ISO 8601.
        finished_at: likewise.
        parents: ids of the commits before it.
        message: one line.
    """

    commit: str
    task: str
    event: CommitKind
    iteration: int
    model: str | None
    validation: float | None
    test: float | None
    gain: float | None
    sampled: int
    kept: int
    discarded: Mapping[str, int] = field(default_factory=dict)
    run: HowRun | None = None
    improved: bool | None = None
    agent: Agent | None
    started_at: str
    finished_at: str
    parents: tuple[str, ...]
    message: str


def log(
    repo: Repository, task: str | None = None, *, since: datetime | None = None, limit: int | None = None
) -> Iterator[LogEntry]:
    """Yields the commits of all tasks, or of one, newest first; a commit always comes before its parents.

    Args:
        repo: the repository.
        task: only this task; removed ones too.
        since: nothing that finished earlier.
        limit: at most so many.

    Raises:
        NotFoundError: there is no such task.
    """
    states = repo.refs.heads().values() if task is None else (task_head(repo, task),)
    heads = tuple(state.commit for state in states)
    earliest = since.astimezone(UTC).isoformat(timespec="microseconds") if since is not None else ""
    return _entries(repo, heads, earliest, limit)


def parse_since(text: str, now: datetime) -> datetime:
    """Returns the moment a user means.

    Args:
        text: an ISO date or time, UTC if it names no zone, or an age such as ``2d`` or ``3 hours ago``.
        now: the time, with its zone.

    Raises:
        InvalidInputError: it is neither.
    """
    match = _AGE.fullmatch(text.strip().lower())
    try:
        if match:
            return now - timedelta(**{_UNITS[match[2][0]]: int(match[1])})
        moment = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError) as exc:
        raise InvalidInputError(
            f"Not a time: {text!r}.", hint="Examples: 2026-03-01, 2026-03-01T12:30, 2d, '3 hours ago'"
        ) from exc
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def log_entry(repo: Repository, oid: str) -> LogEntry:
    """Returns one commit as the log tells it."""
    history = History(repo)
    return _entry(history, history.past(oid))


def event_of(commit: Commit | Past) -> CommitKind:
    """Returns what a commit did."""
    if commit.reset_to is not None:
        return "reset"
    if commit.removed:
        return "remove" if commit.parents else "purge"
    if commit.is_merge:
        return "merge"
    if commit.refit_of is not None:
        return "refit"
    return "add" if commit.snapshot is None else "iteration"


def _entries(repo: Repository, heads: tuple[str, ...], earliest: str, limit: int | None) -> Iterator[LogEntry]:
    history = History(repo)
    queue = [_Newest(history.past(oid)) for oid in set(heads)]
    heapq.heapify(queue)
    seen = set(heads)
    count = 0
    while queue and (limit is None or count < limit):
        past = heapq.heappop(queue).past
        for parent in past.parents:
            if parent not in seen:
                seen.add(parent)
                heapq.heappush(queue, _Newest(history.past(parent)))
        if past.finished_at >= earliest:
            count += 1
            yield _entry(history, past)
    history.keep()


@dataclass(frozen=True, slots=True)
class _Newest:
    """A commit in the queue, sorted by the time it finished, then by id, newest first."""

    past: Past

    def __lt__(self, other: _Newest) -> bool:
        return (self.past.finished_at, self.past.oid) > (other.past.finished_at, other.past.oid)


def _entry(history: History, past: Past) -> LogEntry:
    return LogEntry(
        commit=past.oid,
        task=past.task,
        event=event_of(past),
        iteration=past.iteration,
        model=past.model,
        validation=past.quality,
        test=past.test_quality,
        gain=_gain(history, past),
        sampled=past.sampled,
        kept=past.kept,
        discarded=past.discarded,
        run=None if past.how is None else _how_run(past.how),
        improved=past.improved,
        agent=past.agent,
        started_at=past.started_at,
        finished_at=past.finished_at,
        parents=past.parents,
        message=past.message,
    )


def _how_run(how: How) -> HowRun:
    """Returns the same with what the preset says where the commit says nothing else."""
    own = PRESETS[how.preset].training if how.preset in PRESETS else None
    method, validations = (None, None) if own is None else (own.method, own.validations)
    return HowRun(
        seed=how.seed,
        method=method if how.method is None else how.method,
        generations=how.generations,
        done=how.done,
        children=how.children,
        validations=validations if how.validations is None else how.validations,
    )


def _gain(history: History, past: Past) -> float | None:
    before = [quality for parent in past.parents if (quality := history.past(parent).quality) is not None]
    if past.quality is None or not before:
        return None
    return past.quality - max(before)
