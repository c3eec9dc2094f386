"""The lock that dies with its holder."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from mu2net_core.errors import ConflictError
from mu2net_core.storage import FileLock
from mu2net_core.storage.lock import holder_of


def test_a_lock_that_is_freed_soon_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = FileLock(tmp_path / "lock")
    first.__enter__()
    monkeypatch.setattr("time.sleep", lambda _seconds: first.__exit__(None, None, None))
    with FileLock(tmp_path / "lock", patience_s=60):
        assert holder_of(tmp_path / "lock") == os.getpid()


def test_who_holds_a_lock_is_named_if_it_can_be_told(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    with (
        FileLock(file),
        pytest.raises(ConflictError, match=f"process {os.getpid()} on this machine holds it"),
        FileLock(file, patience_s=0),
    ):
        pass
    with file.open("w") as handle:  # taken a moment ago, and nothing written yet
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(ConflictError, match="another process on this machine"), FileLock(file, patience_s=0):
            pass


def test_a_lock_that_nobody_holds_has_no_holder_whatever_its_file_says(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    assert holder_of(file) is None
    for text in ("", "soon", "99999999999999999999", str(os.getpid())):
        file.write_text(text)
        assert holder_of(file) is None
