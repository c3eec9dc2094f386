"""Google Cloud Storage, through gcsfs."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from typing import Any
from urllib.parse import quote

from aiohttp import ClientConnectorError, ClientError, ClientSSLError
from gcsfs.core import GCSFileSystem
from google.auth.exceptions import GoogleAuthError, ReauthFailError, RefreshError, TransportError
from requests.exceptions import RequestException

from mu2net_core.redaction import redact
from mu2net_core.storage.backend import (
    CONNECT_TIMEOUT_S,
    PUBLIC_HINT,
    READ_TIMEOUT_S,
    Backend,
    EndlessAnswerError,
    Failure,
    ForeignAnswerError,
    Info,
    Trouble,
    by_status,
    chain,
    expired,
    foreign,
    foreign_words,
    words,
)
from mu2net_core.storage.bounded import MOST_ANSWER, BoundedStream, beginning

__all__ = ["GcsBackend"]

_HINT = (
    "Check that these credentials may list, read and write objects of this bucket (the role Storage Object User), or "
    "give others: GOOGLE_APPLICATION_CREDENTIALS, or gcloud auth application-default login."
)


_RENEW = "gcloud auth application-default login, or a new GOOGLE_APPLICATION_CREDENTIALS"


class _AnsweredError(Exception):
    """An answer that is not a success."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status} {message}")
        self.status, self.message = status, message


class _Requests(GCSFileSystem):  # type: ignore[misc]
    """gcsfs's addresses and credentials; one request is one request, and its answer is kept."""

    async def _request(self, method: str, path: str, *args: str, **more: Any) -> tuple[int, Any, Any, bytes]:
        headers, data, most = more.pop("headers", None), more.pop("data", None), more.pop("most", None)
        is_part = more.pop("is_part", False)
        await self._set_session()
        async with self.session.request(
            method=method,
            url=self._format_path(path, args),
            params=self._get_params(more),
            headers=self._get_headers(headers),
            data=data,
            timeout=self.requests_timeout,
        ) as answer:
            is_object = most is not None and answer.status < 300
            body = answer.content if is_object else BoundedStream(answer.content, MOST_ANSWER)
            content, kind = await beginning(body, most if is_object else None), answer.content_type
            if not answer.content.at_eof():
                answer.close()  # the rest is not waited for
            if is_object and is_part and answer.status != 206:
                raise EndlessAnswerError("the server sent a whole object where a part was asked for")
            is_page = kind == "text/html" and method != "DELETE"
            if is_page and by_status(answer.status) not in (Trouble.BUSY, Trouble.LOST):
                raise ForeignAnswerError(f"{answer.status}, {kind}")
            if answer.status >= 400:
                raise _AnsweredError(answer.status, _message(content))
            return answer.status, answer.headers, answer.request_info, content


class GcsBackend(Backend):
    """One bucket of Google Cloud Storage."""

    options = frozenset({"endpoint", "project", "anonymous"})

    def connect(self) -> Any:
        """Returns the file system."""
        from aiohttp import ClientTimeout

        return _Requests(
            project="",  # gcsfs falls back to no credentials at all if it differs from the credentials' own
            token="anon" if self.anonymous else None,
            endpoint_url=self.given.get("endpoint"),
            requester_pays=self.given.get("project", False),
            requests_timeout=ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=READ_TIMEOUT_S),
            use_listings_cache=False,
            skip_instance_cache=True,
        )

    def get(self, path: str, *, start: int = 0, stop: int | None) -> bytes:
        """Returns the object from byte ``start`` up to ``stop``, or to its end."""
        part = {} if stop is None else {"Range": f"bytes={start}-{stop - 1}"}
        length = None if stop is None else stop - start
        more = {"headers": part, "most": length or sys.maxsize, "is_part": start > 0}
        try:
            _, data = self._call("GET", self.fs.url(f"{self.bucket}/{path}"), num_bytes=length, **more)
        except _AnsweredError as exc:
            if exc.status == 416:
                return b""  # nothing has no first byte
            raise
        return bytes(data)

    def put(self, path: str, data: bytes, *, exclusive: bool) -> None:
        """Writes an object in one request."""
        condition = {"ifGenerationMatch": "0"} if exclusive else {}
        where = f"{self.fs._location}/upload/storage/v1/b/{quote(self.bucket)}/o"
        kind = {"Content-Type": "application/octet-stream"}
        self._call(
            "POST",
            where,
            uploadType="media",
            name=path,
            headers=kind,
            data=BytesIO(data),
            num_bytes=len(data),
            **condition,
        )

    def head(self, path: str) -> Info:
        """Returns what is known about an object."""
        found = self._call("GET", "b/{}/o/{}", self.bucket, path, json_out=True)
        md5 = found.get("md5Hash")
        return Info(
            size=int(found["size"]),
            modified=datetime.fromisoformat(found["timeCreated"]),
            md5=base64.b64decode(md5) if md5 else None,
        )

    def delete(self, path: str) -> None:
        """Removes an object."""
        self._call("DELETE", "b/{}/o/{}", self.bucket, path)

    def page(self, prefix: str, after: Any) -> tuple[Sequence[str], Any]:
        """Returns up to 1,000 objects below ``prefix``, and where the next page begins."""
        found = self._call(
            "GET",
            "b/{}/o",
            self.bucket,
            json_out=True,
            prefix=prefix,
            pageToken=after,
            fields="items(name),nextPageToken",
        )
        return [item["name"] for item in found.get("items", ())], found.get("nextPageToken")

    def look(self) -> None:
        """Looks at the bucket by asking for one of its objects: the right to look at buckets is another one."""
        self._call("GET", "b/{}/o", self.bucket, maxResults="1", fields="nextPageToken")

    def _call(self, *args: str, num_bytes: int | None = 0, **more: Any) -> Any:
        return self.run(self.fs._call, *args, num_bytes=num_bytes, **more)

    def failure(self, exc: Exception) -> Failure:
        """Returns what went wrong, by the answer's status where there was one."""
        if isinstance(exc, _AnsweredError):
            return _answered(exc)
        for cause in chain(exc):
            said = "no JSON" if isinstance(cause, json.JSONDecodeError) else foreign_words(cause)
            if said is not None:
                return foreign(said, self.given.get("endpoint"), "Google Cloud Storage")
            if isinstance(cause, (RefreshError, ReauthFailError)):
                return expired(words(cause), _RENEW)
            if isinstance(cause, GoogleAuthError) and not isinstance(cause, TransportError):
                hint = f"{PUBLIC_HINT} {_HINT}"
                return Failure(trouble=Trouble.DENIED, reason="no usable credentials", hint=hint)
            if isinstance(cause, ClientSSLError):
                return Failure(trouble=Trouble.REFUSED, reason=words(cause))
        lost = isinstance(exc, (ClientError, RequestException, TransportError, ConnectionError, TimeoutError))
        trouble = Trouble.AWAY if isinstance(exc, ClientConnectorError) else Trouble.LOST
        return Failure(trouble=trouble if lost else Trouble.REFUSED, reason=words(exc))

    def credentials(self) -> str:
        """Returns which credentials are used, in words."""
        if self.anonymous:
            return "none, as the option anonymous says"
        found = self.fs.credentials.credentials
        if found is None:
            return (
                "none found in GOOGLE_APPLICATION_CREDENTIALS, gcloud's application default credentials, or the "
                "machine's service account"
            )
        return f"Google's application default credentials ({type(found).__name__})"


def _answered(exc: _AnsweredError) -> Failure:
    trouble = by_status(exc.status)
    if exc.status == 404 and "bucket does not exist" in exc.message:
        trouble = Trouble.NO_BUCKET
    reason = f"the server answered {exc.status}" + (f" ({exc.message})" if exc.message else "")
    if exc.status == 401 and "nonymous" not in exc.message:
        return expired(redact(reason), _RENEW)
    hint = _HINT if trouble is Trouble.DENIED else None
    return Failure(trouble=trouble, reason=redact(reason), hint=hint)


def _message(content: bytes) -> str:
    text = content.decode(errors="replace")
    try:
        error = json.loads(text)["error"]
        text = error["message"] if isinstance(error, dict) else str(error)
    except (ValueError, KeyError, TypeError):
        pass
    return text.strip().partition("\n")[0].rstrip(".")[:300]
