"""Storage URLs, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec

from mu2net_core.errors import InvalidInputError
from mu2net_core.redaction import shown

__all__ = ["Place", "parse_place", "require"]

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a storage is.

    Attributes:
        url: the whole, for messages; holds no secret.
        scheme: in lower case.
        bucket: or container.
        root: the folder in it, without slashes at its ends; "" for all of it.
        host: the account's host, where the URL names it: ``abfs://container@account.dfs.core.windows.net/...``.
    """

    url: str
    scheme: str
    bucket: str
    root: str
    host: str | None = None


def parse_place(url: str, *, with_host: bool = False) -> Place:
    """Returns the parts of ``url``; ``with_host``: what follows an ``@`` is the account's host, not a secret's end.

    Raises:
        InvalidInputError: it has no bucket, or holds what may be a secret.
    """
    scheme, _, rest = url.partition("://")
    authority, _, path = rest.partition("/")
    bucket, at, host = authority.partition("@")
    if "?" in rest or "#" in rest or ":" in authority or (at and not with_host):
        raise InvalidInputError(
            f"Cannot open {shown(url)}: a storage URL holds no user name, password, port or query.",
            hint="Credentials come from the environment, profiles or the machine's role; options have their own names.",
        )
    if not _BUCKET.fullmatch(bucket):
        raise InvalidInputError(f"Cannot open {shown(url)}: expected {scheme}://BUCKET/FOLDER.")
    return Place(url=url.rstrip("/"), scheme=scheme.lower(), bucket=bucket, root=path.strip("/"), host=host or None)


def require(module: str, url: str, extra: str) -> None:
    """Checks that the package which speaks to ``url`` is installed, without importing it.

    Raises:
        InvalidInputError: it is not.
    """
    if find_spec(module) is None:
        raise InvalidInputError(
            f"Cannot open {url}: this needs the package {module}, which is not installed.",
            hint=f"pip install 'mu2net[{extra}]'",
        )
