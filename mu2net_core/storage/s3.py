"""S3 and what speaks its language, through s3fs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSLError,
    TokenRetrievalError,
)

from mu2net_core.storage.backend import (
    CONNECT_TIMEOUT_S,
    READ_TIMEOUT_S,
    Backend,
    Failure,
    Info,
    Trouble,
    by_status,
    chain,
    words,
)
from mu2net_core.storage.places import without_secret

__all__ = ["S3Backend"]

_SINGLE_PUT_BYTES = 5 * 2**30  # S3 takes no more in one request
_PART_BYTES = 512 * 2**20
_CONNECTIONS = 32
_TROUBLE = {
    "NoSuchKey": Trouble.NO_KEY,
    "NoSuchBucket": Trouble.NO_BUCKET,
    "NoSuchUpload": Trouble.LOST,
    "ExpiredToken": Trouble.DENIED,
    "InvalidToken": Trouble.DENIED,
    "TokenRefreshRequired": Trouble.DENIED,
    "RequestTimeout": Trouble.LOST,
    "IncompleteBody": Trouble.LOST,
    "BadDigest": Trouble.LOST,
    "XAmzContentSHA256Mismatch": Trouble.LOST,
    "RequestTimeTooSkewed": Trouble.REFUSED,
    "SlowDown": Trouble.BUSY,
    "Throttling": Trouble.BUSY,
}
_HINT = {
    "RequestTimeTooSkewed": "Set this machine's clock: the server refuses requests that are minutes off.",
    "AuthorizationHeaderMalformed": "Name the bucket's region: the option region.",
    "PermanentRedirect": "Name the bucket's region: the option region.",
    "301": "Name the bucket's region: the option region.",
}
_DENIED_HINT = (
    "Check that these credentials may list, read and write this bucket (without the right to list, S3 denies reading "
    "what is missing), or give others: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the option profile."
)
_NO_ENDPOINT_HINT = (
    "See that this machine is online, then run the same command again. If the bucket is not Amazon's, name its server "
    "with the option endpoint (--endpoint URL)."
)
_NO_CREDENTIALS = (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, TokenRetrievalError)
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

    def get(self, path: str, *, stop: int | None) -> bytes:
        """Returns the object, or its first ``stop`` bytes."""
        return self.run(self._get, path, stop, num_bytes=stop)

    def put(self, path: str, data: bytes, *, exclusive: bool) -> None:
        """Writes an object; in parts, which no server creates exclusively, only if it is too large for one request."""
        if len(data) > _SINGLE_PUT_BYTES:
            more = {"chunksize": _PART_BYTES, "mode": "create" if exclusive else "overwrite"}
            self.run(self.fs._pipe_file, f"{self.bucket}/{path}", data, num_bytes=len(data), **more)
            return
        condition = {"IfNoneMatch": "*"} if exclusive else {}
        self._call("put_object", Key=path, Body=data, num_bytes=len(data), **condition)

    def head(self, path: str) -> Info:
        """Returns what is known about an object."""
        found = self._call("head_object", Key=path)
        tag = str(found.get("ETag", "")).strip('"')
        try:
            md5 = bytes.fromhex(tag)
        except ValueError:
            md5 = None  # written in parts
        return Info(size=found["ContentLength"], modified=found["LastModified"], md5=md5)

    def delete(self, path: str) -> None:
        """Removes an object; S3 does not say whether there was one."""
        self._call("delete_object", Key=path)

    def page(self, prefix: str, after: Any) -> tuple[Sequence[str], Any]:
        """Returns up to 1,000 objects below ``prefix``, and where the next page begins."""
        begin = {"ContinuationToken": after} if after else {}
        found = self._call("list_objects_v2", Prefix=prefix, **begin)
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
                return _answered(cause)
        for cause in causes:
            if isinstance(cause, _NO_CREDENTIALS):
                return Failure(trouble=Trouble.DENIED, reason="no usable credentials", hint=_DENIED_HINT)
            if isinstance(cause, ProfileNotFound):
                return Failure(trouble=Trouble.DENIED, reason=words(cause), hint="aws configure list-profiles")
            if isinstance(cause, SSLError):
                return Failure(trouble=Trouble.REFUSED, reason=words(cause))
        if not _is_connection(causes):
            return Failure(trouble=Trouble.REFUSED, reason=words(exc))
        hint = None if "endpoint" in self.given else _NO_ENDPOINT_HINT
        return Failure(trouble=Trouble.LOST, reason=words(exc), hint=hint)

    def credentials(self) -> str:
        """Returns which credentials are used, in words."""
        if self.anonymous:
            return "none, as the option anonymous says"
        try:
            found = self.run(self._find_credentials)
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

    async def _get(self, path: str, stop: int | None) -> bytes:
        part = {} if stop is None else {"Range": f"bytes=0-{stop - 1}"}
        try:
            answer = await self.fs._call_s3("get_object", Bucket=self.bucket, Key=path, **part)
        except OSError as exc:
            if any(isinstance(cause, ClientError) and _status(cause) == 416 for cause in chain(exc)):
                return b""  # nothing has no first byte
            raise
        async with answer["Body"] as body:
            data: bytes = await body.read()
        return data

    async def _find_credentials(self) -> Any:
        await self.fs.set_session()
        return await self.fs.session.get_credentials()


def _answered(exc: ClientError) -> Failure:
    error, status = exc.response.get("Error", {}), _status(exc)
    code = str(error.get("Code", status))
    trouble = _TROUBLE.get(code) or by_status(status)
    hint = _HINT.get(code) or (_DENIED_HINT if trouble is Trouble.DENIED else None)
    message = str(error.get("Message") or "").strip().rstrip(".")
    reason = f"the server answered {status} {code}" if code != str(status) else f"the server answered {status}"
    return Failure(trouble=trouble, reason=without_secret(f"{reason} ({message})" if message else reason), hint=hint)


def _status(exc: ClientError) -> int:
    return int(exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _is_connection(causes: Sequence[BaseException]) -> bool:
    from aiohttp import ClientError as HttpError

    kinds = (HTTPClientError, EndpointConnectionError, HttpError, ConnectionError, TimeoutError)
    return any(isinstance(cause, kinds) for cause in causes)
