"""What ``cache prune`` believes of a bucket before it deletes the copy that is here."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import md5
from pathlib import Path

import pytest

from mu2net_core.objects import object_key
from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.remotes.component_cache import prune_cache
from mu2net_core.storage import open_store
from mu2net_core.storage.backend import Info
from mu2net_core.storage.memory import MemoryBackend
from mu2net_core.storage.places import parse_place
from mu2net_core.storage.remote import FsspecStore
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository
from mu2net_core.testing.servers.servers import Bucket

DATA = bytes(range(256)) * 1000
RIGHT = md5(DATA, usedforsecurity=False).digest()


@pytest.fixture
def pushed(tmp_path: Path, moto_bucket: Bucket) -> Repository:
    """Returns a working copy that pushed all it has to a bucket, and counts it as cached."""
    repo = sample_repository(tmp_path / "ann")
    remote = Remote(name="origin", url=moto_bucket.url, options=moto_bucket.options)
    repo.update_config(lambda config: config.with_remote(remote))
    add_sample_task(repo, "cats")
    evolve_sample(repo, "cats", score=0.5)
    push(repo, remote)
    return repo


def keys(repo: Repository) -> Sequence[str]:
    return [object_key("component", oid) for oid in repo.objects.ids("component")]


def test_what_a_bucket_has_damaged_stays_here(pushed: Repository, moto_bucket: Bucket) -> None:
    there, (bad, *good) = open_store(moto_bucket.url, moto_bucket.options), keys(pushed)
    data = there.read(bad)
    there.refresh(bad, data[:70] + bytes([data[70] ^ 255]) + data[71:])
    report = prune_cache(pushed, 0)
    assert (report.num_pruned, report.num_unsure) == (len(good), 1)
    assert pushed.store.read(bad) == data
    assert keys(pushed) == [bad]


class Told(MemoryBackend):
    """A bucket that says what it wants of the MD5 of its objects; counts how often one is read."""

    md5: bytes | None = None
    num_reads = 0

    def head(self, path: str) -> Info:
        info = super().head(path)
        return Info(size=info.size, modified=info.modified, md5=self.md5)

    def get(self, path: str, *, start: int = 0, stop: int | None) -> bytes:
        self.num_reads += 1
        return super().get(path, start=start, stop=stop)


@pytest.mark.parametrize(("said", "reads"), [(None, 1), (b"of what is encrypted", 1), (RIGHT, 0)])
def test_an_md5_is_believed_only_where_it_is_right(said: bytes | None, reads: int, tmp_path: Path) -> None:
    backend = Told(parse_place(f"memory://told/{tmp_path.name}"), {})
    store = FsspecStore(backend)
    store.create("a", DATA)
    backend.md5, backend.num_reads = said, 0
    assert store.holds("a", DATA)
    assert backend.num_reads == reads
    assert not store.holds("a", DATA[:-1] + b"x")
