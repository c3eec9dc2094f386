"""What a secret looks like in a URL or in a text, so that none is kept or repeated anywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

__all__ = ["holds_login", "looks_secret", "redact", "shown", "why_secret"]

_DECODED = 3  # so often may a secret be percent-encoded
_STORAGE = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "memory"}
_WITH_HOST = {"abfs", "abfss", "az"}  # the container stands before the @
_WEB = {"http", "https", "ftp", "ftps"}
_KNOWN = {*_STORAGE, *_WEB, "file", "ssh", "sftp", "git", "scp", "hdfs"}
_SCHEMES = r"(s3a?|gs|gcs|abfss?|az|file|https?|ftps?|ssh|sftp):"
_CUT = re.compile(rf"{_SCHEMES}/*(.*)|.*?/\s*{_SCHEMES}/+(.*)", re.IGNORECASE)  # as it is, or joined to a folder
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*", re.IGNORECASE)
_PORT = re.compile(r"(?:\[[0-9a-f:.]*\]|[^:]*)(?::\d{0,5})?", re.IGNORECASE)
_PARAMETER = re.compile(
    r"[?;&#](?:[\w.-]{0,64}(?:token|sig|secret|passw|pwd|credential|api-?_?key|x-amz-|x-goog-|accountkey|sas)[\w.-]{0,64}|key|se|sv)"
    r"\s*=",
    re.IGNORECASE,
)
_KEY = re.compile(
    r"(?<![A-Za-z0-9])(?:A3T[A-Z0-9]|AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,}"  # an AWS access key id: its secret is not far
    r"|\beyJ[A-Za-z0-9_-]{10,}[A-Za-z0-9_.-]*|\bya29\.[A-Za-z0-9_.-]*|\bgh[pousr]_[A-Za-z0-9]{30,}"
    r"|-----BEGIN|(?:AccountKey|SharedAccessSignature)=[^\s;'\"]*"
)
_RUN = re.compile(r"(?<![A-Za-z0-9+/_=-])(?<!SHA256:)(?:[A-Za-z0-9+/]{40,}={0,2}|[A-Za-z0-9_-]{40,}={0,2})")
_RUN_IN_PLACE = re.compile(r"[A-Za-z0-9+/]{40,}={0,2}|[A-Za-z0-9_-]{40,}={0,2}")
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_LETTERS_PER_WORD = 3.4  # of what people name files; random characters have about two
_PLACE = re.compile(
    r"(?<![A-Za-z0-9])[A-Za-z][A-Za-z0-9+.-]{0,30}(?:::[A-Za-z][A-Za-z0-9+.-]{0,30}){0,5}:/{1,3}\S*"  # a URL
    r"|//\S*@\S*"
    r"|(?<![^\s:@/'\"(])[^\s:@/'\"(]{1,200}:[^\s@]{0,500}@(?=[A-Za-z0-9\[])\S*"  # name:password@host
)
_QUERY = re.compile(r"[?#].*", re.DOTALL)
_VALUE = re.compile(rf"({_PARAMETER.pattern})[^\s&;'\"]*", re.IGNORECASE)
_LEFT_OUT = "..."
_LOGIN = "holds a user name or password before '@'"
_NO_HOST = "holds what is no host before its first '/'"


def why_secret(place: str) -> str | None:
    """Returns what in a folder or URL may be a secret, as a sentence's end that repeats no part of it; None if nothing.

    It may be percent-encoded, have slashes in it, and stand in any part.
    """
    return next((reason for form in _forms(place.strip()) if (reason := _reason_of(form)) is not None), None)


def looks_secret(text: str) -> bool:
    """Returns whether a word, a folder or a URL holds what may be a secret."""
    return why_secret(text) is not None


def holds_login(url: str) -> bool:
    """Returns whether a URL, whatever its query, holds a user name or password."""
    return any(_reason_of(form) in {_LOGIN, _NO_HOST} for form in _forms(_QUERY.sub("", url.strip())))


def shown(url: str) -> str:
    """Returns ``url`` for a message: without its query, and nothing but its scheme if it still may hold a secret."""
    url = url.strip()
    scheme = url.partition(":")[0].lower()
    place = _QUERY.sub("", url) if scheme in _KNOWN else url
    if why_secret(place) is None:
        return place
    return f"{scheme}://{_LEFT_OUT}" if scheme in _KNOWN else _LEFT_OUT


def redact(text: str) -> str:
    """Returns ``text``, a message that somebody else wrote, without user names, passwords, queries and keys in it."""
    if ":" not in text and "=" not in text and len(text) < len("AKIA") + 12:
        return text
    text = _VALUE.sub(rf"\1{_LEFT_OUT}", _PLACE.sub(_redacted_place, text))
    text = _KEY.sub(_LEFT_OUT, text)
    return _RUN.sub(lambda match: _LEFT_OUT if _is_random(match[0]) else match[0], text)


def _redacted_place(match: re.Match[str]) -> str:
    """Returns a URL or login in a message so that it can be shown, with the punctuation that follows it."""
    url = match[0].rstrip(".,:;!?)]}'\">")
    return shown(url) + match[0][len(url) :]


def _forms(text: str) -> Iterator[str]:
    """Yields the text as it is, and percent-decoded as long as that changes it."""
    yield text
    for _ in range(_DECODED):
        before, text = text, unquote(text)
        if text == before:
            return
        yield text


def _reason_of(text: str) -> str | None:
    if _KEY.search(text) is not None:
        return "holds what looks like a key"
    if _PARAMETER.search(text) is not None:
        return "goes on with parameters like those where signatures and tokens stand"
    scheme, mark, rest = text.partition("://")
    if mark and "::" in scheme:
        return "is several in one; expected a single place"
    if mark and _SCHEME.fullmatch(scheme):
        return _reason_of_url(scheme.lower(), rest)
    if match := _CUT.fullmatch(text):  # a slash too few
        return _reason_of_url((match[1] or match[3]).lower(), match[2] or match[4] or "")
    return _LOGIN if _has_login(text) else None


def _reason_of_url(scheme: str, rest: str) -> str | None:
    if "?" in rest or "#" in rest:
        return "goes on after '?' or '#', where signatures and tokens stand. Expected a place alone"
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    if at and (scheme not in {*_WITH_HOST, "ssh", "sftp", "git", "scp"} or ":" in user or not user):
        return _LOGIN
    if ":" in host and (scheme in _STORAGE or not _PORT.fullmatch(host)):
        return _NO_HOST
    if slash and (_has_login(f"/{path}") or (":" in host and "@" in path)):
        return _LOGIN
    if scheme not in {"file", "memory"} and any(map(_is_random, _RUN_IN_PLACE.findall(rest))):
        return "holds what looks like a key"
    return None


def _has_login(path: str) -> bool:
    """Returns whether something like ``name:password@host`` stands in a path; a password may have slashes in it."""
    if path.startswith("/") and not path.startswith("//"):
        return any(":" in part.rpartition("@")[0] for part in path.split("/"))
    return ":" in path.rpartition("@")[0]


def _is_random(run: str) -> bool:
    """Returns whether a long run of letters and digits is no name that somebody gave, nor a hash in hex."""
    words = _WORDS.findall(run)
    kinds = (any(map(kind, run)) for kind in (str.isupper, str.islower, str.isdigit))
    return all(kinds) and sum(map(len, words)) <= _LETTERS_PER_WORD * len(words) and not run.startswith("AAAAC3Nza")
