"""Large repositories with tiny components, made fast: many tasks, each with many iterations behind it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from mu2net_core.errors import AlreadyExistsError
from mu2net_core.objects import Agent, Children, Commit, Snapshot
from mu2net_core.repo import HeadState, ObjectDatabase, Refs, Repository
from mu2net_core.repo.core import shorten
from mu2net_core.storage import LocalStore
from mu2net_core.testing.building.samples import LAYERS, add_sample_task, sample_child, sample_repository

__all__ = ["make_large_repository"]

_FROM_OTHERS = 0.3
_TRAINS_BLOCK = 0.3
_AGENTS = 4
_START = datetime(2026, 1, 1, tzinfo=UTC)


class _UnsyncedStore(LocalStore):
    """A folder for one writer that forces nothing to the disk: for files that can be made again."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._folders: set[Path] = set()

    def create(self, key: str, data: bytes) -> bool:
        """Creates ``key`` unless it exists."""
        path = self._path(key)
        if path.parent not in self._folders:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._folders.add(path.parent)
        try:
            with path.open("xb") as file:
                file.write(data)
        except FileExistsError:
            if path.read_bytes() != data:
                raise AlreadyExistsError(f"{key} exists with other content.") from None
            return False
        return True


def make_large_repository(folder: Path, *, num_tasks: int, num_iterations: int, bare: bool = True) -> Repository:
    """Makes a repository of public tasks that took turns: one model per task and iteration, in seconds.

    A model comes from its task's last one or, three times in ten, from another task's, and shares with it the
    components it does not train. Four agents take part.

    Args:
        folder: new or empty.
        num_tasks: called ``group-00/task-0000`` and so on, a hundred to a group.
        num_iterations: of each task.
        bare: whether the folder itself is the repository.
    """
    repo = sample_repository(folder, bare=bare)
    _grow_system(repo, [f"group-{n // 100:02d}/task-{n:04d}" for n in range(num_tasks)], num_iterations)
    return repo


def _grow_system(repo: Repository, tasks: list[str], num_iterations: int, *, seed: int = 0) -> None:
    """Adds ``tasks`` to a repository that has no other and evolves each so often; nothing is forced to the disk."""
    store = _UnsyncedStore(repo.path)
    repo.store, repo.objects, repo.refs = store, ObjectDatabase(store), Refs(store)
    states = {task: add_sample_task(repo, task) for task in tasks}
    growth = _Growth(repo=repo, states=states, chance=np.random.default_rng(seed))
    for _ in range(num_iterations):
        for place in growth.chance.permutation(len(tasks)):
            growth.evolve(tasks[place])


@dataclass(slots=True, kw_only=True)
class _Growth:
    """A system while it grows.

    Attributes:
        repo: where.
        states: head by task.
        chance: decides who learns from whom.
        models: the newest model by task.
        minute: of the clock.
        roots: root models by name.
        newest: the last snapshot.
    """

    repo: Repository
    states: dict[str, HeadState]
    chance: np.random.Generator
    models: dict[str, str] = field(default_factory=dict)
    minute: int = 0
    roots: dict[str, str] = field(init=False)
    newest: str | None = None

    def __post_init__(self) -> None:
        self.roots = dict(self.repo.refs.roots())

    def evolve(self, task: str) -> None:
        """Retains one more model for ``task``."""
        objects = self.repo.objects
        before = objects.commit(self.states[task].commit)
        parents = self._parents(task)
        number = self.minute + 1
        trains = LAYERS[1:] if self.chance.random() < _TRAINS_BLOCK else LAYERS[2:]
        score = 1 - 0.5 / (before.iteration + 1) - self.chance.random() / 10
        model_id = objects.put(sample_child(self.repo, before, parents[0], score=score, trains=trains, seed=number))
        agent = Agent(id=f"{number % _AGENTS:032x}", host=f"host-{number % _AGENTS}", device="cpu")
        commit = replace(
            before,
            model=model_id,
            parents=(self.states[task].commit,),
            snapshot=self._snapshot(),
            iteration=before.iteration + 1,
            selections=_selected(before, parents, agent.id),
            children=Children(sampled=32, kept=12, discarded={"score": 20}),
            agent=agent,
            started_at=self._time(number - 1),
            finished_at=self._time(number),
            message=f"iteration {before.iteration + 1}: validation {score:.2%}, test {score:.2%}",
        )
        self.states[task] = self.repo.refs.append(task, objects.put(commit), after=self.states[task])
        self.models[task], self.minute = model_id, number

    def _parents(self, task: str) -> tuple[str, ...]:
        """Returns the models that were selected as parents, the winner's first."""
        if not self.models:
            return tuple(self.roots.values())
        known = list(self.models.values())
        others = [known[place] for place in self.chance.integers(len(known), size=3)]
        own = [self.models[task]] if task in self.models else []
        first = others if not own or self.chance.random() < _FROM_OTHERS else own
        return tuple(dict.fromkeys([*first, *others, *own]))

    def _snapshot(self) -> str:
        """Stores what every task sees: all heads, as nothing here is private."""
        heads = {task: state.commit for task, state in self.states.items()}
        whole = Snapshot(heads=heads, roots=self.roots)
        self.newest = self.repo.objects.put(shorten(whole, self.newest, self.repo.objects.stored_snapshot))
        return self.newest

    def _time(self, minute: int) -> str:
        return (_START + timedelta(minutes=minute)).isoformat(timespec="microseconds")


def _selected(before: Commit, parents: tuple[str, ...], agent: str) -> dict[str, dict[str, int]]:
    counts = {model: dict(times) for model, times in before.selections.items()}
    for model in parents:
        counts.setdefault(model, {})[agent] = counts.get(model, {}).get(agent, 0) + 1
    return counts
