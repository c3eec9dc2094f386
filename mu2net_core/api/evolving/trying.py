"""What training costs on this machine: some steps of two children, in folders that are deleted again.

The first one waits for programs, files and memory that no other waits for, so the second one is timed, for more steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.agent import AgentSpec
from mu2net_core.api.evolving.parents import ParentCheck
from mu2net_core.api.evolving.runner import Runner
from mu2net_core.api.iterations.workspace import Workspace
from mu2net_core.engine import IterationState, run_iteration
from mu2net_core.events import Event, GenerationFinished, Spent
from mu2net_core.objects import Head, System
from mu2net_core.presets import Preset
from mu2net_core.repo import Repository

__all__ = ["Tried", "try_preset"]

_FIRST_STEPS, _STEPS = 8, 24
_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What one child of a task cost.

    Attributes:
        compile_s: waiting for programs, the first time here.
        step_s: a gradient step, with the examples for it, and what a child waits for beside them.
        validate_s: validating once on one example.
        memory_bytes: in use on the device at most; a CPU's is this process's; None where nobody knows.
        parents: says which models children of the preset can come from.
    """

    compile_s: float
    step_s: float
    validate_s: float
    memory_bytes: int | None
    parents: ParentCheck


def try_preset(
    repo: Repository,
    context: Context,
    preset: Preset,
    head: Head,
    system: System,
    batch: int,
    on_event: Callable[[Event], None],
) -> Tried:
    """Returns what a few steps of a child of a task cost; nothing of it is kept.

    Args:
        repo: whose task.
        context: of this process.
        preset: that serves the task.
        head: of the task.
        system: as it stands.
        batch: examples in each step of a real child.
        on_event: told of everything that happens.

    Raises:
        Mu2netError: the task cannot be trained.
    """
    spent, name = list[Spent](), head.task.name

    def listen(event: Event) -> None:
        if isinstance(event, GenerationFinished):
            spent.append(event.spent)
        on_event(event)

    runner = Runner.of(repo, context, AgentSpec(tasks=(name,)), _brief(preset, batch, _FIRST_STEPS), listen)
    _train(runner, head, system, listen)
    _train(replace(runner, preset=_brief(preset, batch, _STEPS)), head, system, listen)
    first, cost = spent
    examples = min(head.task.splits["validation"].num_examples, preset.training.validation_cap)
    return Tried(
        compile_s=first.compile_s + cost.compile_s,
        step_s=(cost.train_s + cost.wait_s) / _STEPS,
        validate_s=cost.validate_s / examples,
        memory_bytes=cost.device_bytes,
        parents=runner.parents,
    )


def _brief(preset: Preset, batch: int, steps: int) -> Preset:
    """Returns a preset by which an iteration is one child of so many steps."""
    short = replace(preset.training, generations=1, children=1, validations=1, probes=0)
    return replace(preset, training=replace(short, batch_size=batch, samples_cap=steps * batch, min_steps=steps))


def _train(runner: Runner, head: Head, system: System, on_event: Callable[[Event], None]) -> None:
    name = head.task.name
    usable = runner.parents.of(system, name)
    with TemporaryDirectory(prefix="mu2net-plan-") as folder:
        workspace = Workspace.at(runner.repo, Path(folder))
        state = IterationState(
            task=name,
            task_id=head.commit.task_id,
            base=head.commit_id,
            snapshot="",
            iteration=head.commit.iteration + 1,
            seed=_SEED,
            generations=1,
            children=1,
            search=runner.begin(usable, name, head.commit_id, workspace),
            started_at=runner.context.timestamp(),
        )
        run_iteration(
            state,
            runner.workshop(head, workspace),
            system=lambda _generation: usable,
            record=lambda _system: "",
            checkpoint=lambda _state: None,
            on_event=on_event,
        )
