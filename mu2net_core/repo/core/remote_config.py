"""What is written down of a remote: its name, URL, options and readers. Never a secret."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mu2net_core.errors import InvalidInputError
from mu2net_core.objects import PUBLIC, AccessRule, check_name
from mu2net_core.redaction import looks_secret
from mu2net_core.storage import USUAL_PLACES, check_no_secret

__all__ = ["OPTIONS", "Remote", "check_endpoint"]

OPTIONS = ("account", "anonymous", "endpoint", "profile", "project", "region")
"""What may be said about how to reach a remote (docs/storage.md says what each is for)."""

_HOST = re.compile(r"(localhost|[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+)(:\d{1,5})?/?", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+:@ -]{0,127}")
_SECRET_NAME = re.compile(r"secret|passw|token|credential|sign|sig$|key|sas", re.IGNORECASE)
_SECRET_VALUE = re.compile(
    r"(A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}"  # an AWS access key id: where it is, its secret is not far
    r"|[A-Za-z0-9+/_-]{40,}={0,2}"  # an AWS secret key, an Azure account key, a session or bearer token
    r"|\beyJ[A-Za-z0-9_-]{10,}|\bya29\.|-----BEGIN|AccountKey=|SharedAccessSignature",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """Another repository to share with.

    Attributes:
        name: what it is called here.
        url: where it is.
        readers: who can read it; None for everybody, so only public knowledge may go there.
        partial: whether components are fetched from it only when something needs them.
        options: how to reach it, by name of ``OPTIONS``.
    """

    name: str
    url: str
    readers: tuple[str, ...] | None = None
    partial: bool = True
    options: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name(self.name, "remote name")
        if not self.url:
            raise InvalidInputError(f"The remote {self.name} needs a URL.")
        check_no_secret(self.url)
        _check_options(self.options)
        if self.options and ("://" not in self.url or self.url.lower().startswith("file:")):
            raise InvalidInputError(f"A folder takes no options; got {', '.join(sorted(self.options))}.")
        for reader in self.readers or ():
            check_name(reader, "reader")

    @property
    def audience(self) -> AccessRule:
        """Who can read what is sent there: everybody, too, where the list of readers is empty."""
        return AccessRule.only(self.readers) if self.readers else PUBLIC


def check_endpoint(remote: Remote) -> None:
    """Refuses an endpoint that holds the bucket, too, which the URL names already.

    Another path may be right: some services have their storage below one.

    Raises:
        InvalidInputError: it holds the bucket.
    """
    endpoint = remote.options.get("endpoint", "")
    bucket = remote.url.partition("://")[2].partition("/")[0].partition("@")[0]
    if not endpoint or not bucket:
        return
    parts = urlsplit(endpoint)
    folders, host = [part for part in parts.path.split("/") if part], parts.netloc
    if bucket in folders:
        server = f"{parts.scheme}://{host}"
        if folders[0] != bucket:
            server += f"/{'/'.join(folders[: folders.index(bucket)])}"
    elif host.startswith((f"{bucket}.s3.", f"{bucket}.s3-")):
        server = f"{parts.scheme}://{host.removeprefix(f'{bucket}.')}"
    else:
        return
    raise InvalidInputError(
        f"The endpoint {endpoint} holds the bucket {bucket}, which the URL {remote.url} names.",
        hint=f"Name the server only: --endpoint {server}",
    )


def _check_options(options: Mapping[str, str]) -> None:
    """Checks what is said about how to reach a remote; the message never repeats a value that could be secret.

    Raises:
        InvalidInputError: an option is unknown, of the wrong form, or looks like a secret.
    """
    for name, value in options.items():
        if name not in OPTIONS:
            _refuse_name(name)
        if not isinstance(value, str) or not value or not value.isprintable():
            raise InvalidInputError(f"The option {name} of a remote is not a text. Expected e.g. {_EXAMPLES[name]}.")
        if _SECRET_VALUE.search(_path_of(value)) if name == "endpoint" else _holds_secret(value):
            raise InvalidInputError(f"Not stored: the option {name} looks like a secret.", hint=USUAL_PLACES)
        if not _FORMS[name](value):
            shown = "" if name == "endpoint" else f": {value[:80]!r}"
            raise InvalidInputError(
                f"Not a value of the option {name}{shown}. Expected e.g. {_EXAMPLES[name]}.",
                hint=f"Begin with https:// or http://: --endpoint https://{value}" if _is_host(name, value) else None,
            )


def _holds_secret(value: str) -> bool:
    return _SECRET_VALUE.search(value) is not None or looks_secret(value)


def _refuse_name(name: object) -> None:
    if isinstance(name, str) and _SECRET_NAME.search(name):
        raise InvalidInputError("Not stored: an option of a remote is named like a secret.", hint=USUAL_PLACES)
    shown = repr(name)[:80]
    raise InvalidInputError(f"Unknown option of a remote: {shown}. Expected one of {', '.join(OPTIONS)}.")


def _path_of(endpoint: str) -> str:
    """Returns the path of an endpoint that has no user name and no query; a long host name is no secret."""
    return check_no_secret(endpoint).partition("://")[2].partition("/")[2]


def _is_host(name: str, value: str) -> bool:
    """Returns whether what should be an endpoint is one but for its scheme, and surely no secret."""
    return name == "endpoint" and _HOST.fullmatch(value) is not None and _is_endpoint(f"https://{value}")


def _is_endpoint(value: str) -> bool:
    try:
        parts = urlsplit(value)
        is_place = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
    return is_place and " " not in value


def _is_word(value: str) -> bool:
    return _WORD.fullmatch(value) is not None


_EXAMPLES = {
    "account": "mystorageaccount",
    "anonymous": "true",
    "endpoint": "https://s3.example.org",
    "profile": "team",
    "project": "my-project",
    "region": "eu-central-1",
}
_FORMS: Mapping[str, Callable[[str], bool]] = {
    **dict.fromkeys(("account", "profile", "project", "region"), _is_word),
    "anonymous": lambda value: value == "true",
    "endpoint": _is_endpoint,
}
