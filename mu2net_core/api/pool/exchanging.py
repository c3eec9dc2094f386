"""What the pool of a cluster does itself while agents work: it exchanges with the remote where they meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Event as Flag
from threading import Thread

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.keeping_up import KeepingUp
from mu2net_core.api.evolving.pushing import Pusher
from mu2net_core.api.quiet import ignore
from mu2net_core.errors import Mu2netError
from mu2net_core.repo import Repository
from mu2net_core.repo.core import DATA

__all__ = ["Exchanging"]

_LOOK_S, _PATIENCE_S = 5.0, 5.0


@dataclass(slots=True, kw_only=True)
class Exchanging(AbstractContextManager["Exchanging"]):
    """Sends tasks that are added later to the agents, and brings here what these find, inside a ``with`` block.

    A thread does it, so that nobody waits for a remote; at the end of the block it is left to itself after a few
    seconds.

    Attributes:
        repo: of the pool.
        context: of this process, warned of what goes wrong.
        tasks: that agents share; None for all there are, and those to come.
    """

    repo: Repository
    context: Context
    tasks: Sequence[str] | None
    _over: Flag = field(default_factory=Flag)
    _data: Mapping[str, object] = field(init=False)
    _keep_up: KeepingUp = field(init=False)
    _thread: Thread = field(init=False)

    def __post_init__(self) -> None:
        context = replace(self.context, is_stopping=self._over.is_set)
        pusher = Pusher.to_default(self.repo, context, ignore, kept=1)
        send = partial(pusher.push_rest, self.tasks, new=True)
        self._data, self._keep_up = self._data_now(), KeepingUp(self.repo, context, pusher.remote, send)
        self._thread = Thread(target=self._run, name="mu2net-exchange", daemon=True)

    def step(self) -> None:
        """Exchanges, if it is time to; what goes wrong is tried again."""
        with suppress(Mu2netError):
            self.repo.read_settings()
        with suppress(Mu2netError):  # the disk: all else is told
            self._keep_up()

    def has_news(self) -> bool:
        """Returns whether it is said of more tasks where their data lies than when this was asked before."""
        before, self._data = self._data, self._data_now()
        return before != self._data

    def __enter__(self) -> Exchanging:
        """Begins."""
        self._thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        """Ends."""
        self._over.set()
        self._thread.join(_PATIENCE_S)

    def _run(self) -> None:
        while not self._over.wait(_LOOK_S):
            self.step()

    def _data_now(self) -> Mapping[str, object]:
        return {key: value for key, value in self.repo.config.settings.items() if key.startswith(DATA)}
