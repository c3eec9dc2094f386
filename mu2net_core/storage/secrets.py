"""Secrets are refused where a place would be kept or opened."""

from __future__ import annotations

from pathlib import Path

from mu2net_core.errors import InvalidInputError
from mu2net_core.redaction import shown, why_secret

__all__ = ["USUAL_PLACES", "check_folder", "check_no_secret", "check_no_secret_in_uri"]

USUAL_PLACES = (
    "Secrets are never stored in a repository. They come from where the cloud's own tools look for them: environment "
    "variables (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, GOOGLE_APPLICATION_CREDENTIALS, "
    "AZURE_STORAGE_ACCOUNT_KEY), a profile (--profile NAME), or the machine's role."
)
"""What to say to whoever gave a secret."""

_LONGEST = 2048


def check_no_secret(url: str, *, what: str = "URL") -> str:
    """Returns ``url``, a folder or URL, unchanged; the message of the error has at most its scheme.

    Args:
        url: as somebody gave it.
        what: it is, for the message.

    Raises:
        InvalidInputError: it holds a password, a signature or any other query, or what cannot be printed.
    """
    if len(url) > _LONGEST or not url.isprintable():
        raise InvalidInputError(f"Not a folder or URL: expected up to {_LONGEST} printable characters.")
    reason = why_secret(url)
    if reason is None:
        return url
    scheme, mark, _ = shown(url).partition("://")
    if mark:
        raise InvalidInputError(f"Not stored: the {what} {scheme}://... {reason}.", hint=USUAL_PLACES)
    hint = f"{USUAL_PLACES} If it is a folder that is called so, rename it."
    raise InvalidInputError(f"Not stored: the {what} {reason}.", hint=hint)


def check_no_secret_in_uri(uri: str) -> str:
    """Returns the URI of a data set, such as ``folder:PATH``, unchanged, which others may read if it names no file.

    Raises:
        InvalidInputError: it holds what may be a secret.
    """
    scheme, _, rest = uri.partition(":")
    if "@" not in scheme and rest and not rest.startswith("//"):
        check_no_secret(rest, what="data set")
        return uri
    return check_no_secret(uri, what="data set")


def check_folder(folder: Path | str) -> Path:
    """Returns ``folder``, which is to be made, unless a URL with a secret was given in its place.

    Raises:
        InvalidInputError: it holds what may be a secret.
    """
    return Path(check_no_secret(str(folder), what="folder"))
