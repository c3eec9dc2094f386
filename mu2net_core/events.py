"""What an agent says while it works: frozen values, in order, for progress displays and logs."""

from __future__ import annotations

from dataclasses import dataclass

from mu2net_core.objects import ChildOutcome, Mutation

__all__ = [
    "AgentWaiting",
    "CandidatesProbed",
    "ChildFinished",
    "ChildReport",
    "Compiled",
    "Compiling",
    "CycleFinished",
    "Event",
    "GenerationFinished",
    "GenerationStarted",
    "Happening",
    "IterationDropped",
    "IterationFinished",
    "IterationStarted",
    "IterationsQueued",
    "Probe",
    "RefitStarted",
    "RefitStepsFinished",
    "Schedule",
    "Spent",
    "StepsFinished",
    "TaskPushed",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """What all events have in common.

    Attributes:
        agent: the name of the agent that says it.
    """

    agent: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How each child of an iteration is trained.

    Attributes:
        examples: that there are to train on.
        batch: examples in each gradient step.
        steps: gradient steps in a cycle.
        cycles: of training, each followed by a validation.
    """

    examples: int
    batch: int
    steps: int
    cycles: int

    @property
    def total_steps(self) -> int:
        """Gradient steps of a child."""
        return self.steps * self.cycles


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationsQueued(Happening):
    """Iterations that were interrupted go first: what is to come, in order.

    Attributes:
        unfinished: tasks whose iteration goes on.
        then: tasks of which an iteration begins after that; a task is named as often as it has one.
    """

    unfinished: tuple[str, ...]
    then: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationDropped(Happening):
    """An unfinished iteration begins anew, as was asked for: its ``generations`` that were over are gone."""

    task: str
    iteration: int
    generations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationStarted(Happening):
    """A task iteration begins, or resumes at ``resumed_generation`` (0 when it begins)."""

    task: str
    iteration: int
    generations: int
    children: int
    resumed_generation: int
    seed: int
    schedule: Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What a linear probe on the layers of a model of ``task``, None for a root, reaches on the new task's examples."""

    model: str
    task: str | None
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidatesProbed(Happening):
    """Before the first generation of a new task, models that it may begin from were tried on some of its examples."""

    task: str
    iteration: int
    found: tuple[Probe, ...]
    wall_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationStarted(Happening):
    """A generation's children have been sampled."""

    task: str
    iteration: int
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepsFinished(Happening):
    """A child is a tenth of a training cycle further, or more if so many steps are one dispatch; not told at its end.

    ``steps`` are those of the cycle that are done, and ``loss`` is the mean over the examples of the last dispatch.
    """

    task: str
    iteration: int
    generation: int
    child: int
    cycle: int
    steps: int
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleFinished(Happening):
    """A child has been trained for one cycle more and validated; ``quality`` is None if a loss was not finite."""

    task: str
    iteration: int
    generation: int
    child: int
    cycle: int
    quality: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildFinished(Happening):
    """A child has been trained; ``score`` and ``quality`` are its best, None if a loss was not finite.

    ``best_score`` and ``best_quality`` are those of the best of the population so far, this child included; None while
    there is no member.
    """

    task: str
    iteration: int
    generation: int
    child: int
    outcome: ChildOutcome
    score: float | None
    quality: float | None
    best_score: float | None
    best_quality: float | None
    wall_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildReport:
    """What one child of a generation was, and what became of it.

    Attributes:
        child: its number in the generation.
        parent: the model it was mutated from.
        parent_task: that model's task; None for a root.
        mutations: everything that was changed.
        curve: its validation qualities, cycle by cycle.
        outcome: kept, or why it was discarded.
        score: its best; None if it diverged.
        model: its id if it was kept.
    """

    child: int
    parent: str
    parent_task: str | None
    mutations: tuple[Mutation, ...]
    curve: tuple[float, ...]
    outcome: ChildOutcome
    score: float | None
    model: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Where the time of a generation went, as seen by the thread that trains.

    Attributes:
        compile_s: waiting for a program to be compiled.
        train_s: gradient steps, and what frozen layers make of the examples.
        validate_s: validations.
        wait_s: waiting for examples, or for what was trained to be stored.
        examples: trained on.
        examples_per_s: of the time in ``train_s``.
        device_bytes: memory in use on the device at most, since the process began; None where it does not tell.
    """

    compile_s: float
    train_s: float
    validate_s: float
    wait_s: float
    examples: int
    examples_per_s: float
    device_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationFinished(Happening):
    """A generation is over and its state is safe on disk.

    ``kept`` and ``discarded`` count the children of the iteration so far; ``wall_s`` is this generation's time, of
    which ``spent`` says where it went, and ``eta_s`` what the remaining ones, and a refit, should take. ``children``
    are this generation's.
    """

    task: str
    iteration: int
    generation: int
    best_score: float | None
    best_quality: float | None
    kept: int
    discarded: int
    wall_s: float
    eta_s: float
    children: tuple[ChildReport, ...]
    spent: Spent


@dataclass(frozen=True, slots=True, kw_only=True)
class RefitStarted(Happening):
    """An iteration's best model is trained once more, on validation examples, too.

    Attributes:
        task: of the iteration.
        iteration: its number.
        examples: of the training and the validation split together.
        steps: gradient steps that it takes.
    """

    task: str
    iteration: int
    examples: int
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefitStepsFinished(Happening):
    """A refit is further: so many gradient ``steps`` of those that ``RefitStarted`` told of are done."""

    task: str
    iteration: int
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IterationFinished(Happening):
    """The best model is retained and the head has moved.

    Attributes:
        task: of the iteration.
        iteration: its number.
        generations: how many there were to be.
        done: how many there were: fewer if time ran out.
        validation: quality of the best model, in [0, 1].
        test: likewise on the test split.
        improved: whether it is better than the one there was.
        only_class: the one class that a new model says of every test example; None if it says several.
        at_chance: whether a new model is, on the test split and by the task's metric, no better than always saying one
            class.
        schedule: how each child was trained.
        commit_id: where the head stands.
        model_id: of the best model.
        wall_s: how long it took.
    """

    task: str
    iteration: int
    generations: int
    done: int
    validation: float
    test: float
    improved: bool
    only_class: str | None
    at_chance: bool
    schedule: Schedule
    commit_id: str
    model_id: str
    wall_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiling(Happening):
    """The training waits for a program to be compiled; ``Compiled`` of the same name follows."""

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compiled(Happening):
    """A program was compiled, or found in the persistent cache."""

    what: str
    wall_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentWaiting(Happening):
    """There is nothing to do now: every task is good enough, or another agent is at it. Others are looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPushed(Happening):
    """What became of a task at the remote that finished iterations are pushed to.

    Attributes:
        task: its name.
        remote: the name of the remote.
        outcome: as ``push`` reports it; ``failed`` if it did not come to that.
        commit: where the head stands there now; None if nothing was sent.
        reason: why it was not sent, or failed; None if all is well.
    """

    task: str
    remote: str
    outcome: str
    commit: str | None = None
    reason: str | None = None


Event = (
    AgentWaiting
    | IterationsQueued
    | IterationDropped
    | IterationStarted
    | CandidatesProbed
    | GenerationStarted
    | StepsFinished
    | CycleFinished
    | ChildFinished
    | GenerationFinished
    | RefitStarted
    | RefitStepsFinished
    | IterationFinished
    | Compiling
    | Compiled
    | TaskPushed
)
