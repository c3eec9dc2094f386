"""What is told when nobody asked to be."""

from __future__ import annotations

__all__ = ["ignore"]


def ignore(*_told: object) -> None:
    """Does nothing with what it is told."""
