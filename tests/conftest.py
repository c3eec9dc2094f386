"""What every test may use: a world that is always the same, and object-store servers.

The servers start with the first test that asks for one and are killed after the last. Where one is not installed its
tests are skipped, or fail if MU2NET_TEST_SERVERS is "required"; ``mu2net_core/testing/servers`` says where it is
sought.

What is compiled is kept for all processes of a run, and for the runs after it. What tests write lies in memory where
there is a file system for that, and is deleted when a test has passed: a run makes 170,000 files, most of them durable.
"""

from __future__ import annotations

import gc
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from functools import cache, wraps
from pathlib import Path
from threading import Lock
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, settings

from mu2net_core.api.context import Context
from mu2net_core.repo.probing import place_probe, races
from mu2net_core.testing.servers.ceph import ceph
from mu2net_core.testing.servers.servers import Bucket, MissingServerError, Server, azurite, gcs_emulator, moto

# The same examples in every run, so that a change is judged by what it changed; new ones with the long tests. How long
# one takes says something of the machine, and nothing of what is tested.
settings.register_profile(
    "same",
    derandomize=os.environ.get("MU2NET_TEST_PROFILE") != "nightly",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("same")


MEMORY, ROOM = Path("/dev/shm"), 4 * 2**30
"""Where tests write if so many bytes are free there."""
LONGEST = ("tests/benchmarks/test_bench.py", "tests/test_product.py", "tests/test_crash.py", "tests/test_writers.py")
"""Tests of 10 to 50 s each, most of it in processes of their own."""
OF_ARRAYS, MOST_KEPT = ("weak_type", "sharding"), 128
"""What of arrays beside shape and type decides a program, and how many of these are kept."""
ALL_RACES = (place_probe, "_ROUNDS", place_probe._ROUNDS), (races, "_WRITERS", races._WRITERS)
"""How places are probed by whoever shares through them: how often, and by how many writers at once."""


def pytest_configure(config: pytest.Config) -> None:
    """Says where tests write, and where programs are kept that they compile, or processes that they start.

    Python keeps what it compiles, too: hundreds of processes would each compile all of the product.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
    if not config.pluginmanager.hasplugin("cacheprovider"):
        return
    cache: dict[str, str | float] = {
        "jax_compilation_cache_dir": str(config.cache.mkdir("mu2net") / "xla"),
        "jax_persistent_cache_min_compile_time_secs": 0.0,
        "jax_persistent_cache_min_entry_size_bytes": -1,
    }
    os.environ.update({name.upper(): str(value) for name, value in cache.items()})
    if "jax" in sys.modules:  # it read the environment when it was imported, by the conftest of some folder
        for name, value in cache.items():
            sys.modules["jax"].config.update(name, value)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begins with the longest tests, so that no worker is left alone with one at the end."""
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST))


def pytest_collection_finish() -> None:
    """Looks for garbage more seldom: each time it would go through all that was imported."""
    gc.set_threshold(100_000, 50, 100)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    """Forgets what a test wrote to fsspec's memory, which goes through all of it for each question."""
    if (memory := sys.modules.get("fsspec.implementations.memory")) is not None:
        memory.MemoryFileSystem.store.clear()
        memory.MemoryFileSystem.pseudo_dirs[:] = [""]


def pytest_xdist_auto_num_workers() -> int:
    """Returns how many processes run the tests: one more than there are cores, as each waits at times for a disk."""
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) + 1


@pytest.fixture(autouse=True, scope="session")
def _kept_programs() -> Iterator[None]:
    """Makes a program once for all repositories of this process, and tells each of them that it was compiled.

    What a program is says its function with all that is compiled in, its arguments' shapes, how JAX is set, and which
    compiler makes it: so it is the one that would be made again.
    """
    import jax  # some workers have no test that needs it before
    from jax._src.config import trace_context  # there is no public way to ask for all that a program depends on

    from mu2net_core.engine import cache as programs

    lower, kept, lock = programs._lower, dict[Any, programs.Lowered](), Lock()

    @wraps(lower)
    def lowered(program: programs.Program, args: Any) -> programs.Lowered:
        leaves, tree = jax.tree.flatten(args)
        function = [getattr(program.function, name, program.function) for name in ("__func__", "__self__")]
        shapes = [(leaf.shape, leaf.dtype, *(getattr(leaf, name, None) for name in OF_ARRAYS)) for leaf in leaves]
        compiler = jax.config.read("jax_disable_most_optimizations"), jax.config.jax_compilation_cache_dir
        key = (*function, *program.static.items(), program.donate, tree, *shapes, trace_context(), *compiler)
        with lock:
            made = kept.pop(key, None)
        made = made or lower(program, args)  # it keeps what was compiled of it
        with lock:
            kept[key] = made
            while len(kept) > MOST_KEPT:
                del kept[next(iter(kept))]  # what was not asked for for longest
        return made

    small = mock.patch.object(programs, "give_back_freed", return_value=None)  # of so little, looking takes longer
    with mock.patch.object(programs, "_lower", lowered), small:
        yield


@pytest.fixture(scope="session", autouse=True)
def _short_races() -> Iterator[None]:
    """Lets two writers race once where a place is probed on the way to something else, instead of many several times.

    Tests of the races themselves ask for ``all_races``.
    """
    with mock.patch.object(place_probe, "_ROUNDS", 1), mock.patch.object(races, "_WRITERS", 2):
        yield


@pytest.fixture
def all_races(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes places as everybody does."""
    for module, name, number in ALL_RACES:
        monkeypatch.setattr(module, name, number)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Returns a context with a fixed clock, an empty environment and no user settings."""
    return Context(
        now=lambda: datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        host="test-host",
        environ={},
        user_config=None,
        cwd=tmp_path,
    )


def _serve(run: Callable[[], AbstractContextManager[Server]]) -> Iterator[Server]:
    try:
        with run() as server:
            yield server
    except MissingServerError as exc:
        if os.environ.get("MU2NET_TEST_SERVERS") == "required":
            pytest.fail(f"server not installed: {exc}")
        pytest.skip(f"server not installed: {exc}")


def _bucket(server: Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    for name in [name for name in os.environ if name.startswith(("AWS_", "AZURE_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    return server.new_bucket()


@pytest.fixture(scope="session")
def _light_clients() -> Iterator[None]:
    """Lets all S3 clients share what botocore knows of S3: each new one would read that anew, for 0.2 s.

    And they read no certificates of authorities that they or this machine name, of which servers that speak plain HTTP
    need none.
    """
    import botocore.session  # most tests need none of it

    everybodys = {True, os.environ.get("AWS_CA_BUNDLE")}
    with (
        mock.patch("botocore.session.create_loader", cache(botocore.session.create_loader)),
        mock.patch("aiobotocore.httpsession.get_cert_path", lambda given: None if given in everybodys else given),
    ):
        yield


@pytest.fixture(scope="session")
def s3_server(_light_clients: None) -> Iterator[Server]:
    """Returns a running Ceph gateway: the real S3 server of the tests."""
    yield from _serve(ceph)


@pytest.fixture(scope="session")
def moto_server(_light_clients: None) -> Iterator[Server]:
    """Returns a running moto: an S3 emulator with AWS's own words."""
    yield from _serve(moto)


@pytest.fixture(scope="session")
def azure_server() -> Iterator[Server]:
    """Returns a running Azurite."""
    yield from _serve(azurite)


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[Server]:
    """Returns a running gcp-storage-emulator, which lets the second of two creators overwrite."""
    yield from _serve(gcs_emulator)


@pytest.fixture
def s3_bucket(s3_server: Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """Returns an empty bucket of Ceph, its credentials in the environment."""
    return _bucket(s3_server, monkeypatch)


@pytest.fixture
def moto_bucket(moto_server: Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """Returns an empty bucket of moto, its credentials in the environment."""
    return _bucket(moto_server, monkeypatch)


@pytest.fixture
def azure_bucket(azure_server: Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """Returns an empty container of Azurite, its credentials in the environment."""
    return _bucket(azure_server, monkeypatch)


@pytest.fixture
def gcs_bucket(gcs_server: Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """Returns an empty bucket of the Google emulator."""
    return _bucket(gcs_server, monkeypatch)
