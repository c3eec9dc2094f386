"""S3 and what speaks its language, through s3fs."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Mapping, Sequence
from hashlib import md5
from typing import Any

import botocore.exceptions
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    ProxyConnectionError,
    SSLError,
    SSOError,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError

from mu2net_core.redaction import redact, shown
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

__all__ = ["S3Backend"]

_SINGLE_PUT_BYTES = 5 * 2**30  # S3 takes no more in one request
_PART_BYTES = 512 * 2**20
_CONNECTIONS = 32
_TROUBLE = {
    "NoSuchKey": Trouble.NO_KEY,
    "NoSuchBucket": Trouble.NO_BUCKET,
    "NoSuchUpload": Trouble.LOST,
    "RequestTimeout": Trouble.LOST,
    "IncompleteBody": Trouble.LOST,
    "BadDigest": Trouble.LOST,
    "XAmzContentSHA256Mismatch": Trouble.LOST,
    "RequestTimeTooSkewed": Trouble.REFUSED,
    "SlowDown": Trouble.BUSY,
    "Throttling": Trouble.BUSY,
}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "InvalidToken", "RequestExpired", "TokenRefreshRequired"}
_RENEW = "aws sso login, or new AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
_PARTS_AT_ONCE = 4
_NO_KIND = "a document of no kind"
_HINT = {
    "RequestTimeTooSkewed": "Set this machine's clock: the server refuses requests that are minutes off.",
    "AuthorizationHeaderMalformed": "Name the bucket's region: the option region.",
    "PermanentRedirect": "Name the bucket's region: the option region.",
    "301": "Name the bucket's region: the option region.",
}
_GIVE = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the option profile"
_DENIED_HINT = (
    "Check that these credentials may list, read and write this bucket (without the right to list, S3 denies reading "
    f"what is missing), or give others: {_GIVE}."
)
_NO_ENDPOINT_HINT = (
    "See that this machine is online, then run the same command again. If the bucket is not Amazon's, name its server "
    "with the option endpoint (--endpoint URL)."
)
_NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError)
_LOG_IN_AGAIN = (TokenRetrievalError, SSOError, getattr(botocore.exceptions, "LoginError", SSOError))
_METHODS = {
    "env": "the environment's AWS_ACCESS_KEY_ID",
    "shared-credentials-file": "the profile of ~/.aws/credentials",
    "config-file": "the profile of ~/.aws/config",
    "assume-role": "a role assumed by the profile",
    "assume-role-with-web-identity": "the web identity token",
    "sso": "the profile's single sign-on",
    "container-role": "the container's role",
    "iam-role": "the machine's role",
}


class S3Backend(Backend):
    """One bucket of S3, or of a server that speaks its language."""

    options = frozenset({"endpoint", "region", "profile", "anonymous"})

    def connect(self) -> Any:
        """Returns the file system: one try a request, no listings cache, and nothing looked up twice."""
        from s3fs import S3FileSystem  # half a second, paid at the first request

        from mu2net_core.storage.s3_session import BoundedSession

        region, profile = self.given.get("region"), self.given.get("profile")
        fs = S3FileSystem(
            anon=self.anonymous,
            endpoint_url=self.given.get("endpoint"),
            client_kwargs={"region_name": region} if region else {},
            config_kwargs={
                "connect_timeout": CONNECT_TIMEOUT_S,
                "read_timeout": READ_TIMEOUT_S,
                "retries": {"total_max_attempts": 1},
                "max_pool_connections": _CONNECTIONS,
                "http_session_cls": BoundedSession,
                # the newer checksums are unknown to other servers; hashes are checked on every read anyway
                "request_checksum_calculation": "when_required",
                "response_checksum_validation": "when_required",
            },
            use_listings_cache=False,
            skip_instance_cache=True,
            **({"profile": profile} if profile else {}),
        )
        fs.retries = 1
        return fs

    def get(self, path: str, *, start: int = 0, stop: int | None) -> bytes:
        """Returns the object from byte ``start`` up to ``stop``, or to its end."""
        return self.run(self._get, path, start, stop, num_bytes=None if stop is None else stop - start)

    def put(self, path: str, data: bytes, *, exclusive: bool) -> None:
        """Writes an object; in parts, which no server creates exclusively, only if it is too large for one request."""
        condition = {"IfNoneMatch": "*"} if exclusive else {}
        if len(data) > _SINGLE_PUT_BYTES:
            self.run(self._put_parts, path, data, condition, num_bytes=len(data))
            return
        answer = self._call(
            "put_object", Key=path, Body=data, ContentMD5=_digest(data), num_bytes=len(data), **condition
        )
        _check_is_s3(answer, is_object=False)

    def head(self, path: str) -> Info:
        """Returns what is known about an object."""
        found = self._call("head_object", Key=path)
        _check_is_s3(found)
        tag = str(found.get("ETag", "")).strip('"')
        try:
            digest = bytes.fromhex(tag)
        except ValueError:
            digest = None  # written in parts
        retained = "ObjectLockMode" in found or found.get("ObjectLockLegalHoldStatus") == "ON"
        return Info(size=found["ContentLength"], modified=found["LastModified"], md5=digest, is_retained=retained)

    def delete(self, path: str) -> None:
        """Removes an object; S3 does not say whether there was one."""
        answer = self._call("delete_object", Key=path)
        self.keeps_versions = self.keeps_versions or bool(answer.get("DeleteMarker"))

    def page(self, prefix: str, after: Any) -> tuple[Sequence[str], Any]:
        """Returns up to 1,000 objects below ``prefix``, and where the next page begins."""
        begin = {"ContinuationToken": after} if after else {}
        found = self._call("list_objects_v2", Prefix=prefix, **begin)
        if "Name" not in found and "IsTruncated" not in found:
            raise ForeignAnswerError(_kind_of(found))
        names = [entry["Key"] for entry in found.get("Contents", ())]
        return names, found.get("NextContinuationToken") if found.get("IsTruncated") else None

    def look(self) -> None:
        """Looks at the bucket itself."""
        self._call("head_bucket")

    def failure(self, exc: Exception) -> Failure:
        """Returns what went wrong, by the server's code where it answered."""
        causes = tuple(chain(exc))
        for cause in causes:
            if isinstance(cause, ClientError):
                return self._answered(cause)
        found = next((failure for cause in causes if (failure := self._unanswered(cause)) is not None), None)
        if found is not None:
            return found
        if not _is_connection(causes):
            return Failure(trouble=Trouble.REFUSED, reason=words(exc))
        hint = None if "endpoint" in self.given else _NO_ENDPOINT_HINT
        trouble = Trouble.AWAY if any(map(_is_away, causes)) else Trouble.LOST
        return Failure(trouble=trouble, reason=words(exc), hint=hint)

    def credentials(self) -> str:
        """Returns which credentials are used, in words."""
        if self.anonymous:
            return "none, as the option anonymous says"
        try:
            found = self.run(self._find_credentials)
        except PartialCredentialsError:
            return "a part of them"
        except BotoCoreError:
            found = None
        if found is None:
            profile = self.given.get("profile", "AWS_PROFILE or default")
            return (
                "none found in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY), "
                f"~/.aws/credentials and ~/.aws/config (profile {profile}), or the machine's role"
            )
        return _METHODS.get(found.method, str(found.method))

    def _call(self, method: str, *, num_bytes: int = 0, **more: Any) -> Any:
        return self.run(self.fs._call_s3, method, Bucket=self.bucket, num_bytes=num_bytes, **more)

    async def _get(self, path: str, start: int, stop: int | None) -> bytes:
        from mu2net_core.storage.bounded import beginning

        part = {} if stop is None else {"Range": f"bytes={start}-{stop - 1}"}
        try:
            answer = await self.fs._call_s3("get_object", Bucket=self.bucket, Key=path, **part)
        except OSError as exc:
            if any(isinstance(cause, ClientError) and _status(cause) == 416 for cause in chain(exc)):
                return b""  # nothing has no first byte
            raise
        body = answer["Body"]
        try:
            _check_is_s3(answer)
            if start and answer["ResponseMetadata"]["HTTPStatusCode"] != 206:
                raise EndlessAnswerError("the server sent a whole object where a part was asked for")
            return await beginning(body, None if stop is None else stop - start)
        finally:
            body.close()  # what was not read is not waited for

    async def _put_parts(self, path: str, data: bytes, condition: Mapping[str, str]) -> None:
        """Writes an object in parts, a few at a time; it appears with the last request."""
        where = {"Bucket": self.bucket, "Key": path}
        where["UploadId"] = (await self.fs._call_s3("create_multipart_upload", **where))["UploadId"]

        async def send(number: int) -> Mapping[str, Any]:
            part = data[(number - 1) * _PART_BYTES : number * _PART_BYTES]
            more = {"PartNumber": number, "Body": part, "ContentMD5": _digest(part)}
            answer = await self.fs._call_s3("upload_part", **where, **more)
            return {"PartNumber": number, "ETag": answer["ETag"]}

        numbers, parts = range(1, -(-len(data) // _PART_BYTES) + 1), list[Mapping[str, Any]]()
        try:
            for first in range(0, len(numbers), _PARTS_AT_ONCE):
                parts += await asyncio.gather(*map(send, numbers[first : first + _PARTS_AT_ONCE]))
            done = {"MultipartUpload": {"Parts": parts}}
            await self.fs._call_s3("complete_multipart_upload", **where, **done, **condition)
        except Exception:
            await self.fs._call_s3("abort_multipart_upload", **where)
            raise

    def _unanswered(self, cause: BaseException) -> Failure | None:
        """Returns what kept a request from being sent, or its answer from being understood; None if neither did."""
        said = foreign_words(cause)
        if isinstance(cause, ResponseParserError):
            said = "html" if "html" in str(cause).lower() else "no XML"
        if said is not None:
            return foreign(said, self._server(), "S3")
        if isinstance(cause, _LOG_IN_AGAIN) or (isinstance(cause, _NO_CREDENTIALS) and "xpired" in str(cause)):
            return expired(words(cause), _RENEW)
        if isinstance(cause, _NO_CREDENTIALS):
            hint = f"{PUBLIC_HINT} Otherwise give some: {_GIVE}."
            reason = words(cause) if isinstance(cause, PartialCredentialsError) else "no usable credentials"
            return Failure(trouble=Trouble.DENIED, reason=reason, hint=hint)
        if isinstance(cause, ProfileNotFound):
            return Failure(trouble=Trouble.DENIED, reason=words(cause), hint="aws configure list-profiles")
        if isinstance(cause, SSLError):
            hint = "See whether the server speaks https at that port, or only http, and who signed its certificate."
            return Failure(trouble=Trouble.REFUSED, reason=words(cause), hint=hint)
        return None

    def _server(self) -> str | None:
        """Returns the server that is asked, if a client was made."""
        client = getattr(self._fs, "_s3", None)
        return None if client is None else shown(client.meta.endpoint_url)

    def _answered(self, exc: ClientError) -> Failure:
        """Returns what an answer means that is not a success."""
        failure = _answered(exc)
        is_passing = failure.trouble in (Trouble.BUSY, Trouble.LOST, Trouble.THERE)
        is_page = _status(exc) == 500  # botocore's word for a success that should be XML and is not
        if (is_passing and not is_page) or not _is_foreign(exc):
            return failure
        said = _kind_of(exc.response)
        return foreign(said if is_page else f"{_status(exc)}, {said}", self._server(), "S3")

    async def _find_credentials(self) -> Any:
        await self.fs.set_session()
        return await self.fs.session.get_credentials()


def _digest(data: bytes) -> str:
    """Returns what a bucket with Object Lock wants to know of what is written, and every server checks."""
    return base64.b64encode(md5(data, usedforsecurity=False).digest()).decode()


def _kind_of(answer: Mapping[str, Any]) -> str:
    """Returns what kind of document an answer is, by its own words."""
    headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return str(headers.get("content-type", "")).partition(";")[0].strip().lower() or _NO_KIND


def _check_is_s3(answer: Mapping[str, Any], *, is_object: bool = True) -> None:
    """Checks that a success is S3's: every object has an ETag, and none of ours is a web page."""
    if "ETag" not in answer or (is_object and _kind_of(answer) == "text/html"):
        raise ForeignAnswerError(_kind_of(answer))


def _is_foreign(exc: ClientError) -> bool:
    """Returns whether a refusal is none of S3's own, which name a code; of a question about a head nothing is known."""
    code, kind = str(exc.response.get("Error", {}).get("Code") or ""), _kind_of(exc.response)
    named = code and not code.isdecimal()
    return not named and not exc.operation_name.startswith("Head") and not kind.endswith("xml") and kind != _NO_KIND


def _answered(exc: ClientError) -> Failure:
    error, status = exc.response.get("Error", {}), _status(exc)
    code = str(error.get("Code") or status)
    if code in _EXPIRED:
        return expired(f"the server answered {status} {code}", _RENEW)
    trouble = _TROUBLE.get(code) or by_status(status)
    hint = _HINT.get(code) or (_DENIED_HINT if trouble is Trouble.DENIED else None)
    message = str(error.get("Message") or "").strip().rstrip(".")
    reason = f"the server answered {status} {code}" if code != str(status) else f"the server answered {status}"
    return Failure(trouble=trouble, reason=redact(f"{reason} ({message})" if message else reason), hint=hint)


def _status(exc: ClientError) -> int:
    return int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _is_away(cause: BaseException) -> bool:
    """Returns whether no connection could be made: one that broke is told by the same exception, of another cause."""
    from aiohttp import ClientConnectorError

    if isinstance(cause, (EndpointConnectionError, ProxyConnectionError)):
        return isinstance(cause.kwargs.get("error"), ClientConnectorError)
    return isinstance(cause, ConnectTimeoutError)


def _is_connection(causes: Sequence[BaseException]) -> bool:
    from aiohttp import ClientError as HttpError

    unreached = botocore.exceptions.ConnectionError  # also one that took too long to make
    kinds = (HTTPClientError, unreached, HttpError, ConnectionError, TimeoutError)
    return any(isinstance(cause, kinds) for cause in causes)
