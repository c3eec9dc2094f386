"""What is computed is compared with what it should be, not with the bits of another program: it is compiled quickly."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _quickly(quickly: None) -> None:
    """Compiles quickly in all tests here."""
