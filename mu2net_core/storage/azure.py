"""Azure Blob Storage, through adlfs."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import UTC
from functools import partial
from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ServiceRequestError,
    ServiceResponseError,
)

from mu2net_core.errors import InvalidInputError
from mu2net_core.redaction import shown
from mu2net_core.storage.backend import (
    CONNECT_TIMEOUT_S,
    PUBLIC_HINT,
    READ_TIMEOUT_S,
    Backend,
    Failure,
    ForeignAnswerError,
    Info,
    Trouble,
    by_status,
    chain,
    expired,
    foreign,
    words,
)
from mu2net_core.storage.bounded import BoundedResponse, BoundedStream
from mu2net_core.storage.places import Place

__all__ = ["AzureBackend"]

_RENEW = "az login, or a new AZURE_STORAGE_SAS_TOKEN"
_CLOCK = "Set this machine's clock: the server refuses requests that are minutes off."


def _check_is_azure(answer: Any, most: int | None = None) -> None:
    """Checks that an answer is of Azure Storage, which numbers every one of its answers; bounds what is read of it."""
    headers = answer.http_response.headers
    status = int(answer.http_response.status_code)
    if "x-ms-request-id" not in headers and by_status(status) not in (Trouble.BUSY, Trouble.LOST):
        kind = str(headers.get("Content-Type", "")).partition(";")[0].lower() or "a document of no kind"
        raise ForeignAnswerError(f"{status}, {kind}")

    if status < 300 and most is not None:
        received = answer.http_response.internal_response
        received.content = BoundedStream(received.content, most)


_ONCE: Mapping[str, Any] = {
    "retry_total": 0,
    "connection_timeout": CONNECT_TIMEOUT_S,
    "read_timeout": READ_TIMEOUT_S,
    "raw_response_hook": _check_is_azure,
}
_WHOLE_BYTES = 256 * 2**20  # in one request; the SDK's own default cuts downloads at 32 MiB
_TROUBLE = {
    "BlobNotFound": Trouble.NO_KEY,
    "ContainerNotFound": Trouble.NO_BUCKET,
    "ContainerBeingDeleted": Trouble.NO_BUCKET,
    "ContainerDisabled": Trouble.NO_BUCKET,
    "Md5Mismatch": Trouble.LOST,
    "OperationTimedOut": Trouble.LOST,
}
_HINT = (
    "Check that these credentials may list, read and write this container, or give others: AZURE_STORAGE_ACCOUNT_KEY, "
    "AZURE_STORAGE_SAS_TOKEN, AZURE_STORAGE_CONNECTION_STRING, or az login."
)
_SOURCES = (
    ("connection_string", "AZURE_STORAGE_CONNECTION_STRING"),
    ("account_key", "AZURE_STORAGE_ACCOUNT_KEY"),
    ("sas_token", "AZURE_STORAGE_SAS_TOKEN"),
    ("client_secret", "AZURE_STORAGE_CLIENT_ID and AZURE_STORAGE_CLIENT_SECRET"),
)


class AzureBackend(Backend):
    """One container of a storage account."""

    options = frozenset({"account", "endpoint", "anonymous"})
    bucket_word = "container"

    def __init__(self, place: Place, options: Mapping[str, str]) -> None:
        super().__init__(place, options)
        endpoint = options.get("endpoint", "https://")
        if not endpoint.startswith("https://"):
            raise InvalidInputError(
                f"Option endpoint: expected https://HOST for {place.url}; got {shown(endpoint)!r}.",
                hint="An emulator is named by BlobEndpoint in AZURE_STORAGE_CONNECTION_STRING.",
            )

    def connect(self) -> Any:
        """Returns the file system."""
        from adlfs import AzureBlobFileSystem

        account, host = self.given.get("account"), self.given.get("endpoint", "").removeprefix("https://")
        fs = AzureBlobFileSystem(
            account_name=account or (self.place.host or "").partition(".")[0] or None,
            account_host=host or None,
            anon=True if self.anonymous else None,
            use_listings_cache=False,
            skip_instance_cache=True,
        )
        logging.getLogger("azure").addHandler(logging.NullHandler())  # it warns of what is tried again here
        _bound_answers(fs.service_client)
        fs.service_client._config.max_single_get_size = _WHOLE_BYTES
        fs.service_client._config.max_single_put_size = _WHOLE_BYTES
        return fs

    def get(self, path: str, *, start: int = 0, stop: int | None) -> bytes:
        """Returns the blob from byte ``start`` up to ``stop``, or to its end."""
        return self.run(self._get, path, start, stop, num_bytes=None if stop is None else stop - start)

    def put(self, path: str, data: bytes, *, exclusive: bool) -> None:
        """Writes a blob; one that needs several requests appears with the last, under the same condition."""
        self.run(self._put, path, data, overwrite=not exclusive, num_bytes=len(data))

    def head(self, path: str) -> Info:
        """Returns what is known about a blob."""
        found = self.run(self._head, path)
        md5 = found.content_settings.content_md5
        return Info(size=found.size, modified=found.last_modified.astimezone(UTC), md5=bytes(md5) if md5 else None)

    def delete(self, path: str) -> None:
        """Removes a blob."""
        self.run(self._delete, path)

    def page(self, prefix: str, after: Any) -> tuple[Sequence[str], Any]:
        """Returns up to 5,000 blobs below ``prefix``, and where the next page begins."""
        return self.run(self._page, prefix, after)

    def look(self) -> None:
        """Looks at the container itself."""
        self.run(self._look)

    def failure(self, exc: Exception) -> Failure:
        """Returns what went wrong, by the service's code where it answered."""
        if isinstance(exc, ValueError) and "unable to connect to account" in str(exc):
            return Failure(
                trouble=Trouble.DENIED,
                reason="no storage account is named, or its credentials are incomplete",
                hint=f"Name it: the option account, or AZURE_STORAGE_ACCOUNT_NAME. {PUBLIC_HINT} {_HINT}",
            )
        for cause in chain(exc):
            if isinstance(cause, ForeignAnswerError):
                return foreign(str(cause), None, "Azure Blob Storage")
            if isinstance(cause, ClientAuthenticationError) and not cause.status_code:
                if "expired" in str(cause):
                    return expired(words(cause), _RENEW)
                hint = f"{PUBLIC_HINT} {_HINT}"
                return Failure(trouble=Trouble.DENIED, reason="no usable credentials", hint=hint)
            if isinstance(cause, HttpResponseError) and cause.status_code:
                return _answered(cause)
        lost = (ServiceRequestError, ServiceResponseError, HttpResponseError, ConnectionError, TimeoutError)
        trouble = Trouble.LOST if isinstance(exc, lost) else Trouble.REFUSED
        trouble = Trouble.AWAY if isinstance(exc, ServiceRequestError) and not _was_cut(exc) else trouble
        return Failure(trouble=trouble, reason=words(exc))

    def credentials(self) -> str:
        """Returns which credentials are used, in words."""
        if self.anonymous:
            return "none, as the option anonymous says"
        looked = ", ".join(name for _, name in _SOURCES)
        try:
            fs = self.fs
        except (ValueError, AzureError):
            return f"none found in {looked}"
        for attribute, name in _SOURCES:
            if getattr(fs, attribute):
                return name
        return f"Azure's default chain (workload or managed identity, az login), for none of {looked} is set"

    def _blob(self, path: str) -> Any:
        return self.fs.service_client.get_blob_client(self.bucket, path)

    def _container(self) -> Any:
        return self.fs.service_client.get_container_client(self.bucket)

    async def _get(self, path: str, start: int, stop: int | None) -> bytes:
        part = {} if stop is None else {"offset": start, "length": stop - start}
        bound = {} if stop is None else {"raw_response_hook": partial(_check_is_azure, most=stop - start)}
        stream = await self._blob(path).download_blob(**part, **{**_ONCE, **bound})
        data: bytes = await stream.readall()
        return data

    async def _put(self, path: str, data: bytes, *, overwrite: bool) -> None:
        await self._blob(path).upload_blob(data, overwrite=overwrite, **_ONCE)

    async def _head(self, path: str) -> Any:
        return await self._blob(path).get_blob_properties(**_ONCE)

    async def _delete(self, path: str) -> None:
        await self._blob(path).delete_blob(**_ONCE)

    async def _page(self, prefix: str, after: str | None) -> tuple[Sequence[str], str | None]:
        pages = self._container().list_blob_names(name_starts_with=prefix, **_ONCE).by_page(after)
        names: list[str] = []
        async for page in pages:
            names = [name async for name in page]
            break
        return names, pages.continuation_token or None

    async def _look(self) -> None:
        await self._container().get_container_properties(**_ONCE)


def _bound_answers(client: Any) -> None:
    """Lets lists and errors, which the SDK reads as a whole, be no larger than such an answer should be."""
    transport = client._pipeline._transport
    opened = transport.open

    async def open_bounded() -> None:
        await opened()
        transport.session._response_class = BoundedResponse

    transport.open = open_bounded


def _was_cut(exc: BaseException) -> bool:
    """Returns whether a connection was there, and broke while the request was sent."""
    from aiohttp import ClientConnectorError

    return not isinstance(getattr(exc, "inner_exception", None), ClientConnectorError)


def _answered(exc: HttpResponseError) -> Failure:
    status, code = int(exc.status_code or 0), getattr(exc, "error_code", None)
    code = str(getattr(code, "value", code) or "")
    trouble = _TROUBLE.get(code) or by_status(status)
    reason = f"the server answered {status} {code or exc.reason or ''}".strip()
    said = str(exc)
    if status == 401 or "Signature not valid in the specified time frame" in said or "expired" in said:
        return expired(reason, _RENEW)
    if "Request date header too old" in said or "Make sure the value of Date" in said:
        return Failure(trouble=trouble, reason=reason, hint=f"{_HINT} {_CLOCK}")
    return Failure(trouble=trouble, reason=reason, hint=_HINT if trouble is Trouble.DENIED else None)
