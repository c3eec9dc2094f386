from __future__ import annotations

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.looking.ancestry import ancestry
from mu2net_core.api.tasks.rm_task import rm_task
from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.objects import object_key, to_json
from mu2net_core.repo import Repository, load_system, open_repository, visible_snapshot
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample


@pytest.fixture
def evolved(repo: Repository) -> Repository:
    add_sample_task(repo, "cats")
    evolve_sample(repo, "cats", score=0.5, trains=("encoderblock_0", "head"))
    add_sample_task(repo, "dogs")
    parent = load_system(repo).heads["cats"].model_id
    evolve_sample(repo, "dogs", score=0.75, parent=parent, trains=("encoderblock_0", "head"), seed=7)
    return repo


def test_every_layer_is_traced_to_the_root(evolved: Repository) -> None:
    found = ancestry(evolved, "dogs")
    root_id = evolved.refs.roots()["tiny"]
    assert (found.task, found.root) == ("dogs", root_id)
    assert [a.task for a in found.ancestors] == ["dogs", "cats", None]
    embedding, block, _ = found.components
    assert [(s.operation, s.model) for s in embedding.steps] == [("root", root_id)]
    assert [(s.operation, s.task, s.added) for s in block.steps] == [
        ("clone", "dogs", {"dogs": 10}),
        ("clone", "cats", {"cats": 10}),
        ("root", None, {}),
    ]
    assert all(line.complete for line in found.components)
    assert found.transfer.by_params == {"cats": 0.5, "dogs": 0.5}
    assert found.transfer.untrained == pytest.approx(1 / 3)
    assert to_json(found)["components"][1]["steps"][0]["added"] == {"dogs": 10}


def test_an_older_model_by_its_place_or_id(evolved: Repository) -> None:
    cats = ancestry(evolved, "cats")
    assert ancestry(evolved, cats.model).components == cats.components
    assert ancestry(evolved, "tiny").task is None


def test_a_missing_manifest_ends_the_line(evolved: Repository) -> None:
    cats = load_system(evolved).heads["cats"].model_id
    assert cats is not None
    (evolved.path / object_key("model", cats)).unlink()
    again = open_repository(evolved.path)
    found = ancestry(again, "dogs")
    assert [a.task for a in found.ancestors] == ["dogs"]
    assert not any(line.complete for line in found.components)


def test_what_has_no_model(evolved: Repository, context: Context) -> None:
    add_sample_task(evolved, "mice")
    with pytest.raises(NotFoundError, match="The task mice has no model yet") as error:
        ancestry(evolved, "mice")
    assert error.value.hint == "Make one: mu2net evolve --task mice"
    rm_task(evolved, context, "cats")
    with pytest.raises(NotFoundError, match="The task cats was removed"):
        ancestry(evolved, "cats")
    assert ancestry(evolved, "cats~1").task == "cats"
    evolved.refs.create_tag("v1", evolved.objects.put(visible_snapshot(load_system(evolved), "dogs")))
    with pytest.raises(InvalidInputError, match="'v1' is a snapshot; expected a task, a commit or a model"):
        ancestry(evolved, "v1")
