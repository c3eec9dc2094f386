"""Keys in a bucket or folder that no repository has: passed over, named by fsck, and printed harmlessly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mu2net_core.errors import CorruptObjectError
from mu2net_core.repo import Remote, Repository
from mu2net_core.repo.checking.fsck_run import examine
from mu2net_core.repo.checking.patient import patient_there
from mu2net_core.repo.exchange.fetching import fetch
from mu2net_core.repo.exchange.pushing import push
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.repo.upkeep.gc import collect
from mu2net_core.repo.upkeep.place import there
from mu2net_core.storage.remote import FsspecStore

NAMES = (
    "\x1b]0;mine\x07",
    "new\nline",
    "\u202eback",
    " ",
    "-rf",
    "CATS",
    "cats.",
    "é",
    "%2e%2e",
    "$(reboot)",
    "a" * 200,
)
PLACES = ("refs/heads", "refs/tags", "refs/roots", "refs/purged", "objects/commit", "objects/component/ab", "probe")


@pytest.fixture(params=["folder", "bucket"])
def medium(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def put_all(origin: Remote, keys: Sequence[str]) -> Iterator[str]:
    """Writes files under any keys at all, as whoever may write there can; yields those that the server takes."""
    store = connect(origin).store
    for key in keys:
        if isinstance(store, FsspecStore):
            root = store._backend.place.root
            try:
                store._backend.put(f"{root}/{key}" if root else key, b"x", exclusive=False)
            except OSError:
                continue
        else:
            path = Path(origin.url, key)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
        yield key


def test_they_stop_nobody_and_are_named(ann: Repository, origin: Remote) -> None:
    keys = [f"{place}/{name}" for place in PLACES for name in NAMES]
    keys += [f"refs/heads/{name}/00000001" for name in NAMES] if not Path(origin.url).exists() else []
    keys = list(put_all(origin, keys))
    assert len(keys) > 60
    assert [report.outcome for report in push(ann, origin).tasks] == ["updated"]
    fetch(ann, connect(origin))
    named = {problem.object for problem in examine(patient_there(connect(origin), ann)).problems}
    assert named == {key for key in keys if not key.startswith("probe/")}
    with pytest.raises(CorruptObjectError, match="is no ref that this version knows"):
        collect(there(connect(origin), ann))
