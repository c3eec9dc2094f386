"""Histories nobody honest makes: very long, merges of merges, parents that go in circles. Every walk ends."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from mu2net_core.insight.lineage import ancestors, component_lineages, model_chain
from mu2net_core.objects import Agent, Architecture, Commit, ComponentRef, Model, Task, encode, hash_bytes
from mu2net_core.repo.history.merging import ancestry, contains, frontier, merge
from mu2net_core.repo.remotes.closure import walk
from mu2net_core.testing.building.samples import sample_task

LONG = 50_000
NOW = "2026-01-02T03:04:05.000000+00:00"
SOMEBODY = Agent(id="a", host="h", device="cpu")


@dataclass(slots=True)
class Manifests:
    """Manifests in memory."""

    commits: dict[str, Commit] = field(default_factory=dict)

    def add(self, *parents: str, agent: Agent | None = SOMEBODY, message: str = "") -> str:
        commit = Commit(
            task="a", task_id="1" * 64, parents=parents, agent=agent, started_at=NOW, finished_at=NOW, message=message
        )
        oid = hash_bytes(encode(commit))
        self.commits[oid] = commit
        return oid

    def commit(self, oid: str) -> Commit:
        return self.commits[oid]

    def model(self, oid: str) -> Model:
        raise AssertionError(oid)

    def task(self, oid: str) -> Task:
        return sample_task("a")

    def line(self, length: int) -> tuple[str, str]:
        first = last = self.add()
        for _ in range(length):
            last = self.add(last)
        return first, last


def soon(work: Callable[[], object]) -> None:
    """Runs ``work`` in a thread, which must end before long."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(timeout=240)
    assert not thread.is_alive()


def test_a_history_of_fifty_thousand_commits() -> None:
    manifests = Manifests()
    first, last = manifests.line(LONG)
    side = manifests.add(first, message="side")
    assert sum(1 for _ in ancestry(manifests, [last])) == LONG + 1
    assert contains(manifests, last, first)
    assert frontier(manifests, [last, first]) == (last,)
    assert set(merge(manifests, [last, side])[1].parents) == {last, side}
    found = walk([("commit", last)], lambda node: manifests.commit(node[1]), lambda node: node[0] != "commit")
    assert [node[1] for node, _ in found][:1] == [first]


def test_merges_of_the_same_merges_do_not_double() -> None:
    manifests = Manifests()
    left, right = manifests.add(message="left"), manifests.add(message="right")
    for level in range(80):
        left, right = (manifests.add(left, right, agent=None, message=f"{side}{level}") for side in "lr")
    soon(lambda: frontier(manifests, [left, right]))
    assert len(frontier(manifests, [left, right])) == 2


def model_of(*refs: ComponentRef, parent: str | None) -> Model:
    known = {"task": "a", "task_id": "1" * 64, "root": "2" * 64, "parent": parent} if parent else {}
    return Model(architecture=Architecture(name="vit", config={}), components=refs, hyperparameters={}, **known)  # type: ignore[arg-type]


def ref_of(oid: str, parent: str | None, name: str = "head") -> ComponentRef:
    return ComponentRef(id=oid, name=name, num_params=1, size_bytes=1, trainable=True, operation="clone", parent=parent)


def test_a_line_of_fifty_thousand_models() -> None:
    models = {"0": model_of(ref_of("c0", None), parent=None)}
    for number in range(1, LONG):
        models[str(number)] = model_of(ref_of(f"c{number}", f"c{number - 1}"), parent=str(number - 1))
    chain = model_chain(str(LONG - 1), models.get)
    assert len(ancestors(chain)) == LONG
    (lineage,) = component_lineages(chain, models.get)
    assert (len(lineage.steps), lineage.complete) == (LONG, True)


@pytest.mark.parametrize("parents", [("c0", "c1"), ("c1", "c0"), ("c1", "c1")])
def test_components_that_descend_from_themselves_end(parents: tuple[str, str]) -> None:
    refs = [ref_of(f"c{place}", parent, name=f"layer{place}") for place, parent in enumerate(parents)]
    child = model_of(*refs, parent="root")
    root = replace(model_of(*refs, parent=None))
    chain = (("child", child), ("root", root))
    soon(lambda: component_lineages(chain, dict(chain).get))
    assert all(not lineage.complete for lineage in component_lineages(chain, dict(chain).get))
