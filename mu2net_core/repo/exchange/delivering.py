"""Getting to a remote what a ref will need, before the ref is made; noticing in time that the remote has changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar

from mu2net_core.repo.core import is_current
from mu2net_core.repo.exchange.fetching import Clock
from mu2net_core.repo.exchange.push_plan import Planner
from mu2net_core.repo.exchange.transfer import freshen, restore_missing, send
from mu2net_core.repo.history import load_rules
from mu2net_core.repo.remotes import Closure, Counter, Node, Tracking, bring_components, write_tracking

__all__ = ["Delivery", "RemoteChangedError"]

_LONG = timedelta(days=1)
"""How long objects may wait for a ref before they are looked at again: far shorter than gc leaves them alone."""

_T = TypeVar("_T")


class RemoteChangedError(Exception):
    """The remote is in another epoch than when the push began, or lacks what was taken to be there."""


@dataclass(slots=True, kw_only=True)
class Delivery:
    """What of a push is on its way.

    Attributes:
        planner: knows the remote, and what of it is known.
        counter: of objects.
        clock: tells the time.
        epoch: of the remote when it was looked at, if that is not to be kept in mind; None if it is.
    """

    planner: Planner
    counter: Counter
    clock: Clock = lambda: None
    epoch: str | None = None
    _resuming: bool = field(init=False)
    _cut_off: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._resuming = self.planner.tracking.unfinished

    def establish(self, closures: Sequence[Closure], what: str, move: Callable[[], _T]) -> _T:
        """Sends objects, all of which are here, then creates the refs that need them by ``move``; returns its result.

        When this returns all of them are there, however long it took: a collection of garbage may have come between.
        """
        began = self.clock()
        refreshed = self._deliver(closures, what)
        self._renew(closures, began)
        moved = move()
        restore_missing(self.planner.repo.objects, self.planner.remote, refreshed)
        self._renew(closures, began)
        return moved

    def _renew(self, closures: Sequence[Closure], began: datetime | None) -> None:
        """Writes again what is old or gone of objects that were sent, if they have waited for a ref for long."""
        now = self.clock()
        if began is None or now is None or abs(now - began) < _LONG:
            return
        sent = list(dict.fromkeys(_nodes(closures)))
        freshen(self.planner.repo.objects, self.planner.remote, sent, sent[-1]) if sent else ()

    def finish(self) -> None:
        """Notes that all was sent that can be."""
        if self.planner.tracking.unfinished and not self._cut_off:
            self.note(replace(self.planner.tracking, unfinished=False))

    def cut_short(self) -> None:
        """Notes that of what was planned not all was sent: components that arrived are not sent again."""
        self._cut_off = self._resuming = True
        self.planner.forget_plans()

    def bring(self, closure: Closure) -> bool:
        """Brings components that are only on another remote; returns whether there were any.

        That may take long: what is narrowed here meanwhile counts.
        """
        missing = [ref for ref in closure.components if not self.planner.repo.objects.has("component", ref.id)]
        bring_components(self.planner.repo, missing, counter=Counter())
        if missing:
            self.planner.rules = dict(load_rules(self.planner.repo))
        return bool(missing)

    def _deliver(self, closures: Sequence[Closure], what: str) -> tuple[Node, ...]:
        """Sends objects; when this returns, a ref may be created that needs them.

        Returns:
            those that were there, and so old that they were written again.
        """
        objects = self.planner.repo.objects
        if any(True for _ in _nodes(closures)) and not self.planner.tracking.unfinished:
            self.note(replace(self.planner.tracking, unfinished=True))
        found = send(
            objects,
            self.planner.remote,
            closures,
            self.planner.rules,
            what=what,
            counter=self.counter,
            resuming=self._resuming,
        )
        for closure in closures:
            self.planner.knowledge.sent(closure)
        sent: list[Node] = [node for closure in closures for node, _ in closure.manifests]
        newest = next((node for node in sent if node not in found), [*found, *sent][-1] if found else None)
        refreshed = freshen(objects, self.planner.remote, found, newest) if newest else ()
        self._confirm()
        return refreshed

    def _confirm(self) -> None:
        """Makes sure that nothing was purged that a ref about to be made relies on, if a while has passed.

        Raises:
            RemoteChangedError: something may have been; what was sent is referred to by nothing.
        """
        now, epoch = self.clock(), self.epoch or self.planner.tracking.epoch
        if now is None or epoch is None or self.planner.tracking.is_fresh(now):
            return
        self.look()
        if epoch == self.planner.tracking.epoch:
            self.planner.tracking = self.planner.tracking.checked(epoch, now)

    def look(self) -> None:
        """Raises RemoteChangedError if something may have been purged; one question, whatever the time."""
        epoch = self.epoch or self.planner.tracking.epoch
        if epoch is not None and not is_current(self.planner.remote.store, epoch):
            self.note(self.planner.tracking.checked(epoch, None).listed(self.planner.tracking.num_files, None))
            raise RemoteChangedError

    def note(self, tracking: Tracking) -> None:
        """Takes over and stores what is known of the remote now."""
        self.planner.tracking = tracking
        write_tracking(self.planner.repo.state, self.planner.remote.remote.name, tracking)


def _nodes(closures: Iterable[Closure]) -> Iterator[Node]:
    """Yields all that closures send, manifests last."""
    for closure in closures:
        yield from (("component", ref.id) for ref in closure.components)
        yield from (node for node, _ in closure.manifests)
