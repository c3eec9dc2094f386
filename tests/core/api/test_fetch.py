from __future__ import annotations

from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.sharing.fetch import fetch
from mu2net_core.api.sharing.merge import merge
from mu2net_core.api.sharing.push import push
from mu2net_core.errors import NotFoundError
from mu2net_core.repo import Repository
from mu2net_core.repo.remotes.reports import Progress
from mu2net_core.testing.building.samples import evolve_sample


def test_brings_work_and_leaves_our_heads(ann: Repository, bob: Repository, context: Context, tmp_path: Path) -> None:
    evolve_sample(ann, "a", score=0.9)
    push(ann, context)
    before = bob.refs.head("a")
    seen: list[Progress] = []
    result = fetch(bob, context, progress=seen.append)
    assert {report.task: report.outcome for report in result.tasks} == {
        "a": "updated",
        "b": "up-to-date",
        "c": "up-to-date",
    }
    assert len(seen) == result.num_objects == 3
    assert bob.refs.head("a") == before
    (tmp_path / "shared").rename(tmp_path / "unplugged")
    assert [report.outcome for report in merge(bob, context).tasks] == ["updated", "up-to-date", "up-to-date"]
    theirs, ours = ann.refs.head("a"), bob.refs.head("a")
    assert theirs is not None
    assert ours is not None
    assert ours.commit == theirs.commit


def test_an_unplugged_remote(bob: Repository, context: Context, tmp_path: Path) -> None:
    (tmp_path / "shared").rename(tmp_path / "unplugged")
    with pytest.raises(NotFoundError, match=f"repository that was at {tmp_path}/shared is gone") as info:
        fetch(bob, context)
    assert "is a disk or share not mounted?" in str(info.value.hint)
    assert "If it moved: `mu2net remote add NAME WHERE`" in str(info.value.hint)


def test_an_unknown_remote(bob: Repository, context: Context) -> None:
    with pytest.raises(NotFoundError, match="no remote upstream; known: origin"):
        fetch(bob, context, "upstream")
