from __future__ import annotations

from mu2net_core.api.context import Context
from mu2net_core.api.looking.tasks import tasks
from mu2net_core.api.sharing.purge import purge
from mu2net_core.api.tasks.rm_task import rm_task
from mu2net_core.objects import to_json
from mu2net_core.repo import Repository
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample


def test_tasks_are_listed_by_name_with_where_they_stand(repo: Repository) -> None:
    add_sample_task(repo, "dogs")
    add_sample_task(repo, "cats")
    evolve_sample(repo, "dogs", score=0.75)
    cats, dogs = tasks(repo)
    assert (cats.name, cats.iterations, cats.model, cats.validation) == ("cats", 0, None, None)
    assert (dogs.name, dogs.iterations, dogs.validation, dogs.test) == ("dogs", 1, 0.75, 0.75)
    assert dogs.num_examples == {"train": 8, "validation": 8, "test": 8}
    assert dogs.splits == {"train": "train", "validation": "validation", "test": "test"}
    assert (dogs.input, dogs.output, dogs.num_outputs, dogs.metric) == ("image", "classes", 2, "accuracy")
    assert (dogs.unknown, dogs.source) == (None, "npz:/data/dogs.npz")
    assert to_json(dogs)["name"] == "dogs"


def test_no_tasks(repo: Repository) -> None:
    assert tasks(repo) == ()


def test_of_a_purged_task_only_its_name_is_told(repo: Repository, context: Context) -> None:
    for task in ("kept", "purged", "removed"):
        add_sample_task(repo, task)
    evolve_sample(repo, "purged", score=0.75)
    purge(repo, context, "purged")
    rm_task(repo, context, "removed")
    assert [info.name for info in tasks(repo)] == ["kept"]
    _, purged, removed = tasks(repo, removed=True)
    assert (purged.name, purged.purged, purged.removed) == ("purged", True, True)
    assert (purged.source, purged.num_outputs, purged.num_examples, purged.model) == ("", 0, {}, None)
    assert (removed.purged, removed.num_outputs) == (False, 2)
