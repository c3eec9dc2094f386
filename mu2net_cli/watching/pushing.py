"""``evolve --push``: every iteration that is over is shared, and at the end it is said what became of that."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mu2net_cli.printing.exchange import exit_if_missing, exit_unless_whole, report
from mu2net_core.api.evolving.evolved import EvolveResult, IterationResult
from mu2net_core.api.results import Exchange
from mu2net_core.errors import Mu2netError, NotFoundError
from mu2net_core.events import Event, IterationFinished

if TYPE_CHECKING:
    from mu2net_cli.session import Session
    from mu2net_core.repo import Repository

__all__ = ["Evolved", "Pushed", "Pusher"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What became of one push.

    Attributes:
        task: whose iteration was over.
        exchange: what was exchanged, if it came to that.
        kind: of the error it ended with.
        error: that error's message.
    """

    task: str
    exchange: Exchange | None = None
    kind: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evolved:
    """What one evolution came to, and what became of it on the way.

    Attributes:
        seed: of the iterations that began now.
        iterations: all that were finished, in order.
        not_begun: the tasks whose turn never came, since time was up; each as often as that is so.
        left_out: the tasks that could not be improved, or not as often as asked.
        pushes: what became of every push that ``--push`` asked for.
    """

    seed: int
    iterations: tuple[IterationResult, ...]
    not_begun: tuple[str, ...]
    left_out: tuple[str, ...]
    pushes: tuple[Pushed, ...]

    @classmethod
    def of(cls, result: EvolveResult, pushes: Iterable[Pushed]) -> Evolved:
        """Returns what ``--json`` prints."""
        done = result.iterations
        return cls(
            seed=result.seed,
            iterations=done,
            not_begun=result.not_begun,
            left_out=result.left_out,
            pushes=tuple(pushes),
        )


@dataclass(slots=True)
class Pusher:
    """Pushes each task whose iteration is over; a push that fails stops nothing, and is told at the end.

    Attributes:
        session: of the command line.
        repo: whose tasks.
        remote: the name of the remote.
        pushed: what became of every push.
    """

    session: Session
    repo: Repository
    remote: str
    pushed: list[Pushed] = field(default_factory=list)
    _failed: dict[str, Mu2netError] = field(default_factory=dict)

    @classmethod
    def to_default(cls, session: Session, repo: Repository) -> Pusher:
        """Returns one that pushes to ``origin``, or the only remote.

        Raises:
            NotFoundError: there is no remote.
            InvalidInputError: there are several, and none is ``origin``.
        """
        from mu2net_core.api.sharing.push import default_remote

        if not repo.config.remotes:
            raise NotFoundError(
                "There is no remote to push to.",
                hint=f"Add one: {session.context.program} remote add origin FOLDER",
            )
        return cls(session=session, repo=repo, remote=default_remote(repo))

    def after(self, on_event: Callable[[Event], None]) -> Callable[[Event], None]:
        """Returns ``on_event`` that also pushes a task whose iteration is over."""

        def on_event_and_push(event: Event) -> None:
            on_event(event)
            if isinstance(event, IterationFinished):
                self._push(event.task)

        return on_event_and_push

    def _push(self, task: str) -> None:
        from mu2net_core.api.sharing.push import push

        try:
            exchange = push(self.repo, self.session.context, self.remote, (task,))
        except Mu2netError as exc:
            self._failed[task] = exc
            self.pushed.append(Pushed(task=task, kind=exc.kind, error=exc.message))
            self.session.note(f"warning: {task} is not pushed: {exc.message}")
        else:
            self._failed.pop(task, None)
            self.pushed.append(Pushed(task=task, exchange=exchange))

    def tell(self) -> None:
        """Prints what was sent, merged and skipped, as ``push`` does."""
        for one in self.pushed:
            if one.exchange is not None:
                report(self.session, one.exchange, direction="To", as_json=False)

    def conclude(self, *, as_json: bool) -> None:
        """Ends with the error of a push that failed and was not made up for, if there is one."""
        for one in self.pushed:
            if one.exchange is not None:
                exit_unless_whole(self.session, one.exchange)
                exit_if_missing(self.session, one.exchange, as_json=as_json)
        if not self._failed:
            return
        failed = self._failed
        error = next(reversed(failed.values()))
        again = f"{self.session.context.program} push {self.remote} {' '.join(failed)}"
        message = f"Not pushed to {self.remote}: {', '.join(failed)}. {error.message}"
        hint = f"{error.hint.rstrip('.')}. " if error.hint else ""
        raise type(error)(message, hint=f"{hint}The work is safe here; once that is mended: {again}") from error
