"""One bench for all tests of the engine, so that no program is compiled twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.machine.runtime import prepare_jax
from mu2net_core.engine.programs import Programs
from mu2net_core.objects import Hyperparameter
from mu2net_core.search import ChildPlan, Member
from mu2net_core.testing.building.dense import DenseFamily
from mu2net_core.testing.building.workbench import BENCH_PRESET, Workbench


@pytest.fixture(scope="session")
def bench(cache_dir: Path) -> Workbench:
    """Returns a bench whose programs are compiled once per machine."""
    environ = {"MU2NET_CACHE_DIR": str(cache_dir)}
    prepare_jax(Context(now=lambda: datetime.now(UTC), host="test", environ=environ, user_config=None, cwd=cache_dir))
    return Workbench()


@pytest.fixture(scope="session")
def plan_of() -> Callable[..., ChildPlan]:
    """Returns what makes plans by hand: ``plan_of(parent, clones=..., learning_rate=...)``."""

    def make(parent: Member, clones: tuple[str, ...] = (), seed: int = 1, **changed: Hyperparameter) -> ChildPlan:
        return ChildPlan(
            parent=parent,
            clones=frozenset(clones),
            hyperparameters={**BENCH_PRESET.space.defaults, **parent.model.hyperparameters, **changed},
            mutation_rates={},
            mutations=(),
            seed=seed,
        )

    return make


@dataclass(slots=True)
class ScriptedPrograms(Programs):
    """Programs that train nothing, and whose cycles come out as written.

    A cycle is (loss, validation examples right), and how sure the model is of what it says, 1 if that is left out.
    """

    script: list[tuple[float, ...]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)

    def train(self, shape, state, own, chunk, *, objective):  # type: ignore[override]
        host = [[{name: np.array(array) for name, array in layer.items()} for layer in row] for row in state[:2]]
        self.calls.append({"specs": shape.specs, "state": host, "own": own, "chunk": chunk})
        row, momentum, done = state
        return (row, momentum, done + chunk.steps), jnp.float32(self._now[0])

    def train_ahead(self, executor, shape, state, own, chunk, *, objective):  # type: ignore[override]
        """Compiles nothing."""

    def activations(self, specs, row, inputs, **others):  # type: ignore[override]
        place = np.arange(inputs.shape[0])
        said = (place + (place >= self._now[1])) % 3  # the classes of coloured images take turns
        sure = self._now[2] if len(self._now) > 2 else 1.0
        return np.float32(sure) * np.eye(3, dtype=np.float32)[said]

    @property
    def _now(self) -> tuple[float, ...]:
        return self.script[(len(self.calls) - 1) % len(self.script)]


@pytest.fixture(scope="session")
def scripted() -> Callable[..., ScriptedPrograms]:
    """Returns what makes programs from a script: ``scripted((0.5, 20), (0.4, 25))``."""

    def make(*script: tuple[float, ...]) -> ScriptedPrograms:
        return ScriptedPrograms(family=DenseFamily(), script=list(script))

    return make
