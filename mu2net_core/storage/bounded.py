"""Answers of servers of which no more comes into memory than is accepted, whatever a server goes on to send."""

from __future__ import annotations

from typing import Any

from aiohttp import ClientResponse

from mu2net_core.storage.backend import EndlessAnswerError

__all__ = ["MOST_ANSWER", "BoundedResponse", "BoundedStream", "beginning"]

MOST_ANSWER = 32 * 2**20
"""Bytes of a list, an error or anything else that is no object: several times what any storage sends."""
_PIECE = 2**20


class BoundedStream:
    """The body of an answer; reading more than ``most`` bytes of it fails."""

    def __init__(self, stream: Any, most: int) -> None:
        self._stream, self._left, self._most = stream, most, most

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def read(self, n: int = -1) -> bytes:
        """Returns up to ``n`` bytes, or all."""
        if n >= 0:
            return self._counted(await self._stream.read(n))
        parts = []
        while part := await self.readany():
            parts.append(part)
        return b"".join(parts)

    async def readany(self) -> bytes:
        """Returns what is there."""
        return self._counted(await self._stream.readany())

    def _counted(self, part: bytes) -> bytes:
        self._left -= len(part)
        if self._left < 0:
            raise EndlessAnswerError(f"the server goes on sending after the {self._most} bytes that are accepted")
        return part


class BoundedResponse(ClientResponse):
    """An answer that is read as a whole only if it is no larger than an answer should be."""

    async def read(self) -> bytes:
        """Returns the body."""
        if self._body is None:
            self.content = BoundedStream(self.content, MOST_ANSWER)  # type: ignore[assignment]
        return await super().read()


async def beginning(stream: Any, most: int | None) -> bytes:
    """Returns the first ``most`` bytes of a body, all of it if it has no more or ``most`` is None."""
    parts, left = [], most
    while (left is None or left > 0) and (part := await stream.read(_PIECE if left is None else min(left, _PIECE))):
        parts.append(part)
        left = None if left is None else left - len(part)
    return b"".join(parts)
