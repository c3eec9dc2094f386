from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.looking.ancestry import ancestry
from mu2net_core.api.looking.leaderboard import leaderboard
from mu2net_core.api.looking.log import log
from mu2net_core.api.looking.show import show
from mu2net_core.api.looking.status import status
from mu2net_core.api.looking.tasks import tasks
from mu2net_core.api.models.evaluate import evaluate
from mu2net_core.api.setup.config import set_
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.purge import purge
from mu2net_core.api.sharing.tag import create as tag
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.errors import NotFoundError
from mu2net_core.repo import Repository, load_system, open_repository
from mu2net_core.testing.building.samples import evolve_sample


def all_bytes(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


def no_wait() -> None:
    return None


def fresh(repo: Repository) -> Repository:
    return open_repository(repo.worktree)


def test_everything_that_looks_at_the_system_works_without_it(ann: Repository, context: Context) -> None:
    tag(ann, context, "v1")
    evolve_sample(ann, "b", score=0.7, seed=5)
    purge(ann, context, "a")
    ann = fresh(ann)
    assert [entry.event for entry in log(ann, "a")] == ["purge"]
    assert {entry.task for entry in log(ann)} == {"a", "b", "c"}
    assert [info.name for info in tasks(ann)] == ["b", "c"]
    assert [task.task for task in status(ann, context).tasks] == ["b", "c"]
    assert status(ann, context).remotes[0].relations["a"] == "purged"
    assert [row.task for row in leaderboard(ann).rows] == ["b", "c"]
    assert ancestry(ann, "b")
    assert show(ann, "a").entry.event == "purge"
    assert show(ann, "v1").kind == "snapshot"
    assert fsck(ann, context).problems == ()


@pytest.mark.parametrize("revision", ["a@{1}", "id"])
@pytest.mark.parametrize("look", [show, ancestry, lambda repo, rev: evaluate(repo, Context.default(), rev)])
def test_what_is_gone_is_said_to_be_purged(
    ann: Repository, context: Context, revision: str, look: Callable[..., Any]
) -> None:
    if revision == "id":
        revision = load_system(ann).heads["a"].commit_id[:12]
    purge(ann, context, "a")
    with pytest.raises(NotFoundError, match=r"was purged with the task a\."):
        look(fresh(ann), revision)


def test_a_model_that_learned_from_it_still_tells_its_lineage(ann: Repository, context: Context) -> None:
    a = load_system(ann).heads["a"].commit.model
    evolve_sample(ann, "b", score=0.8, parent=a, trains=("embedding",), seed=8)
    assert purge(ann, context, "a").holders == ("b",)
    assert ancestry(fresh(ann), "b")
    assert fsck(fresh(ann), context).problems == ()


def test_a_dry_run_changes_nothing(ann: Repository, context: Context) -> None:
    before = all_bytes(ann.path)
    assert purge(ann, context, "a", dry_run=True).num_objects == 6
    assert purge(ann, context, "a", remote="origin", dry_run=True).num_objects == 6
    assert all_bytes(ann.path) == before


def test_where_its_data_lies_here_is_forgotten(ann: Repository, context: Context) -> None:
    set_(ann, context, "data.a", "folder:/secret/place")
    purge(ann, context, "a")
    assert b"/secret/place" not in all_bytes(ann.path)


def test_what_an_interrupted_fetch_left_goes_too(ann: Repository, context: Context) -> None:
    left = ann.state / "incoming" / "task-0"
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"npz:/data/a.npz")
    purge(ann, context, "a")
    assert b"/data/a.npz" not in all_bytes(ann.path)


def test_a_remote_keeps_nothing_of_it(ann: Repository, context: Context, tmp_path: Path) -> None:
    model = ann.objects.model(load_system(ann).heads["a"].commit.model)
    arrays = ann.objects.component(model.component("head").id).params["kernel"].tobytes()
    assert arrays in all_bytes(tmp_path / "shared")
    purge(ann, context, "a", remote="origin", settle=no_wait)
    left = all_bytes(tmp_path / "shared")
    assert arrays not in left
    assert b"/data/a.npz" not in left
    assert b"/data/b.npz" in left
    assert fsck(open_repository(tmp_path / "shared"), context).problems == ()
    assert load_system(ann).heads["a"].commit.model is not None
    clone("shared", "carl", context)
    carl = open_repository(tmp_path / "carl")
    assert sorted(load_system(carl).heads) == ["b", "c"]
    assert fsck(carl, context).problems == ()


def test_purged_here_first_and_then_there_is_one_purge(ann: Repository, context: Context, tmp_path: Path) -> None:
    ours = purge(ann, context, "a").commit
    assert purge(fresh(ann), context, "a", remote="origin", settle=no_wait).commit == ours


def test_names_that_are_not_there(ann: Repository, context: Context) -> None:
    with pytest.raises(NotFoundError, match="There is no task 'd'"):
        purge(ann, context, "d")
    with pytest.raises(NotFoundError, match="no task d on the remote origin"):
        purge(ann, context, "d", remote="origin")
    with pytest.raises(NotFoundError, match="no remote nowhere"):
        purge(ann, context, "a", remote="nowhere")
