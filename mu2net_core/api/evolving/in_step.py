"""Tasks in step: nobody begins iteration n of any of them before all have finished n - 1.

Nobody coordinates that: the log of its head tells where a task stands, at the remote if work is pushed there. What
an iteration makes follows from the seed, the task, its number and the heads that all began from, whoever runs it: who
takes over from an agent that is gone makes the same children, and on the same hardware models of the same ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from mu2net_core.api.claiming.claims import Claims
from mu2net_core.api.evolving.turns import Turn, taken
from mu2net_core.errors import NotFoundError
from mu2net_core.repo.history import head_at

__all__ = ["LOOK_PERIOD_S", "InStep"]

LOOK_PERIOD_S = 1.0
"""An agent that waits for others looks so often at what is here."""


@dataclass(slots=True, kw_only=True)
class InStep:
    """Takes, each time, a task that has not finished the iteration that all are at.

    Attributes:
        claims: takes tasks, if nobody is at them.
        tasks: which they are; others are as if they were not there.
        last: the iteration that is the last one.
        slot: of the agent; agents begin to look at different places.
    """

    claims: Claims
    tasks: Sequence[str]
    last: int
    slot: int = 0
    _dropped: set[str] = field(default_factory=set)

    def next(self) -> Turn | None:
        """Returns the next iteration; None if there is none now."""
        step = self._step()
        begins = self._heads(step - 1) if step <= self.last else None
        if begins is None:  # all is done, or what the iteration begins from is not here yet
            return None
        for name in self._undone(step):
            claim = None if name in self._dropped else self.claims.free(name)
            if claim is None:
                continue
            if self._iteration(name) < step:
                return Turn(task=name, claim=partial(taken, claim), begins=begins)
            claim.__exit__(None, None, None)  # somebody finished it meanwhile
        return None

    def drop(self, task: str) -> None:
        """Leaves a task out, unless its iteration is over all the same: one without a model is one, too."""
        if self._iteration(task) < self._step():
            self._dropped.add(task)

    def rest(self, task: str) -> None:
        """Leaves a task out to other agents, as ``drop`` does."""
        self.drop(task)

    def left(self) -> tuple[str, ...]:
        """Returns the tasks that have not finished the last iteration."""
        return tuple(name for name in self.tasks if self._iteration(name) < self.last)

    def is_over(self) -> bool:
        """Returns whether all is done, or all that is not cannot be done here."""
        step = self._step()
        return step > self.last or self._dropped.issuperset(self._undone(step))

    def _step(self) -> int:
        """Returns the iteration that all are at."""
        return min(map(self._iteration, self.tasks)) + 1

    def _undone(self, step: int) -> list[str]:
        place = self.slot % len(self.tasks)
        return [name for name in (*self.tasks[place:], *self.tasks[:place]) if self._iteration(name) < step]

    def _iteration(self, task: str) -> int:
        head = self.claims.repo.refs.head(task)
        return self.last if head is None else self.claims.repo.objects.commit(head.commit).iteration

    def _heads(self, iteration: int) -> dict[str, str] | None:
        """Returns by task the commit that all begin the next iteration from; None while one of them is not here.

        A task that is gone, as others purged it, has none, and keeps nobody waiting.
        """
        repo, heads = self.claims.repo, dict[str, str]()
        for name in (name for name in self.tasks if repo.refs.head(name) is not None):
            try:
                state = head_at(self.claims.log(name), repo.objects, name, iteration)
            except NotFoundError:
                return None
            if state is None:
                return None
            heads[name] = state.commit
        return heads
