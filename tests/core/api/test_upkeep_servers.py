"""gc, purge, fsck and repair on object stores."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.purge import purge
from mu2net_core.api.sharing.push import push
from mu2net_core.api.upkeep.fsck import fsck
from mu2net_core.api.upkeep.gc import gc
from mu2net_core.repo import ObjectDatabase, Repository, load_system, open_repository
from mu2net_core.storage import open_store
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_task
from mu2net_core.testing.servers.servers import Bucket

LONG_AGO = timedelta(seconds=-600)  # so that what was written a moment ago is old enough, whatever the server's clock


@pytest.fixture(params=["s3_bucket", "azure_bucket"])
def bucket(request: pytest.FixtureRequest) -> Bucket:
    """Returns an empty bucket of a server."""
    found: Bucket = request.getfixturevalue(request.param)
    return found


def test_a_bucket_is_checked_healed_collected_and_purged(repo: Repository, bucket: Bucket, context: Context) -> None:
    for task in ("a", "b"):
        add_sample_task(repo, task)
        evolve_sample(repo, task, score=0.5, seed=ord(task))
    remote.add(repo, context, "origin", bucket.url, options=bucket.options)
    push(repo, context)
    store = open_store(bucket.url, bucket.options)
    assert fsck(repo, context, remote="origin").problems == ()

    component = next(store.list("objects/component"))
    good = store.read(component)
    store.refresh(component, b"x" + good[1:])
    entry = next(store.list("refs/heads/a"))
    log = store.read(entry)
    store.refresh(entry, b"{")
    assert len(fsck(repo, context, remote="origin").problems) == 2
    healed = fsck(repo, context, remote="origin", repair_from=str(repo.worktree))
    assert (healed.problems, len(healed.repaired)) == ((), 2)
    assert (store.read(component), store.read(entry)) == (good, log)

    oid = ObjectDatabase(store).put(sample_task("lost"))
    assert gc(repo, context, remote="origin", dry_run=False).num_young == 1
    assert gc(repo, context, remote="origin", grace=LONG_AGO, dry_run=False).kinds == {"task": 1}
    assert not ObjectDatabase(store).has("task", oid)

    model = load_system(repo).heads["a"].model
    arrays = repo.objects.component(model.component("head").id).params["kernel"].tobytes()
    before = b"".join(store.read(key) for key in store.list(""))
    assert arrays in before
    clone_of = clone(bucket.url, "bob", context, options=bucket.options)
    report = purge(repo, context, "a", remote="origin", settle=lambda: None)
    assert report.num_objects > 0
    left = b"".join(store.read(key) for key in store.list(""))
    assert (arrays in left, b"/data/a.npz" in left, b"/data/b.npz" in left) == (False, False, True)
    assert fsck(repo, context, remote="origin").problems == ()
    later = replace(context, now=lambda: context.now() + timedelta(minutes=5))
    bob = open_repository(clone_of.worktree)
    evolve_sample(bob, "a", score=0.9, seed=9)
    assert {r.task: r.outcome for r in push(bob, later).tasks}["a"] == "skipped"
    follows = replace(later, environ={**later.environ, "MU2NET_PULL_FOLLOW_PURGES": "true"})
    assert {r.task: r.outcome for r in pull(repo, follows).tasks}["a"] == "removed"
    assert arrays not in b"".join(store.read(key) for key in store.list(""))
