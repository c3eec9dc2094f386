"""One bench for all tests of the engine, so that no program is compiled twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.machine.runtime import prepare_jax
from mu2net_core.engine.blueprint import Blueprint, draw_blueprint
from mu2net_core.engine.child import DEAF, Job, Listener, Trained, Trainer
from mu2net_core.engine.feeding import TaskData
from mu2net_core.engine.pool import ComponentPool
from mu2net_core.engine.programs import Programs
from mu2net_core.engine.slots import Room, Slot, SlotRow
from mu2net_core.nn import ArchitectureFamily, InputSpec
from mu2net_core.objectives import Classify
from mu2net_core.objects import Hyperparameter, Mutation, System
from mu2net_core.search import ChildPlan, Member, Merging
from mu2net_core.testing.building.dense import DenseFamily
from mu2net_core.testing.building.systems import SystemBuilder
from mu2net_core.testing.building.workbench import BENCH_PRESET, Workbench


@pytest.fixture(scope="session")
def bench(cache_dir: Path) -> Workbench:
    """Returns a bench whose programs are compiled once per machine."""
    environ = {"MU2NET_CACHE_DIR": str(cache_dir)}
    prepare_jax(Context(now=lambda: datetime.now(UTC), host="test", environ=environ, user_config=None, cwd=cache_dir))
    return Workbench()


@pytest.fixture
def system(bench: Workbench) -> System:
    """Returns a system of a root and of the task a, which has no model yet."""
    return SystemBuilder().root(bench.root()).task("a").build()


@pytest.fixture(scope="session")
def plan_of() -> Callable[..., ChildPlan]:
    """Returns what makes plans by hand: ``plan_of(parent, clones=..., learning_rate=...)``."""

    def make(
        parent: Member,
        clones: tuple[str, ...] = (),
        seed: int = 1,
        merges: Mapping[str, Merging] | None = None,
        **changed: Hyperparameter,
    ) -> ChildPlan:
        return ChildPlan(
            parent=parent,
            clones=frozenset(clones),
            hyperparameters={**BENCH_PRESET.space.defaults, **parent.model.hyperparameters, **changed},
            mutation_rates={},
            mutations=tuple(Mutation(name=f"merge:{name}", after=one.weight) for name, one in (merges or {}).items()),
            seed=seed,
            merges=merges or {},
        )

    return make


@dataclass(slots=True)
class ScriptedPrograms(Programs):
    """Programs that train nothing, and whose cycles come out as written.

    A cycle is (loss, validation examples right), and how sure the model is of what it says, 1 if that is left out.
    Children that are trained together have a list of losses, and all else in common.
    """

    script: list[tuple[Any, ...]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)

    def train(self, shape, state, own, chunk, *, objective):  # type: ignore[override]
        host = [[{name: np.array(array) for name, array in layer.items()} for layer in row] for row in state[:2]]
        self.calls.append({"specs": shape.specs, "state": host, "own": own, "chunk": chunk})
        row, momentum, done = state
        return (row, momentum, done + chunk.steps), jnp.asarray(self._now[0], "float32")

    def train_ahead(self, executor, shape, state, own, chunk, *, objective, is_next):  # type: ignore[override]
        """Compiles nothing."""

    def activations(self, specs, row, inputs, **others):  # type: ignore[override]
        place = np.arange(inputs.shape[0])
        said = (place + (place >= self._now[1])) % 3  # the classes of coloured images take turns
        sure = self._now[2] if len(self._now) > 2 else 1.0
        logits = np.float32(sure) * np.eye(3, dtype=np.float32)[said]
        return np.stack([logits] * len(self._now[0])) if others.get("together") else logits

    @property
    def _now(self) -> tuple[Any, ...]:
        return self.script[(len(self.calls) - 1) % len(self.script)]


@pytest.fixture(scope="session")
def scripted() -> Callable[..., ScriptedPrograms]:
    """Returns what makes programs from a script: ``scripted((0.5, 20), (0.4, 25))``."""

    def make(*script: tuple[Any, ...]) -> ScriptedPrograms:
        return ScriptedPrograms(family=DenseFamily(), script=list(script))

    return make


TAKEN, PLAIN = InputSpec.image(2), Room()


def _blueprint_of(
    plan: ChildPlan, boundary: int | None = None, room: Room = PLAIN, family: ArchitectureFamily | None = None
) -> Blueprint:
    """Returns how a child of the task a is built; what lies below ``boundary`` is frozen, if one is given."""
    drawn = draw_blueprint(
        plan,
        task="a",
        num_outputs=3,
        family=family or DenseFamily(),
        ancestors=[plan.parent.model],
        usable=lambda _ref: True,
        room=room,
    )
    if boundary is None:
        return drawn
    slots = tuple(Slot(spec=layer.spec, layer=layer) for layer in drawn.layers)[boundary:]
    return replace(drawn, frozen=drawn.layers[:boundary], row=SlotRow.plain(slots))


def _job_of(
    plan: ChildPlan,
    *,
    boundary: int | None = None,
    floor: float = 0.0,
    room: Room = PLAIN,
    family: ArchitectureFamily | None = None,
) -> Job:
    """Returns what is to be trained; a validation below ``floor`` is not worth keeping."""
    return Job(
        blueprint=_blueprint_of(plan, boundary, room, family),
        hyperparameters=plan.hyperparameters,
        seed=plan.seed,
        worth_keeping=lambda quality: quality >= floor,
    )


def _train(
    bench: Workbench,
    *plans: ChildPlan,
    programs: Programs | None = None,
    data: TaskData | None = None,
    pool: ComponentPool | None = None,
    boundary: int | None = None,
    floor: float = 0.0,
    seed: int = 3,
    room: Room = PLAIN,
    listener: Listener = DEAF,
    **config: Any,
) -> list[Trained]:
    """Returns children trained together, with what is not given as the bench has it; ``config`` of the training."""
    trainer = Trainer(
        data=(data or bench.data()).at(TAKEN),
        pool=pool or bench.workshop().pool,
        programs=programs or bench.programs,
        config=replace(BENCH_PRESET.training, **config),
        objective=Classify(),
    )
    family = trainer.programs.family
    jobs = [_job_of(plan, boundary=boundary, floor=floor, room=room, family=family) for plan in plans]
    return trainer.train(jobs, seed=seed, listener=listener)


def _train_one(bench: Workbench, plan: ChildPlan, **options: Any) -> Trained:
    """Returns a child that was trained alone."""
    (child,) = _train(bench, plan, **options)
    return child


@pytest.fixture(scope="session")
def blueprint_of() -> Callable[..., Blueprint]:
    """Returns what says how a child is built: ``blueprint_of(plan, boundary, room)``."""
    return _blueprint_of


@pytest.fixture(scope="session")
def job_of() -> Callable[..., Job]:
    """Returns what says what is to be trained: ``job_of(plan, floor=...)``."""
    return _job_of


@pytest.fixture(scope="session")
def train() -> Callable[..., list[Trained]]:
    """Returns what trains children together: ``train(bench, *plans, validations=...)``."""
    return _train


@pytest.fixture(scope="session")
def train_one() -> Callable[..., Trained]:
    """Returns what trains a child alone: ``train_one(bench, plan, validations=...)``."""
    return _train_one
