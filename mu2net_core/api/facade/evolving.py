"""The verbs that let a system learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Event as Flag
from typing import TYPE_CHECKING

from mu2net_core.api.facade.base import RepoBase
from mu2net_core.api.quiet import ignore

if TYPE_CHECKING:
    from mu2net_core.api.evolving.evolve import EvolveResult
    from mu2net_core.api.evolving.plan_evolve import EvolvePlan
    from mu2net_core.api.evolving.pushing import Pushed
    from mu2net_core.api.evolving.replay import ReplayReport
    from mu2net_core.events import Event
    from mu2net_core.objects import Hyperparameter

__all__ = ["Evolving"]


class Evolving(RepoBase):
    """Let it learn."""

    def evolve(
        self,
        tasks: Sequence[str] | None = None,
        *,
        iterations: int | None = None,
        generations: int | None = None,
        children: int | None = None,
        validations: int | None = None,
        seed: int | None = None,
        budget_s: float | None = None,
        restart: bool = False,
        until: float | None = None,
        watch: bool = False,
        method: str | None = None,
        scorer: str | None = None,
        preset: str | None = None,
        space: Mapping[str, Sequence[Hyperparameter]] | None = None,
        push: bool | None = None,
        barrier: bool = False,
        leases: bool = True,
        on_event: Callable[[Event], None] = ignore,
        on_push: Callable[[Pushed], None] = ignore,
        stop: Flag | None = None,
    ) -> EvolveResult:
        """Improves tasks by evolution: the main job. What was interrupted goes on after its last finished generation.

        Args:
            tasks: names; all tasks if None, and with ``watch`` those that come later, too.
            iterations: per task; one if None, or without end with ``watch``.
            generations: per iteration; the repository's setting if None.
            children: per generation; likewise.
            validations: training cycles per child; likewise.
            seed: every random decision derives from it; None takes that of an interrupted iteration, or draws one.
            budget_s: no generation is started after so many seconds, but for the first; the iteration at hand then
                ends with the best there is.
            restart: whether interrupted iterations of ``tasks`` begin anew; what they trained is lost.
            until: a task whose model has this score is good enough: its iteration ends, and no other begins.
            watch: whether to go on for ever, each time with the task that promises most; pulls meanwhile.
            method: of the search; the repository's setting if None.
            scorer: of models; likewise.
            preset: of the children, where each task has its own; that of the task if None.
            space: by hyperparameter the values that children can have, in place of those of the settings.
            push: whether each task is pushed, to ``origin`` or the only remote, when an iteration of it is over; a push
                that fails stops nothing: it is a warning, and told in the result. None: with ``watch``, if it can be.
            barrier: whether all tasks go in step: nobody begins an iteration of one before all have finished the one
                before.
            leases: whether tasks are left alone that other agents work on, and whether these are told of one's own: in
                this working copy, and at the remote if there is a push to it.
            on_event: told of everything that happens; ``m.GenerationFinished`` and its like say what.
            on_push: told what became of each push.
            stop: set, from another thread, to end with the generation at hand; the iteration can go on later.

        Raises:
            NotFoundError: no such task, or no remote to push to.
            InvalidInputError: a number or setting that cannot be right.
            SearchError: no task at all, no root, or no child that trained to a finite loss.
            ConflictError: another process evolves the same task in this working copy, or an interrupted iteration
                began otherwise than asked for now.
        """
        from mu2net_core.api.evolving.evolve import evolve
        from mu2net_core.api.iterations.options import EvolveOptions

        options = EvolveOptions(
            iterations=iterations,
            generations=generations,
            children=children,
            validations=validations,
            seed=seed,
            budget_s=budget_s,
            restart=restart,
            until=until,
            watch=watch,
            method=method,
            scorer=scorer,
            preset=preset,
            space=None if space is None else {name: tuple(values) for name, values in space.items()},
            push=push,
            barrier=barrier,
            leases=leases,
        )
        return evolve(self.repository, self.context, tasks, options, on_event=on_event, on_push=on_push, stop=stop)

    def plan_evolve(
        self,
        tasks: Sequence[str] | None = None,
        *,
        iterations: int | None = None,
        generations: int | None = None,
        children: int | None = None,
        validations: int | None = None,
        restart: bool = False,
        preset: str | None = None,
        space: Mapping[str, Sequence[Hyperparameter]] | None = None,
        on_event: Callable[[Event], None] = ignore,
    ) -> EvolvePlan:
        """Returns what ``evolve`` would do, and about what it would cost on this machine; changes nothing.

        Of each preset that serves one of the tasks two children are trained for a few steps, and thrown away.

        Args:
            tasks: names; all tasks if None.
            iterations: per task; one if None.
            generations: per iteration; the repository's setting if None.
            children: per generation; likewise.
            validations: training cycles per child; likewise.
            restart: whether interrupted iterations of ``tasks`` would begin anew.
            preset: of the children, where each task has its own; that of the task if None.
            space: by hyperparameter the values that children could have, in place of those of the settings.
            on_event: told of what happens meanwhile.

        Raises:
            NotFoundError: no such task.
            InvalidInputError: a number or setting that cannot be right.
            SearchError: no task at all, or no root.
            ConflictError: an interrupted iteration cannot go on as asked.
            DataError, CorruptObjectError: nothing can be done for any of the tasks.
        """
        from mu2net_core.api.evolving.plan_evolve import plan_evolve
        from mu2net_core.api.iterations.options import EvolveOptions
        from mu2net_core.api.looking.tasks import tasks as every

        options = EvolveOptions(
            iterations=iterations,
            generations=generations,
            children=children,
            validations=validations,
            restart=restart,
            preset=preset,
            space=None if space is None else {name: tuple(values) for name, values in space.items()},
        )
        names = [info.name for info in every(self.repository)] if tasks is None else tasks
        return plan_evolve(self.repository, self.context, names, options, on_event=on_event)

    def replay(self, revision: str, *, on_event: Callable[[Event], None] = ignore) -> ReplayReport:
        """Does the iteration of a commit again and says whether the same comes out; changes nothing.

        Args:
            revision: a task or commit.
            on_event: told of everything that happens.

        Raises:
            InvalidInputError: the revision is no iteration, or one that does not say how it was run.
            NotFoundError: something that the iteration used is not here, or there is no such revision.
            DataError: the task's examples are missing or are not those of then.
        """
        from mu2net_core.api.evolving.replay import replay

        return replay(self.repository, self.context, revision, on_event=on_event)
