"""How aiobotocore sends requests, with answers of bounded size: lists and errors are read as a whole."""

from __future__ import annotations

from typing import Any

from aiobotocore.httpsession import AIOHTTPSession

from mu2net_core.storage.bounded import BoundedResponse

__all__ = ["BoundedSession"]


class BoundedSession(AIOHTTPSession):  # type: ignore[misc]
    """A session whose answers are bounded."""

    async def _get_session(self, proxy_url: str | None) -> Any:
        session = await super()._get_session(proxy_url)
        session._response_class = BoundedResponse
        return session
