"""One call of ``evolve``: what was asked for, and what all of its iterations share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event as Flag

from mu2net_core.api.claiming.claims import Claims
from mu2net_core.api.context import Context
from mu2net_core.api.evolving.agent import AgentSpec
from mu2net_core.api.evolving.asked import preset_asked
from mu2net_core.api.evolving.pushing import Pusher
from mu2net_core.api.evolving.runner import Runner
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.signing.signing import committer
from mu2net_core.engine import IterationState
from mu2net_core.events import Event
from mu2net_core.objects import Task
from mu2net_core.presets import Preset
from mu2net_core.repo import Repository
from mu2net_core.search import best

__all__ = ["Evolution"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evolution:
    """What an agent was asked for, and what its iterations share.

    Attributes:
        repo: to improve.
        context: of this process.
        agent: that improves it.
        asked: how much is to be done, and how.
        deadline_s: on the monotonic clock; None if there is none.
        stop: set by whoever wants it to end.
        on_event: told of everything that happens.
        pusher: sends what is finished to others; None if nothing is sent.
    """

    repo: Repository
    context: Context
    agent: AgentSpec
    asked: EvolveOptions
    deadline_s: float | None
    stop: Flag
    on_event: Callable[[Event], None]
    pusher: Pusher | None = None
    _runners: dict[str, Runner] = field(default_factory=dict)

    def out_of_time(self) -> bool:
        """Returns whether the time that was given is up."""
        return self.deadline_s is not None and time.monotonic() >= self.deadline_s

    def is_over(self) -> bool:
        """Returns whether nothing new is to be begun."""
        return self.out_of_time() or self.stop.is_set()

    def is_enough(self, state: IterationState) -> bool:
        """Returns whether an iteration ends with the best it has: time is up, or that is as good as was asked for."""
        leader = best(state.population)
        score = None if leader is None else leader.model.score
        is_good = self.asked.until is not None and score is not None and score >= self.asked.until
        return is_good or self.out_of_time()

    def preset(self, task: Task) -> Preset:
        """Returns what the agent works on a task with, all settings in force now."""
        return preset_asked(self.repo, self.context, self.asked, task)

    def claims(self) -> Claims:
        """Returns what takes tasks for the agent, and says so where its work is pushed to."""
        return Claims(
            repo=self.repo,
            context=self.context,
            agent=self.agent.of(committer(self.repo, self.context), "none"),
            remote=None if self.pusher is None else self.pusher.remote,
            is_asked=self.asked.leases,
            method_of=lambda task: self.preset(task).training.method,
        )

    def runner(self, preset: Preset) -> Runner:
        """Returns where iterations of ``preset`` are run: one that was interrupted keeps its own settings."""
        key = repr(preset)
        if key not in self._runners:
            self._runners[key] = Runner.of(self.repo, self.context, self.agent, preset, self.on_event)
        return self._runners[key]
