"""Every error mu2net raises on purpose, in one tree.

Families follow what a handler would do, not where the error came from. A message says what failed, what was
expected, what was found and what to do next. Foreign exceptions are translated once, in the adapter that meets
them, with ``raise ... from exc``.
"""

from __future__ import annotations

from typing import ClassVar

from mu2net_core.redaction import redact

__all__ = [
    "AccessDeniedError",
    "AlreadyExistsError",
    "ConflictError",
    "CorruptObjectError",
    "CredentialsExpiredError",
    "DataError",
    "DeviceError",
    "InternalError",
    "InvalidInputError",
    "Mu2netError",
    "NewerComponentError",
    "NewerError",
    "NotFoundError",
    "PluginError",
    "SearchError",
    "StorageError",
    "UnreadableError",
]


class Mu2netError(Exception):
    """Base of all deliberate errors. None repeats a password, token or key that was in what somebody gave or answered.

    Attributes:
        kind: a stable machine-readable name, printed by ``--json``.
        exit_code: what the command line exits with (docs/cli.md).
        hint: what the user can do next, or None.
    """

    kind: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = redact(message)
        self.hint = None if hint is None else redact(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class NotFoundError(Mu2netError, KeyError):
    """A repository, task, object, tag, remote or data set that is not there."""

    kind = "not-found"
    exit_code = 3


class PluginError(NotFoundError):
    """Something that another package adds to mu2net, and that is not installed or cannot be imported."""

    kind = "plugin"


class AlreadyExistsError(Mu2netError):
    """Something create-once that is there already, with other content."""

    kind = "already-exists"
    exit_code = 4


class InvalidInputError(Mu2netError, ValueError):
    """A value the user gave that cannot be right."""

    kind = "invalid-input"
    exit_code = 2


class NewerError(InvalidInputError):
    """Something that a newer mu2net made, in a format or of a kind that this one does not know: upgrade."""

    kind = "newer"


class ConflictError(Mu2netError):
    """Somebody else moved the same thing, or holds it now."""

    kind = "conflict"
    exit_code = 4


class AccessDeniedError(Mu2netError):
    """The access rule, the credentials or the file permissions forbid it."""

    kind = "access-denied"
    exit_code = 5


class CredentialsExpiredError(AccessDeniedError):
    """The credentials were good, and are no more: new ones are needed, and no other rights."""

    kind = "credentials-expired"


class CorruptObjectError(Mu2netError):
    """Bytes that do not hash to their id, or do not decode to what they claim to be."""

    kind = "corrupt-object"
    exit_code = 5


class UnreadableError(AccessDeniedError, CorruptObjectError):
    """One file of a repository whose other files may be read: as good as damaged, for it keeps out what needs it."""

    kind = "unreadable"


class NewerComponentError(CorruptObjectError, NewerError):
    """A component that a newer mu2net made: as good as damaged, for it keeps out what needs it."""


class StorageError(Mu2netError):
    """The storage failed: full disk, lost connection, refused request. A retry may help."""

    kind = "storage"
    exit_code = 5


class DataError(Mu2netError):
    """A data set that cannot be used as it is."""

    kind = "data"
    exit_code = 6


class DeviceError(Mu2netError):
    """No device that can compute: JAX's backend does not start here, or cannot be used in this process."""

    kind = "device"
    exit_code = 1


class SearchError(Mu2netError):
    """An evolution that cannot start or go on."""

    kind = "search"
    exit_code = 1


class InternalError(Mu2netError):
    """A broken promise inside mu2net: a defect, please report it."""

    kind = "internal"
    exit_code = 1
