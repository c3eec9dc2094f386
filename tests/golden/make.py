"""Makes the golden repository of the current format: ``python tests/golden/make.py FOLDER``.

Once per format version; what was made is committed beside this file and never changed. It has a root, a public task
whose head was merged, a lease on it, a private task, a removed task, a tag, and a component with bfloat16 state.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import ml_dtypes
import numpy as np

from mu2net_core.objects import AccessRule, Agent, Component, ComponentRef, LeaseEntry, Snapshot, Training, encode
from mu2net_core.repo import HeadState, Repository
from mu2net_core.repo.history.merging import merge
from mu2net_core.repo.leases import lease_key
from mu2net_core.storage import replace_file
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository

AGENT = "0123456789abcdef0123456789abcdef"


def make(folder: Path) -> Repository:
    """Returns the golden repository, made in ``folder``."""
    repo = sample_repository(folder, bare=True)
    replace_file(repo.state / "agent", f"{AGENT}\n".encode())
    add_sample_task(repo, "numerals/bangla")
    add_sample_task(repo, "numerals/telugu", AccessRule.only(["numerals/telugu"]))
    removed = add_sample_task(repo, "old")
    evolve_sample(repo, "numerals/telugu", score=0.75)
    first = evolve_sample(repo, "numerals/bangla", score=0.5)
    heads = {task: state.commit for task, state in repo.refs.heads().items()}
    snapshot = Snapshot(heads=heads, roots=repo.refs.roots(), tag="v1", identity=repo.identity)
    repo.refs.create_tag("v1", repo.objects.put(snapshot))
    _merge(repo, first)
    commit = replace(
        repo.objects.commit(removed.commit),
        parents=(removed.commit,),
        identity=None,
        removed=True,
        message="remove old",
    )
    _lease(repo, "numerals/bangla")
    repo.refs.append("old", repo.objects.put(commit), after=removed)
    return repo


def _merge(repo: Repository, base: HeadState) -> None:
    """Joins two moves that both follow ``base``; one has a component with bfloat16 state."""
    before = repo.objects.commit(base.commit)
    tips = []
    for score, agent in ((0.625, "a" * 32), (0.875, "b" * 32)):
        model = repo.objects.model(before.model or "")
        refs = (*model.components[:-1], _head(repo, model.components[-1], score))
        child = replace(model, components=refs, parent=before.model, score=score, quality=score, seed=int(score * 1000))
        counts = {**before.selections, before.model or "": {f"{agent}/1": 1}}
        signed = replace(before.agent, id=agent, slot=1) if before.agent else None
        parents = (base.commit,)
        commit = replace(
            before, model=repo.objects.put(child), parents=parents, selections=counts, agent=signed, iteration=2
        )
        tips.append(repo.objects.put(commit))
    ours = repo.refs.append(base.task, tips[0], after=base)
    merged_id, merged = merge(repo.objects, tips)
    repo.objects.put(merged)
    repo.refs.append(base.task, merged_id, after=ours)


def _lease(repo: Repository, task: str) -> None:
    """Says that an agent works on a task."""
    state = repo.refs.head(task)
    agent = Agent(id=AGENT, host="test", device="cpu", slot=1)
    taken = LeaseEntry(
        agent=agent, session="c" * 32, first=1, ttl_s=60.0, iteration=3, generation=0, score=None, method="random"
    )
    for k, entry in enumerate((taken, replace(taken, generation=1, score=0.5)), start=1):
        repo.store.create(lease_key(task, state.number if state else 1, k), encode(entry))


def _head(repo: Repository, before: ComponentRef, score: float) -> ComponentRef:
    kernel = np.full((4, 2), score, "<f4")
    momentum = np.array([[1.5, -2.0]] * 4, ml_dtypes.bfloat16)
    component = Component(
        name="head",
        config={"num_classes": 2, "scale": 0.5, "bias": False, "init": "zeros"},
        params={"kernel": kernel, "step": np.array(7, "<i8")},
        opt_state={"momentum/kernel": momentum},
        label=repo.objects.component(before.id).label,
    )
    oid, size = repo.objects.put_component(component)
    training = {t: Training(steps=told.steps + 5, examples=told.examples + 40) for t, told in before.training.items()}
    return replace(
        before, id=oid, size_bytes=size, num_params=component.num_params, parent=before.id, training=training
    )


if __name__ == "__main__":
    print(make(Path(sys.argv[1])))
