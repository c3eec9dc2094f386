"""Storages that other packages add are opened by the scheme of their URLs, like those that are shipped."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

import pytest

from mu2net_core.errors import InvalidInputError
from mu2net_core.storage import Store, open_store
from mu2net_core.storage.backend import Backend
from mu2net_core.storage.memory import MemoryBackend
from mu2net_core.storage.places import Place
from mu2net_core.storage.schemes import SCHEMES
from mu2net_core.testing.building.plugins import offer
from mu2net_core.testing.conformance.stores import StoreTests


class TestTheirs(StoreTests):
    @pytest.fixture
    def store(self, monkeypatch: pytest.MonkeyPatch) -> Store:
        offer(monkeypatch, SCHEMES, theirs=MemoryBackend)
        return open_store(f"theirs://{uuid.uuid4().hex}/folder")


def test_they_get_the_place_and_what_was_said_about_how_to_reach_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Place, Mapping[str, str]]] = []

    def theirs(place: Place, options: Mapping[str, str]) -> Backend:
        asked.append((place, options))
        return MemoryBackend(place, {})

    offer(monkeypatch, SCHEMES, theirs=theirs)
    assert open_store("THEIRS://bucket/a/b/", {"region": "r"}).url == "THEIRS://bucket/a/b"
    ((place, options),) = asked
    assert (place.scheme, place.bucket, place.root, options) == ("theirs", "bucket", "a/b", {"region": "r"})


def test_a_scheme_that_nobody_offers_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="got the scheme 'theirs'"):
        open_store("theirs://bucket/a")
