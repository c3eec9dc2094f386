"""Sharing while evolving: each task is pushed when an iteration of it is over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mu2net_core.api.context import Context
from mu2net_core.api.failures import Failure
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.sharing.push import default_remote, push
from mu2net_core.errors import Mu2netError, NotFoundError
from mu2net_core.events import Event, IterationFinished
from mu2net_core.repo import Repository
from mu2net_core.repo.remotes import Exchange

__all__ = ["Pushed", "Pusher", "is_pushed"]


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


@dataclass(slots=True)
class Pusher:
    """Pushes each task whose iteration is over; a push that fails stops nothing.

    Attributes:
        repo: whose tasks.
        context: of this process, warned of pushes that fail.
        remote: the name of the remote.
        on_push: told what became of each push.
        pushed: the same, in order.
    """

    repo: Repository
    context: Context
    remote: str
    on_push: Callable[[Pushed], None]
    pushed: list[Pushed] = field(default_factory=list)

    @classmethod
    def to_default(cls, repo: Repository, context: Context, on_push: Callable[[Pushed], None]) -> Pusher:
        """Returns one that pushes to ``origin``, or the only remote.

        Raises:
            NotFoundError: there is no remote.
            InvalidInputError: there are several, and none is ``origin``.
        """
        if not repo.config.remotes:
            raise NotFoundError(
                "There is no remote to push to.", hint=f"Add one: {context.program} remote add origin FOLDER"
            )
        return cls(repo, context, default_remote(repo), on_push)

    def after(self, on_event: Callable[[Event], None]) -> Callable[[Event], None]:
        """Returns ``on_event`` that also pushes a task whose iteration is over."""

        def on_event_and_push(event: Event) -> None:
            on_event(event)
            if isinstance(event, IterationFinished):
                self.push(event.task)

        return on_event_and_push

    def push(self, task: str) -> None:
        """Pushes a task whose iteration is over."""
        self.pushed.append(self._push(task))
        self.on_push(self.pushed[-1])

    def _push(self, task: str) -> Pushed:
        try:
            exchange = push(self.repo, self.context, self.remote, (task,))
        except Mu2netError as exc:
            self.context.warn(f"{task} is not pushed: {exc.message}")
            return Pushed(task=task, remote=self.remote, error=Failure.of(exc))
        return Pushed(task=task, remote=self.remote, exchange=exchange)
