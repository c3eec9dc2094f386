"""Folders within folders without end where others write: nobody is stopped by them, and fsck names them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mu2net_core.errors import CorruptObjectError
from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.checking.fsck_run import examine
from mu2net_core.repo.checking.patient import patient_there
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.probing.place_probe import probe
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.repo.upkeep.gc import collect
from mu2net_core.repo.upkeep.place import there
from mu2net_core.storage import LocalStore
from mu2net_core.storage.links import DEEPEST

MANY, LONG = ("d", 1100), ("x" * 200, 30)
"""Deeper than calls go, and longer than paths may be."""


@pytest.fixture(params=[MANY, LONG], ids=["many", "long names"])
def dig(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[[Path], None]]:
    """Returns what makes folders in a folder, deeper than can be named or than calls go."""
    name, depth = request.param

    def make(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with monkeypatch.context() as inside:
            inside.chdir(folder)
            for _ in range(depth):
                os.mkdir(name)  # noqa: PTH102
                os.chdir(name)

    yield make
    subprocess.run(["rm", "-rf", *tmp_path.iterdir()], check=True)  # no folder is too deep for it, unlike for Python


@pytest.mark.parametrize(
    ("dig", "place"),
    [
        (MANY, "refs/heads"),
        (LONG, "refs/heads/cats"),
        (LONG, "refs/tags"),
        (MANY, "refs/purged"),
        (LONG, "objects/commit"),
        (MANY, "state"),
        (LONG, "state/corrupt"),
    ],
    indirect=["dig"],
)
def test_they_stop_nobody_and_are_named(
    dig: Callable[[Path], None], place: str, ann: Repository, origin: Remote, tmp_path: Path
) -> None:
    dig(Path(origin.url) / place)
    assert [report.outcome for report in push(ann, origin).tasks] == ["updated"]
    fetch(ann, connect(origin))
    assert probe(connect(origin).store, now=lambda: datetime.now(UTC)).verdict == "safe"
    report = examine(patient_there(connect(origin), ann))
    named = [problem.object for problem in report.problems]
    if place.startswith("state"):
        assert named == []
        collect(there(connect(origin), ann))
        return
    assert len(named) == 1
    assert named[0].startswith(f"{place}/")
    assert named[0].count("/") == DEEPEST
    if place.startswith("refs"):
        with pytest.raises(CorruptObjectError, match=place):
            collect(there(connect(origin), ann))


def test_a_listing_tells_where_it_ends(dig: Callable[[Path], None], tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    store.create("a/b/c", b"x")
    dig(tmp_path / "store" / "a")
    good, deep = sorted(store.list("a"), key=len)
    assert good == "a/b/c"
    assert deep.count("/") == DEEPEST
    assert not store.exists(deep)
