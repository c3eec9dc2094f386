from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from mu2net_core.api.compile_cache import CompileCache
from mu2net_core.api.context import Context
from mu2net_core.errors import InvalidInputError


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
