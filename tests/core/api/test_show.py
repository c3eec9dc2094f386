from __future__ import annotations

import pytest

from mu2net_core.api.looking.show import show
from mu2net_core.errors import NotFoundError
from mu2net_core.objects import to_json
from mu2net_core.repo import Repository, load_system, visible_snapshot
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample


@pytest.fixture
def evolved(repo: Repository) -> Repository:
    for name in ("cats", "dogs"):
        add_sample_task(repo, name)
        evolve_sample(repo, name, score=0.5)
    return repo


def test_a_task_name_shows_its_head(evolved: Repository) -> None:
    shown = show(evolved, "cats")
    assert (shown.kind, shown.task) == ("commit", "cats")
    assert shown.entry is not None
    assert shown.entry.validation == 0.5
    assert shown.model is not None
    assert shown.task_object is not None
    assert shown.task_object.output.labels == ("no", "yes")
    assert to_json(shown)["commit"]["message"] == "evolve cats"


def test_a_commit_without_a_model(evolved: Repository) -> None:
    shown = show(evolved, "cats@{1}")
    assert (shown.kind, shown.model) == ("commit", None)


def test_a_model_says_whose_head_it_is(evolved: Repository) -> None:
    model_id = show(evolved, "cats").commit.model  # type: ignore[union-attr]
    assert model_id is not None
    shown = show(evolved, model_id[:12])
    assert (shown.kind, shown.id, shown.task, shown.retained_by) == ("model", model_id, "cats", ("cats",))
    assert show(evolved, "tiny").retained_by == ()


def test_a_component_says_who_uses_it(evolved: Repository) -> None:
    root = evolved.objects.model(show(evolved, "tiny").id)
    shown = show(evolved, root.components[0].id).component
    assert shown is not None
    assert shown.present
    assert (shown.operation, shown.parent, shown.num_params) == ("root", None, 15)
    assert {(use.task, use.layer, use.retained) for use in shown.used_by} == {
        (None, "embedding", True),
        ("cats", "embedding", True),
        ("dogs", "embedding", True),
    }


def test_a_component_nobody_uses(evolved: Repository) -> None:
    oid = evolved.objects.put_bytes("component", b"stray")
    shown = show(evolved, oid).component
    assert shown is not None
    assert (shown.used_by, shown.num_params, shown.present) == ((), None, True)


def test_tasks_and_snapshots_have_ids_too(evolved: Repository) -> None:
    system = load_system(evolved)
    snapshot_id = evolved.objects.put(visible_snapshot(system, "cats"))
    evolved.refs.create_tag("v1", snapshot_id)
    shown = show(evolved, "v1")
    assert (shown.kind, shown.snapshot) == ("snapshot", evolved.objects.snapshot(snapshot_id))
    task_id = system.heads["cats"].commit.task_id
    assert show(evolved, task_id).task_object == system.heads["cats"].task


def test_an_unknown_name_gets_near_ones(evolved: Repository) -> None:
    with pytest.raises(NotFoundError, match="Nothing is called 'cat'") as error:
        show(evolved, "cat")
    assert "cats" in str(error.value.hint)
