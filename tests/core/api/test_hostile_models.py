"""Models that somebody pushed and that are not what they say, where models are used."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mu2net_core.api.models.evaluate import evaluate
from mu2net_core.api.models.predict import Predictor
from mu2net_core.errors import CorruptObjectError
from mu2net_core.objects import Commit, Model
from mu2net_core.repo import Repository, load_system
from mu2net_core.testing.building.samples import sample_component

NOW = "2026-01-02T03:04:05.000000+00:00"


def push_evil(repo: Repository, task: str, **changes: Any) -> None:
    """Adds a task whose model is the root with some things changed, as a hostile remote's head would be."""
    head = load_system(repo).heads["digits"]
    (root_id, root), *_ = load_system(repo).roots.items()
    task_id = repo.objects.put(replace(head.task, name=task))
    model: Model = replace(
        root, task=task, task_id=task_id, root=root_id, parent=root_id, quality=1.0, score=1.0, test_quality=1.0,
        **changes,
    )  # fmt: skip
    commit = Commit(
        task=task, task_id=task_id, model=repo.objects.put(model), iteration=1, started_at=NOW, finished_at=NOW
    )
    repo.refs.append(task, repo.objects.put(commit), after=None)


def test_evolve_leaves_out_what_cannot_be_a_parent_and_says_so(planted: Any) -> None:
    repo, warnings = planted.open(), list[str]()
    push_evil(repo, "deep", hyperparameters={"num_layers": 2**40})
    push_evil(repo, "typed", hyperparameters={"mu": "often", "learning_rate": "fast", "num_layers": 1})
    push_evil(repo, "other", architecture=replace(_root(repo).architecture, name="x"))
    world = replace(planted, context=replace(planted.context, warn=warnings.append))
    assert world.evolve(repo, generations=1, children=1).iterations[0].task == "digits"
    told = [warning for warning in warnings if "not used as a parent" in warning]
    assert len(told) == 3
    assert any("deep" in warning and "num_layers" in warning for warning in told)


def _root(repo: Repository) -> Model:
    return next(iter(load_system(repo).roots.values()))


def test_a_model_that_cannot_be_built_is_refused_where_it_is_used(planted: Any) -> None:
    repo = planted.open()
    push_evil(repo, "deep", hyperparameters={"num_layers": 2**40})
    for use in (lambda: evaluate(repo, planted.context, "deep"), lambda: Predictor(repo, planted.context, "deep")):
        with pytest.raises(CorruptObjectError, match="cannot be built: ViT: num_layers"):
            use()
    with pytest.raises(CorruptObjectError, match=r"model of deep (.|\n)*cannot be trained further(.|\n)*mu2net reset"):
        planted.evolve(repo, tasks=["deep"])


def test_other_arrays_than_the_layers_are_refused_where_they_are_used(planted: Any) -> None:
    repo = planted.open()
    oid, size = repo.objects.put_component(sample_component("head", 1))
    root = _root(repo)
    head = replace(root.components[0], id=oid, name="head", size_bytes=size, num_params=970)
    lies = tuple(replace(ref, id=oid, size_bytes=size) for ref in root.components)
    push_evil(repo, "lies", components=(*lies, head))
    with pytest.raises(CorruptObjectError, match=r"\(patch_embedding\): expected .*, found .*width.*4"):
        evaluate(repo, planted.context, "lies")
