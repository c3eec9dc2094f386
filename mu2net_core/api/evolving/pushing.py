"""Sharing while evolving: each task is pushed when an iteration of it is over."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from mu2net_core.api.context import Context
from mu2net_core.api.failures import Failure
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.quiet import ignore
from mu2net_core.api.sharing.push import default_remote, push
from mu2net_core.errors import Mu2netError, NotFoundError, StorageError
from mu2net_core.events import Event, IterationFinished, TaskPushed
from mu2net_core.repo import Repository
from mu2net_core.repo.history import contains, load_rules
from mu2net_core.repo.remotes import Exchange, Sender, find_remote, read_tracking

__all__ = ["Pushed", "Pusher", "is_pushed"]

_NOTHING_NEW = frozenset({"up-to-date", "unchanged"})


def is_pushed(repo: Repository, asked: EvolveOptions) -> bool:
    """Returns whether tasks are pushed: where that was asked for, or where it watches and there is a remote."""
    return asked.watch and bool(repo.config.remotes) if asked.push is None else asked.push


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What became of the push of one task.

    Attributes:
        task: whose iteration was over.
        remote: where it was to go.
        exchange: what was exchanged; None if it did not come to that.
        error: why it did not; None if it did.
    """

    task: str
    remote: str
    exchange: Exchange | None = None
    error: Failure | None = None

    def events(self) -> Iterator[TaskPushed]:
        """Yields what is told of it: of each task to which anything happened."""
        if self.error is not None:
            yield TaskPushed(task=self.task, remote=self.remote, outcome="failed", reason=self.error.message)
        for one in () if self.exchange is None else self.exchange.tasks:
            if one.outcome not in _NOTHING_NEW:
                yield TaskPushed(
                    task=one.task, remote=self.remote, outcome=one.outcome, commit=one.commit, reason=one.reason
                )


@dataclass(slots=True)
class Pusher:
    """Pushes each task whose iteration is over; a push that fails stops nothing, and is warned of once for each task.

    Attributes:
        repo: whose tasks.
        context: of this process, warned of pushes that fail.
        remote: the name of the remote.
        on_push: told what became of each push.
        on_event: told the same, task by task.
        pushed: the same, in order; the last ones if so many are not kept.
    """

    repo: Repository
    context: Context
    remote: str
    on_push: Callable[[Pushed], None]
    on_event: Callable[[Event], None] = ignore
    pushed: deque[Pushed] = field(default_factory=deque)
    _in_vain: dict[str, str] = field(default_factory=dict)
    _said: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def to_default(
        cls,
        repo: Repository,
        context: Context,
        on_push: Callable[[Pushed], None],
        on_event: Callable[[Event], None] = ignore,
        *,
        kept: int | None = None,
    ) -> Pusher:
        """Returns one that pushes to ``origin``, or the only remote, and keeps what became of the last ``kept`` pushes.

        Raises:
            NotFoundError: there is no remote.
            InvalidInputError: there are several, and none is ``origin``.
        """
        if not repo.config.remotes:
            raise NotFoundError(
                "There is no remote to push to.", hint=f"Add one: {context.program} remote add origin FOLDER"
            )
        return cls(repo, context, default_remote(repo), on_push, on_event, deque(maxlen=kept))

    def after(self, on_event: Callable[[Event], None]) -> Callable[[Event], None]:
        """Returns ``on_event`` that also pushes a task whose iteration is over."""

        def on_event_and_push(event: Event) -> None:
            on_event(event)
            if isinstance(event, IterationFinished):
                self.push(event.task)

        return on_event_and_push

    def push(self, task: str) -> None:
        """Pushes a task whose iteration is over."""
        pushed = self._push(task)
        self.pushed.append(pushed)
        self.on_push(pushed)
        for event in pushed.events():
            self.on_event(event)

    def push_rest(self, tasks: Sequence[str] | None = None, *, new: bool = False) -> None:
        """Pushes those of ``tasks`` of which the remote lacks iterations: their push failed, or its process was killed.

        What cannot be joined there, or is not taken, is not sent again before its head moves.

        Args:
            tasks: names; None for all there are.
            new: whether tasks without an iteration are pushed, too.
        """
        for task, commit in tuple(self._unsent(tasks, new=new)):
            self.push(task)
            pushed = self.pushed[-1]
            if pushed.error is not None and pushed.error.kind == StorageError.kind:
                return  # which the next one would meet as well
            self._in_vain[task] = commit

    def _unsent(self, tasks: Sequence[str] | None, *, new: bool) -> Iterator[tuple[str, str]]:
        """Yields tasks with work that the remote lacks as far as is known here, and where their heads are."""
        remote = find_remote(self.repo.config, self.remote)
        there = read_tracking(self.repo.state, remote).heads
        sender = Sender(self.repo, remote, load_rules(self.repo))
        for task in self.repo.refs.tasks() if tasks is None else tasks:
            head, seen = self.repo.refs.head(task), there.get(task)
            if head is None or (seen is not None and seen.commit == head.commit):
                continue
            commit = self.repo.objects.commit(head.commit)
            if commit.removed or not (commit.iteration or new) or self._in_vain.get(task) == head.commit:
                continue
            is_behind = seen is not None and contains(self.repo.objects, seen.commit, head.commit)
            if not is_behind and sender.may_send(commit) and not sender.purged_there(head.commit):
                yield task, head.commit

    def _push(self, task: str) -> Pushed:
        try:
            exchange = push(self.repo, self.context, self.remote, (task,))
        except Mu2netError as exc:
            if exc.kind not in self._said.setdefault(task, set()):  # every iteration else says so again, for days
                self._said[task].add(exc.kind)
                self.context.warn(f"{task} is not pushed: {exc.message}")
            return Pushed(task=task, remote=self.remote, error=Failure.of(exc))
        self._said.pop(task, None)
        return Pushed(task=task, remote=self.remote, exchange=exchange)
