"""A stage on which things go wrong as planned, and on which all that must be true at any moment is checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from mu2net_core.errors import Mu2netError
from mu2net_core.repo import open_repository
from mu2net_core.repo.checking import fsck
from mu2net_core.testing.servers.interception import Crash, Plan, Trigger, stepping_in
from mu2net_core.testing.worlds.invariants import head_log, object_file, purged
from mu2net_core.testing.worlds.stage import RULES, Stage, is_shared, is_usual

__all__ = ["World"]


@dataclass(slots=True)
class World(Stage):
    """Working copies and a remote on which random schedules are played, and what must hold there."""

    def run(
        self,
        number: int,
        command: Callable[[], object],
        plan: Plan | None = None,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> Mu2netError | None:
        """Runs a command while things go wrong as planned; after a crash, checks and runs it again.

        Returns:
            the error it ended with, or None.
        """
        own = plan is not None and plan.where == "own"
        trigger = Trigger(plan=plan, root=self.path(number) if own else self.remote, meanwhile=meanwhile)
        try:
            with stepping_in(trigger):
                command()
        except Crash:
            self.check_with_fsck()
            return self.run(number, command)
        except Mu2netError as exc:
            return exc
        return None

    def converge(self) -> None:
        """Lets everybody exchange everything, and asserts that all heads that are shared are the same then."""
        for number in (*range(self.clones), *range(self.clones)):
            for command in (self.pull, self.push):
                error = self.run(number, partial(command, number))
                if error is not None and not is_usual(error):
                    raise error
        torn = {task for repo in self.repositories() for task in purged(repo).through}  # some keep what others purged
        logs = {task: head_log(self.remote, task) for task in RULES if is_shared(task) and task not in torn}
        for task, log in logs.items():
            for number in range(self.clones) if log else ():
                head = head_log(self.path(number), task)[-1]
                assert head == log[-1], f"{number} has {head} as head of {task}, the remote {log[-1]}"

    def check(self) -> None:
        """Asserts all that must be true at any moment."""
        for repo in self.repositories():
            lazy = repo != self.remote and any(r.partial for r in open_repository(repo).config.remotes.values())
            self.inspector.check(repo, elsewhere=self.remote if lazy else None)
        self._check_moves()
        self._check_privacy()
        back = [node for node in self.gone if object_file(self.remote, *node).is_file()]
        assert not back, f"what was purged came back: {back}"

    def check_with_fsck(self) -> None:
        """Asserts that the product's own check finds nothing either."""
        taken = {f"component/{oid}" for kind, oid in purged(self.remote).nodes if kind == "component"}
        for repo in self.repositories():
            problems = [found for found in fsck(open_repository(repo)).problems if found.object not in taken]
            assert problems == [], f"fsck of {repo}: {problems}"

    def _check_moves(self) -> None:
        """Asserts that every move that a command reported is in its head's log exactly once."""
        for task, commits in self.sent.items():
            log = Counter(head_log(self.remote, task))
            assert all(log[commit] == 1 for commit in commits), f"a pushed move of {task} is not in the remote's log"
        for (number, task), commits in self.moved.items():
            log = Counter(head_log(self.path(number), task))
            assert all(log[commit] == 1 for commit in commits), f"a move of {task} is not in the log of {number}"

    def _check_privacy(self) -> None:
        """Asserts that nothing is on the remote that the group that reads it may not read."""
        for kind in ("component", "task", "commit", "model"):
            for file in (self.remote / "objects" / kind).rglob("*.*"):
                oid = file.parent.name + file.name.partition(".")[0]
                if kind == "component":
                    bad = [task for task in self.taught.get(oid, ()) if not is_shared(task)]
                    assert not bad, f"the component {oid} trained by {bad} is on the remote"
                else:
                    text = file.read_text()
                    bad = [task for task in RULES if not is_shared(task) and f'"{task}"' in text]
                    assert not bad, f"the {kind} {oid} on the remote names {bad}"
