"""What a command needs to know about the world around it: the clock, the machine, the environment."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mu2net_core.redaction import shown

__all__ = ["Context", "cache_folder"]

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Handed to every verb, so that nothing below reads the environment by itself.

    Attributes:
        now: returns the time, with its zone.
        host: this machine's name.
        environ: environment variables.
        user_config: the user's ``config.toml``, whether it exists or not; None for no such layer.
        cwd: the folder relative paths are relative to.
        warn: told what works less well than it could.
        program: how the command line is called here, so that the commands in hints work where the user is.
        is_stopping: whether this process was asked to end, so that what can be left out is.
    """

    now: Callable[[], datetime]
    host: str
    environ: Mapping[str, str]
    user_config: Path | None
    cwd: Path
    warn: Callable[[str], None] = lambda _text: None
    program: str = "mu2net"
    is_stopping: Callable[[], bool] = lambda: False

    @classmethod
    def default(cls) -> Context:
        """Returns the context of this process."""
        from platformdirs import user_config_path

        return cls(
            now=_utc_now,
            host=socket.gethostname(),
            environ=dict(os.environ),
            user_config=user_config_path("mu2net", appauthor=False) / "config.toml",
            cwd=Path.cwd(),
        )

    def timestamp(self) -> str:
        """Returns the time as commits store it: UTC, ISO 8601 with microseconds."""
        return self.now().astimezone(UTC).isoformat(timespec="microseconds")


def cache_folder(context: Context) -> Path:
    """Returns the user's cache folder, which may not be there yet; a URL is warned of, as it is no folder."""
    named = context.environ.get("MU2NET_CACHE_DIR")
    if named and _URL.match(named):
        where = shown(named)
        context.warn(f"MU2NET_CACHE_DIR is the URL {where}, where nothing can be kept: name a folder of this machine")
    elif named:
        return context.cwd / Path(os.path.expanduser(named))  # noqa: PTH111  unlike Path's, knows no error
    from platformdirs import user_cache_path

    return user_cache_path("mu2net", appauthor=False)


def _utc_now() -> datetime:
    return datetime.now(UTC)
