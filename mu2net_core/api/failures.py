"""Errors as values: what ``--json``, a page and a report of many things say of one, and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mu2net_core.errors import InternalError, Mu2netError
from mu2net_core.storage import is_of_the_system, translate

__all__ = ["Failure", "as_error", "explained"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error as a value.

    Attributes:
        kind: its stable name.
        message: what went wrong.
        hint: what to do next.
        exit_code: what the command line exits with, if the error ends it.
    """

    kind: str
    message: str
    hint: str | None
    exit_code: int

    @classmethod
    def of(cls, error: Mu2netError) -> Failure:
        """Returns an error as a value."""
        return cls(kind=error.kind, message=error.message, hint=error.hint, exit_code=error.exit_code)


def as_error(failure: Failure) -> Mu2netError:
    """Returns the error that a value tells of: of the class that its kind is the name of."""
    found = next((error for error in _errors(Mu2netError) if vars(error).get("kind") == failure.kind), InternalError)
    return found(failure.message, hint=failure.hint)


def _errors(base: type[Mu2netError]) -> Iterator[type[Mu2netError]]:
    """Yields ``base`` and its kinds, as far as ``mu2net_core.errors`` has them."""
    if base.__module__ == Mu2netError.__module__:
        yield base
        for error in base.__subclasses__():
            yield from _errors(error)


def explained(exc: Exception) -> Mu2netError | None:
    """Returns our error for one that nobody translated where it was met; None if it is a defect.

    Ours are those that say that a disk, or the rights on it, are not as they need to be.
    """
    if not isinstance(exc, OSError) or not is_of_the_system(exc):
        return None
    return translate(exc, "use", exc.filename or "a file or folder")
