"""Refs, tombstones, epochs and settings with any bytes in them: an error of ours, or what they say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mu2net_core.errors import CorruptObjectError, InvalidInputError, Mu2netError
from mu2net_core.objects import HeadEntry, Limits, encode
from mu2net_core.repo import Repository
from mu2net_core.repo.core.config import Config
from mu2net_core.repo.core.epoch import current_epoch
from mu2net_core.repo.core.refs import Refs
from mu2net_core.repo.core.tombstones import Purged
from mu2net_core.storage import LocalStore
from mu2net_core.testing.building.samples import SAMPLE_IDENTITY, sample_repository

OID = "1" * 64
SEEDS: dict[str, tuple[str, bytes, Callable[[Refs], Any]]] = {
    "tag": ("refs/tags/v1", f"{OID}\n".encode(), lambda refs: refs.tags()),
    "root": ("refs/roots/r", f"{OID}\n".encode(), lambda refs: refs.roots()),
    "entry": (
        "refs/heads/a/00000001",
        encode(HeadEntry(commit=OID, previous=None)),
        lambda refs: (refs.heads(), refs.log("a")),
    ),
    "tombstone": (
        "refs/purged/a/00000001",
        b'{"format":1,"objects":[],"purged_at":"","roots":[],"task":"a","through":1}',
        Purged.read,
    ),
    "epoch": (f"refs/epoch/{'a' * 32}", b"a" * 32 + b"\n", lambda refs: current_epoch(refs.store)),
}
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9), st.binary(max_size=9)), max_size=3)
CONFIG = f'format = 1\nidentity = "{SAMPLE_IDENTITY}"\npreset = "vit-ti0"\n'.encode()
CONFIG += b'[settings]\na.b = 1\nc = [1, "x"]\n[remotes.origin]\nurl = "/srv/x"\n'


def mutated(data: bytes, edits: list[tuple[float, int, bytes]]) -> bytes:
    for share, cut, inserted in edits:
        place = int(share * len(data))
        data = data[:place] + inserted + data[place + cut :]
    return data


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return sample_repository(tmp_path_factory.mktemp("hostile") / "r", bare=True)


@pytest.mark.parametrize("kind", SEEDS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(edits=EDITS)
def test_any_bytes_in_a_ref(kind: str, edits: list[tuple[float, int, bytes]], place: Repository) -> None:
    key, data, read = SEEDS[kind]
    file = place.path / key
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(mutated(data, edits))
    try:
        read(Refs(place.store))
    except Mu2netError:
        return
    finally:
        file.unlink()


@settings(max_examples=300)
@given(EDITS)
def test_any_bytes_in_settings(edits: list[tuple[float, int, bytes]]) -> None:
    try:
        config = Config.parse(mutated(CONFIG, edits), what="settings", foreign=True)
    except (CorruptObjectError, InvalidInputError):
        return
    assert config.remotes == {}
    assert Config.parse(config.dump(), what="settings") == replace(config, is_partial=False)


@pytest.mark.parametrize("kind", SEEDS)
def test_no_ref_is_read_beyond_its_limit(kind: str, tmp_path: Path) -> None:
    key, data, read = SEEDS[kind]
    file = tmp_path / key
    file.parent.mkdir(parents=True)
    file.write_bytes(data + b" " * 200)
    limits = Limits(ref_bytes=len(data) + 50, manifest_bytes=len(data) + 50)
    if kind == "epoch":
        assert read(Refs(LocalStore(tmp_path), limits)) == "a" * 32  # its name says it all
        return
    with pytest.raises(CorruptObjectError, match="size limit"):
        read(Refs(LocalStore(tmp_path), limits))
