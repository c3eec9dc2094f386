from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.setup.open import open_repo
from mu2net_core.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    CorruptObjectError,
    InvalidInputError,
    NotFoundError,
)
from mu2net_core.repo import Repository, create_repository, find_repository, open_repository
from mu2net_core.storage import LocalStore


def test_a_new_repository_can_be_found_and_opened(tmp_path: Path) -> None:
    made = create_repository(tmp_path / "new", preset="vit-ti0", settings={"search": {"mu": 0.2}})
    (tmp_path / "new" / "sub" / "folder").mkdir(parents=True)
    found = open_repository(find_repository(tmp_path / "new" / "sub" / "folder"))
    assert found.path == made.path == tmp_path / "new" / ".mu2net"
    assert found.worktree == tmp_path / "new"
    assert (found.config.preset, found.config.settings) == ("vit-ti0", {"search.mu": 0.2})
    assert (found.refs.tasks(), dict(found.refs.roots())) == ((), {})


def test_a_bare_repository_is_the_folder_itself(tmp_path: Path) -> None:
    made = create_repository(tmp_path / "bare", preset="vit-ti0", bare=True)
    assert made.path == made.worktree == tmp_path / "bare"
    assert find_repository(tmp_path / "bare") == find_repository(tmp_path / "bare" / "objects") == tmp_path / "bare"
    assert open_repository(tmp_path / "bare").path == made.path


def test_from_inside_the_folder_the_worktree_is_its_parent(repo: Repository) -> None:
    assert open_repository(find_repository(repo.path / "objects")).worktree == repo.worktree


def test_no_repository_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="No repository in") as caught:
        find_repository(tmp_path)
    assert "mu2net init" in str(caught.value)
    with pytest.raises(NotFoundError, match="No repository in"):
        open_repository(tmp_path / "nowhere")


@pytest.mark.parametrize("bare", [False, True])
def test_a_second_one_is_refused(tmp_path: Path, bare: bool) -> None:
    create_repository(tmp_path, preset="vit-ti0", bare=bare)
    with pytest.raises(AlreadyExistsError, match=r"a repository in .* already"):
        create_repository(tmp_path, preset="vit-b", bare=bare)
    assert open_repository(tmp_path).config.preset == "vit-ti0"


def test_a_bare_one_does_not_move_in_with_others(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"x")
    with pytest.raises(InvalidInputError, match="holds other things"):
        create_repository(tmp_path, preset="vit-ti0", bare=True)


_KILLED = """
import os, sys
from pathlib import Path
from mu2net_core.repo import create_repository
calls = [int(sys.argv[2])]
def counted(function):
    def call(*args, **kwargs):
        calls[0] -= 1
        if calls[0] == 0:
            os._exit(9)
        return function(*args, **kwargs)
    return call
os.link, os.fsync, os.write, os.mkdir = map(counted, (os.link, os.fsync, os.write, os.mkdir))
create_repository(Path(sys.argv[1]), preset="vit-ti0")
"""


def test_killed_at_any_moment_it_can_be_made_again(tmp_path: Path) -> None:
    unfinished = 0
    for moment in range(1, 30, 3):
        folder = tmp_path / str(moment)
        folder.mkdir()
        done = subprocess.run([sys.executable, "-c", _KILLED, str(folder), str(moment)], check=False)
        if done.returncode == 0:
            break
        if (folder / ".mu2net" / "config.toml").exists():
            continue
        unfinished += 1
        if (folder / ".mu2net").exists():
            with pytest.raises(NotFoundError, match="an unfinished one"):
                find_repository(folder)
        create_repository(folder, preset="vit-ti0")
        assert open_repository(folder).config.preset == "vit-ti0"
    assert unfinished >= 2


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("format = 2\n", InvalidInputError, "of format 2, a future format"),
        ("format = 1\n", InvalidInputError, "missing or misplaced entry"),
        ("preset = 'vit-ti0'\n", InvalidInputError, "missing or misplaced entry"),
        ("", InvalidInputError, "missing or misplaced entry"),
        ("format = ", CorruptObjectError, "Cannot read"),
        ("format = 1\npreset = 'x'\nremotes = 3\n", InvalidInputError, "missing or misplaced entry"),
        ("format = 1\npreset = 'x'\n[remotes.origin]\n", InvalidInputError, "missing or misplaced entry"),
    ],
)
def test_settings_that_cannot_be_right(repo: Repository, text: str, error: type[Exception], message: str) -> None:
    (repo.path / "config.toml").write_text(text)
    with pytest.raises(error, match=message):
        open_repository(repo.path)


def test_the_agent_id_is_stable_and_own(repo: Repository, tmp_path: Path) -> None:
    other = create_repository(tmp_path / "other", preset="vit-ti0")
    assert repo.agent_id == open_repository(repo.path).agent_id != other.agent_id
    assert len(repo.agent_id) == 32


def test_a_copy_of_a_working_copy_has_an_agent_id_of_its_own_and_a_moved_one_keeps_it(
    repo: Repository, tmp_path: Path
) -> None:
    mine = repo.agent_id
    shutil.copytree(repo.worktree, tmp_path / "copy")
    copy = open_repository(tmp_path / "copy")
    assert copy.agent_id != mine
    assert copy.agent_id == open_repository(tmp_path / "copy").agent_id
    repo.worktree.rename(tmp_path / "moved")
    assert open_repository(tmp_path / "moved").agent_id == mine


@pytest.mark.parametrize("damage", [b"", b"\xff\xfe not an id"])
def test_an_agent_id_that_is_damaged_is_made_anew(repo: Repository, damage: bytes) -> None:
    before = repo.agent_id
    (repo.state / "agent").write_bytes(damage)
    assert repo.agent_id not in {before, ""}
    assert len(repo.agent_id) == 32


def test_a_folder_without_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied")

    store = LocalStore(tmp_path)
    for owner, name in ((Path, "is_file"), (Path, "exists"), (os, "lstat")):
        monkeypatch.setattr(owner, name, refuse)
    calls: list[Callable[[], object]] = [
        lambda: find_repository(tmp_path),
        lambda: open_repository(tmp_path),
        lambda: create_repository(tmp_path, preset="vit-ti0"),
        lambda: store.exists("a"),
    ]
    for call in calls:
        with pytest.raises(AccessDeniedError, match="Permission denied"):
            call()


def test_two_processes_that_need_an_id_at_once_get_the_same(repo: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    read = LocalStore.read

    def late(store: LocalStore, key: str) -> bytes:
        if not (store.root / key).exists():
            (store.root / key).write_bytes(b"theirs\n")
            raise NotFoundError("not there yet")
        return read(store, key)

    monkeypatch.setattr(LocalStore, "read", late)
    assert repo.agent_id == "theirs"


def test_open_repo_walks_up_from_the_current_folder(repo: Repository, context: Context) -> None:
    with pytest.raises(NotFoundError):
        open_repo(None, context)
    assert open_repo("work", context).path == repo.path
    inside = Context(now=context.now, host=context.host, environ={}, user_config=None, cwd=repo.worktree)
    assert open_repo(None, inside).path == repo.path


def test_the_default_context_knows_this_machine() -> None:
    context = Context.default()
    assert context.cwd == Path.cwd()
    assert context.host
    assert context.timestamp().endswith("+00:00")
