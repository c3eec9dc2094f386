"""A Ray that is there as far as anybody looks."""

from __future__ import annotations

import sys

import pytest


@pytest.fixture
def ray_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets Ray be imported, where it is not called."""
    monkeypatch.setitem(sys.modules, "ray", sys)
