from __future__ import annotations

import pytest

from mu2net_core.errors import CorruptObjectError, InvalidInputError
from mu2net_core.objects import Commit, Model
from mu2net_core.repo import Repository
from mu2net_core.repo.core.format import decode_formatted
from mu2net_core.repo.remotes.closure import Knowledge, Node, collect, load_manifest, needs, walk
from mu2net_core.repo.remotes.tracking import Tracking
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample
from mu2net_core.testing.worlds.sharing import model_of

NOTHING = Tracking(url="/srv/shared")


def head(repo: Repository, task: str) -> Commit:
    state = repo.refs.head(task)
    assert state is not None
    return repo.objects.commit(state.commit)


def tip(repo: Repository, task: str) -> Node:
    state = repo.refs.head(task)
    assert state is not None
    return ("commit", state.commit)


def noted(repo: Repository, *tasks: str) -> Tracking:
    """Returns what one knows of a remote that is where ``repo`` is now, with these tasks."""
    tracking = NOTHING
    for name, model_id in repo.refs.roots().items():
        tracking = tracking.with_root(name, model_id)
    for task in tasks:
        state = repo.refs.head(task)
        assert state is not None
        tracking = tracking.with_heads([state])
    return tracking


@pytest.fixture
def two_tasks(repo: Repository) -> Repository:
    add_sample_task(repo, "a")
    add_sample_task(repo, "b")
    evolve_sample(repo, "a", score=0.5)
    evolve_sample(repo, "b", score=0.5, parent=model_of(repo, "a"), trains=("embedding",))
    return repo


def test_walk_brings_nothing_before_what_it_needs(two_tasks: Repository) -> None:
    objects = two_tasks.objects
    found = list(walk([tip(two_tasks, "b")], lambda node: load_manifest(objects, node), lambda node: False))
    place = {node: number for number, (node, _) in enumerate(found)}
    assert len(place) == len(found)
    for node, value in found:
        assert all(place[need] < place[node] for need in needs(value))
    assert {kind for kind, _ in place} == {"commit", "model", "snapshot", "task"}
    assert ("model", model_of(two_tasks, "a")) in place


def test_walk_stops_at_what_is_known(two_tasks: Repository) -> None:
    objects = two_tasks.objects
    seen = [
        node
        for node, _ in walk(
            [tip(two_tasks, "b")],
            lambda node: load_manifest(objects, node),
            lambda node: node[0] in {"model", "snapshot"},
        )
    ]
    assert {kind for kind, _ in seen} == {"commit", "task"}


def test_a_remote_without_anything_needs_everything(two_tasks: Repository) -> None:
    closure = collect(two_tasks.objects, [tip(two_tasks, "b")], Knowledge(two_tasks.objects, NOTHING))
    root = two_tasks.objects.model(two_tasks.refs.roots()["tiny"])
    retained = {ref.id for ref in (*two_tasks.objects.model(model_of(two_tasks, "b")).components, *root.components)}
    assert {ref.id for ref in closure.components} == retained
    assert closure.tasks == {"a", "b"}


def test_a_remote_with_the_parents_needs_what_is_new(two_tasks: Repository) -> None:
    closure = collect(two_tasks.objects, [tip(two_tasks, "b")], Knowledge(two_tasks.objects, noted(two_tasks, "a")))
    assert [ref.name for ref in closure.components] == ["embedding"]
    assert sorted(kind for (kind, _), _ in closure.manifests) == ["commit", "commit", "model", "snapshot", "task"]


def test_an_older_model_of_another_task_is_known_too(two_tasks: Repository) -> None:
    old = model_of(two_tasks, "a")
    for score in (0.6, 0.7, 0.8):
        evolve_sample(two_tasks, "a", score=score, trains=("embedding", "encoderblock_0", "head"))
    tracking = noted(two_tasks, "a", "b")
    evolve_sample(two_tasks, "b", score=0.9, parent=old, trains=("encoderblock_0",))
    closure = collect(two_tasks.objects, [tip(two_tasks, "b")], Knowledge(two_tasks.objects, tracking))
    assert [ref.name for ref in closure.components] == ["encoderblock_0"]
    assert sorted(kind for (kind, _), _ in closure.manifests) == ["commit", "model", "snapshot"]


def test_a_manifest_that_was_sent_is_not_a_model_whose_components_are_there(two_tasks: Repository) -> None:
    knowledge = Knowledge(two_tasks.objects, noted(two_tasks))
    closure = collect(two_tasks.objects, [tip(two_tasks, "b")], knowledge)
    knowledge.sent(closure)
    parent = model_of(two_tasks, "a")  # b needs its manifest, and its head and body, but not its embedding
    assert knowledge.has(("model", parent))
    assert not knowledge.retains(parent)
    assert {r.name for r in collect(two_tasks.objects, [tip(two_tasks, "a")], knowledge).components} <= {"embedding"}


def test_a_head_whose_history_is_not_here_says_nothing(two_tasks: Repository) -> None:
    state = two_tasks.refs.head("a")
    assert state is not None
    tracking = noted(two_tasks)
    strange = tracking.with_heads([type(state)(task="a", number=9, entry_hash="0" * 64, commit="f" * 64)])
    knowledge = Knowledge(two_tasks.objects, strange)
    assert not knowledge.has(tip(two_tasks, "a"))


def test_refuses_manifests_that_are_none() -> None:
    with pytest.raises(CorruptObjectError, match="commit abc"):
        decode_formatted(Commit, b"{}", what="commit abc")
    with pytest.raises(InvalidInputError, match="format 7, a future format"):
        decode_formatted(Model, b'{"format":7,"shape":"unheard of"}', what="model abc")
