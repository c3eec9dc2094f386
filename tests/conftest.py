"""What every test may use: a world that is always the same."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mu2net_core.api.context import Context


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
