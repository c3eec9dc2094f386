"""``contributors``: who brought what, in plain columns, task by task and in all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from mu2net_core.api.context import Context
from mu2net_core.api.credits.book import Book
from mu2net_core.api.credits.mailmap import read_mailmap
from mu2net_core.api.credits.people import Identity, People, Person
from mu2net_core.api.credits.tally import Credits, Tally
from mu2net_core.api.looking.log import event_of
from mu2net_core.api.looking.names import task_head
from mu2net_core.api.signing.keys import fingerprint
from mu2net_core.api.signing.trust import trust_of
from mu2net_core.errors import InvalidInputError
from mu2net_core.repo import Repository
from mu2net_core.repo.history import Contribution, Past, load_rules
from mu2net_core.repo.remotes import find_remote, refused_task

__all__ = ["Contributor", "ContributorsReport", "contributors"]

_MAILMAP = ".mailmap"


@dataclass(frozen=True, slots=True, kw_only=True)
class Contributor:
    """Somebody who added tasks or ran iterations.

    Attributes:
        name: from the mailmap or the allowed keys; else the key's fingerprint, or the machine that unsigned commits
            name, of which each working copy is somebody.
        identity: ``signed``: by a key, and an allowed one if keys are given; ``unknown-key``: by another one;
            ``unchecked``: by a key, but the package cryptography is not here; ``unsigned``: as commits say, like
            anybody can; ``bad``: likewise, with a signature that does not fit.
        keys: fingerprints of the keys that signed.
        agents: ids of the working copies, as the commits say.
        total: of all tasks that were asked for.
        tasks: the same of each.
    """

    name: str
    identity: Identity
    keys: tuple[str, ...]
    agents: tuple[str, ...]
    total: Credits
    tasks: Mapping[str, Credits]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContributorsReport:
    """Who brought what.

    Attributes:
        mailmap: the file that names people; None if there is none.
        keys: the file of allowed keys; None if anybody's signature was good enough.
        people: by name.
    """

    mailmap: str | None
    keys: str | None
    people: tuple[Contributor, ...]


def contributors(
    repo: Repository,
    context: Context,
    tasks: Sequence[str] = (),
    *,
    since: datetime | None = None,
    remote: str | None = None,
    keys: Path | None = None,
    mailmap: Path | None = None,
) -> ContributorsReport:
    """Returns who brought what to tasks, to all of them by default, by name.

    Args:
        repo: the repository.
        context: of the call.
        tasks: only what was brought to these; removed ones too.
        since: nothing that finished earlier.
        remote: only tasks that the readers of this remote may see; no other is counted, or named.
        keys: a file of allowed keys, as ssh's ``allowed_signers``; by default what ``pull.require_signed`` names.
        mailmap: what people are called; by default ``.mailmap`` in the folder of the working copy, if it is there.

    Raises:
        NotFoundError: there is no such task, remote or file.
        InvalidInputError: a file cannot be read, or readers of the remote may not see one of ``tasks``.
    """
    heads = _heads(repo, tasks, remote)
    trust = trust_of(repo, context, keys)
    where = repo.worktree / _MAILMAP if mailmap is None else context.cwd / mailmap.expanduser()
    named = read_mailmap(where, is_asked=mailmap is not None)
    people = People(mailmap=named, keys=None if trust is None else trust.keys)
    book = Book.of(repo, context, heads)
    earliest = "" if since is None else since.astimezone(UTC).isoformat(timespec="microseconds")
    ledger = _Ledger(people=people, tasks=frozenset(tasks or heads), earliest=earliest)
    ledger.count(book)
    return ContributorsReport(
        mailmap=None if named.path is None else str(named.path),
        keys=None if people.keys is None else str(people.keys.path),
        people=ledger.rows(),
    )


def _heads(repo: Repository, tasks: Sequence[str], remote: str | None) -> dict[str, str]:
    """Returns the heads that may be told of, by task."""
    asked = {task: task_head(repo, task).commit for task in tasks}
    heads = {task: state.commit for task, state in repo.refs.heads().items()} | asked
    if remote is None:
        return heads
    audience, rules = find_remote(repo.config, remote).audience, load_rules(repo)
    refused = {task: reason for task in heads if (reason := refused_task(task, rules, audience)) is not None}
    for task in tasks:
        if task in refused:
            raise InvalidInputError(f"Readers of {remote} may not see what {task} is: {refused[task]}.")
    return {task: commit for task, commit in heads.items() if task not in refused}


@dataclass(slots=True, kw_only=True)
class _Row:
    """One person while it is counted."""

    keys: set[str] = field(default_factory=set)
    agents: set[str] = field(default_factory=set)
    total: Tally = field(default_factory=Tally)
    tasks: dict[str, Tally] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _Ledger:
    """What is counted, by person.

    Attributes:
        people: tells whose commits are.
        tasks: that count.
        earliest: nothing that finished before it counts.
    """

    people: People
    tasks: frozenset[str]
    earliest: str
    _rows: dict[Person, _Row] = field(default_factory=dict)

    def count(self, book: Book) -> None:
        """Counts all commits that add tasks or are iterations, each once, and what came of them."""
        gaining = book.accepted()
        for oid, past in book.pasts.items():
            if self._counts(past):
                brought = book.brought[oid]
                for tally in self._tallies(past, brought):
                    tally.count(past, brought.gain if oid in gaining else 0.0)
        for maker, task in book.uses():
            if self._counts(maker):
                for tally in self._tallies(maker, book.brought[maker.oid]):
                    tally.users.add(task)

    def rows(self) -> tuple[Contributor, ...]:
        """Returns what was counted, by name."""
        by_name = sorted(self._rows.items(), key=lambda item: (item[0].name.lower(), astuple(item[0])))
        return tuple(
            Contributor(
                name=person.name,
                identity=person.identity,
                keys=tuple(sorted(row.keys)),
                agents=tuple(sorted(row.agents)),
                total=row.total.credits(),
                tasks={task: tally.credits() for task, tally in sorted(row.tasks.items())},
            )
            for person, row in by_name
        )

    def _counts(self, past: Past) -> bool:
        return past.task in self.tasks and past.finished_at >= self.earliest and event_of(past) in {"add", "iteration"}

    def _tallies(self, past: Past, brought: Contribution) -> tuple[Tally, Tally]:
        row = self._rows.setdefault(self.people.of(past.agent, brought), _Row())
        if brought.key is not None and brought.vouched is not False:
            row.keys.add(fingerprint(brought.key))
        if past.agent is not None:
            row.agents.add(past.agent.id)
        return row.total, row.tasks.setdefault(past.task, Tally())
