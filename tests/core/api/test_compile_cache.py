from __future__ import annotations

import os
import resource
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from jax.experimental.compilation_cache import compilation_cache

from mu2net_core.api.context import Context
from mu2net_core.api.evolving.evolve import evolve
from mu2net_core.api.iterations.options import EvolveOptions
from mu2net_core.api.machine.compile_cache import CompileCache, why_not_writable
from mu2net_core.engine import cache as programs
from mu2net_core.errors import InvalidInputError
from mu2net_core.repo import open_repository


def cache_of(context: Context, **environ: str) -> CompileCache:
    return CompileCache.of(replace(context, environ={"MU2NET_CACHE_DIR": str(context.cwd / "cache"), **environ}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Returns a cache of four programs of 100 bytes, one in a folder; ``b`` was used last though it is old."""
    folder = tmp_path / "cache" / "xla"
    (folder / "gpu").mkdir(parents=True)
    for moment, name in enumerate(("a", "b", "gpu/c", "d"), start=1):
        (folder / name).write_bytes(bytes(100))
        used = 9 if name == "b" else moment
        os.utime(folder / name, (used, moment))
    return folder


def left(folder: Path) -> set[str]:
    return {file.name for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize(
    ("bound", "names"),
    [("400B", "abcd"), ("399B", "bcd"), ("200B", "bd"), ("100B", "b"), ("0", ""), ("", "abcd")],
)
def test_what_was_not_used_for_longest_goes_first(context: Context, folder: Path, bound: str, names: str) -> None:
    cache = cache_of(context, MU2NET_COMPILE_CACHE_SIZE=bound)
    assert cache.size_bytes() == 400
    assert cache.trim() == 400 - 100 * len(names)
    assert left(folder) == set(names)
    assert cache.size_bytes() == 100 * len(names)


def test_there_is_a_bound_by_default_and_a_missing_folder_is_empty(context: Context) -> None:
    cache = cache_of(context)
    assert cache.max_bytes == 2 * 2**30
    assert (cache.size_bytes(), cache.trim()) == (0, 0)


def test_an_empty_variable_is_none(context: Context, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    assert cache_of(context, MU2NET_CACHE_DIR="").folder.is_relative_to(tmp_path / "own")


def test_home_and_the_working_folder_are_where_a_cache_may_begin(
    context: Context, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_of(context, MU2NET_CACHE_DIR="~/cache").folder == tmp_path / "home" / "cache" / "xla"
    assert cache_of(context, MU2NET_CACHE_DIR="cache").folder == context.cwd / "cache" / "xla"


def test_a_full_disk_is_noticed(tmp_path: Path) -> None:
    assert why_not_writable(tmp_path / "cache") is None
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # empty files and small ones can still be made
    try:
        problem = why_not_writable(tmp_path / "cache")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert problem == f"cannot write to {tmp_path / 'cache'}: File too large"


def test_a_bound_that_is_no_size_is_refused(context: Context) -> None:
    with pytest.raises(InvalidInputError, match="Not a size: 'much'"):
        cache_of(context, MU2NET_COMPILE_CACHE_SIZE="much")


def test_what_another_process_deletes_meanwhile_is_passed_over(context: Context, folder: Path, monkeypatch) -> None:
    real = Path.unlink

    def first_the_other(self: Path, **options) -> None:
        real(self)
        real(self, **options)

    monkeypatch.setattr(Path, "unlink", first_the_other)
    assert cache_of(context, MU2NET_COMPILE_CACHE_SIZE="0").trim() == 0
    assert left(folder) == set()


@pytest.fixture
def fresh_cache():
    """Lets JAX look anew where compiled programs are kept, before a test and after it: it does so once a process."""
    compilation_cache.reset_cache()
    yield
    compilation_cache.reset_cache()


@pytest.mark.usefixtures("fresh_cache")
def test_what_one_agent_compiled_no_other_on_this_machine_compiles_again(
    world, planted_folder: Path, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(programs, "_lower", programs._lower.__wrapped__)  # what other tests compiled counts for nothing
    cache = tmp_path / "cache"
    kept: list[set[str]] = []
    for name in ("ann", "bob"):
        shutil.copytree(planted_folder, tmp_path / name)
        here = world(MU2NET_CACHE_DIR=str(cache))
        repo = open_repository(tmp_path / name / "repo" / ".mu2net")
        evolve(repo, here.context, ["digits"], EvolveOptions(seed=1, generations=1, children=2, validations=1))
        kept.append({path.name for path in (cache / "xla").iterdir() if not path.name.endswith("-atime")})
    assert kept[0] == kept[1] != set()
