"""Bytes that come when one task of a system of 100 is pulled and its model used, against the model's components.

Sizes are those of ViT-Ti/16 with three blocks, the smallest preset meant for real work: with larger models everything
else weighs less.
"""

from __future__ import annotations

from collections.abc import Iterator
from unittest import mock

import numpy as np
from measure import Options, Row

from mu2net_core.objects import Component, Label
from mu2net_core.repo import Remote, Repository, create_repository
from mu2net_core.repo.exchange.adopting import adopt
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.exchange.joining import Policy
from mu2net_core.repo.remotes.prefetch import bring_components
from mu2net_core.repo.remotes.remotes import component_fetcher, connect
from mu2net_core.repo.remotes.reports import Counter
from mu2net_core.repo.remotes.tracking import read_tracking
from mu2net_core.storage import Store, open_store
from mu2net_core.testing.building.samples import SAMPLE_IDENTITY, add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.servers.wrappers import WrappedStore

SIZES = {"embedding": 148_000 + 2 * 445_000, "encoderblock_0": 445_000, "head": 1_930}


class ByteStore(WrappedStore):
    """Counts the bytes that come: of files, and of names that are listed."""

    num_bytes = 0

    def read(self, key: str, *, limit: int | None = None) -> bytes:
        data = super().read(key, limit=limit)
        with self._lock:
            self.num_bytes += len(data)
        return data

    def list(self, prefix: str) -> Iterator[str]:
        keys = list(super().list(prefix))
        self.num_bytes += sum(map(len, keys))
        return iter(keys)


def measure(options: Options) -> list[Row]:
    num_tasks = 4 if options.small else 100
    with mock.patch("os.fsync"):
        make_system(options, num_tasks)
        remote = Remote(name="origin", url=str(options.folder / "shared"), partial=True)
        repo = create_repository(options.folder / "work", preset="vit-ti0", identity=SAMPLE_IDENTITY)
        task = f"task-{num_tasks - 1:03d}"
        moved, path = pull_and_use(repo, remote, task), path_bytes(repo, task)
    return [
        Row(
            case=f"pull one task of {num_tasks}, bytes",
            floor=f"components of its model: {path / 1e6:.2f} MB",
            ours=f"{moved / 1e6:.2f} MB",
            ratio=f"{moved / path:.4f}×",
            bar="≤ 1.02×",
        )
    ]


def make_system(options: Options, num_tasks: int) -> None:
    """Makes a system in which every task begins from the one before it, trains a block, then its head once more."""
    with mock.patch("mu2net_core.testing.building.samples.sample_component", large_component):
        repo = sample_repository(options.folder / "shared", bare=True)
        before = None
        for number in range(num_tasks):
            name = f"task-{number:03d}"
            add_sample_task(repo, name)
            start = before if number % 3 else None
            evolve_sample(repo, name, score=0.5, parent=start, trains=("encoderblock_0", "head"), seed=2 * number)
            state = evolve_sample(repo, name, score=0.6, seed=2 * number + 1)
            before = repo.objects.commit(state.commit).model


def large_component(name: str, seed: int, *, opt_state: bool = True, label: Label | None = None) -> Component:
    params = {"kernel": np.random.default_rng(seed).random(SIZES[name], dtype=np.float32)}
    momentum = {"momentum/kernel": params["kernel"] / 10}
    opt_state_of = momentum if opt_state else {}
    return Component(name=name, config={"width": 192}, params=params, opt_state=opt_state_of, label=label or Label())


def pull_and_use(repo: Repository, remote: Remote, task: str) -> int:
    """Pulls a task into a partial clone and loads its model; returns the bytes that came."""
    stores: list[ByteStore] = []

    def opened(url: str) -> Store:
        stores.append(ByteStore(open_store(url)))
        return stores[-1]

    fetch(repo, connect(remote, open_store=opened), tasks=[task])
    adopt(repo, read_tracking(repo.state, remote), [task], Policy())
    repo.objects.fetch_missing = component_fetcher([remote], open_store=opened)
    bring_components(repo, model_of(repo, task).components, counter=Counter())
    return sum(store.num_bytes for store in stores)


def path_bytes(repo: Repository, task: str) -> int:
    return sum(ref.size_bytes for ref in model_of(repo, task).components)


def model_of(repo: Repository, task: str):
    state = repo.refs.head(task)
    return repo.objects.model(repo.objects.commit(state.commit).model)
