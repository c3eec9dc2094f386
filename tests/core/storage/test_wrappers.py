from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mu2net_core.errors import NotFoundError, StorageError
from mu2net_core.storage import LocalStore, Store
from mu2net_core.testing.conformance.stores import StoreTests
from mu2net_core.testing.servers.wrappers import FaultyStore, LatencyStore, WrappedStore


class TestWrappedStore(StoreTests):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return WrappedStore(LocalStore(tmp_path))


def test_latency_is_added_to_every_call(tmp_path: Path) -> None:
    waits: list[float] = []
    store = LatencyStore(LocalStore(tmp_path), 0.5, sleep=waits.append)
    store.create("a", b"x")
    store.read("a")
    assert waits == [0.5, 0.5]
    assert store.log == [("create", "a"), ("read", "a")]
    assert store.local_path("a") == tmp_path / "a"


def test_a_fault_before_leaves_nothing_and_after_leaves_all(tmp_path: Path) -> None:
    before = FaultyStore(LocalStore(tmp_path), at=2)
    before.create("a", b"x")
    with pytest.raises(StorageError, match="Fault before create of b"):
        before.create("b", b"x")
    with pytest.raises(NotFoundError):
        before.read("b")
    before.create("b", b"x")
    after = FaultyStore(LocalStore(tmp_path), at=1, when="after")
    with pytest.raises(StorageError, match="Fault after create of c"):
        after.create("c", b"x")
    assert after.read("c") == b"x"


def test_an_exit_is_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from mu2net_core.storage import LocalStore\n"
        "from mu2net_core.testing.servers.wrappers import FaultyStore\n"
        "try: FaultyStore(LocalStore(pathlib.Path(sys.argv[1])), at=1, how='exit').create('a', b'x')\n"
        "finally: print('survived')"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, capture_output=True)
    assert (done.returncode, done.stdout) == (9, b"")
