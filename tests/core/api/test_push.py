from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.push import push
from mu2net_core.errors import InvalidInputError, NotFoundError
from mu2net_core.objects import AccessRule
from mu2net_core.repo import Repository, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.repo.remotes.reports import Progress
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample, sample_repository

NOBODY = 65534


def test_to_a_folder_that_is_not_there_yet(repo: Repository, context: Context, tmp_path: Path) -> None:
    add_sample_task(repo, "a")
    evolve_sample(repo, "a", score=0.5)
    remote.add(repo, context, "origin", "deep/shared")
    result = push(repo, context)
    assert (result.remote, result.url) == ("origin", str(tmp_path / "deep" / "shared"))
    assert [(report.task, report.outcome) for report in result.tasks] == [("a", "new")]
    shared = open_repository(tmp_path / "deep" / "shared")
    assert shared.config.preset == repo.config.preset
    assert shared.config.remotes == {}
    assert fsck(shared).problems == ()


def test_says_what_it_skips(repo: Repository, context: Context) -> None:
    add_sample_task(repo, "hush", AccessRule.only(["hush"]))
    remote.add(repo, context, "origin", "shared")
    (report,) = push(repo, context).tasks
    assert (report.outcome, report.commit) == ("skipped", None)
    assert report.reason == "hush is private, and the remote is for everybody"


def test_tells_how_far_it_is(repo: Repository, context: Context) -> None:
    add_sample_task(repo, "a")
    remote.add(repo, context, "origin", "shared")
    seen: list[Progress] = []
    result = push(repo, context, progress=seen.append)
    assert seen[-1].num_objects == result.num_objects > 0


def test_needs_a_remote(repo: Repository, context: Context) -> None:
    with pytest.raises(NotFoundError, match="has no remote"):
        push(repo, context)


def test_needs_a_policy_it_knows(repo: Repository, context: Context) -> None:
    remote.add(repo, context, "origin", "shared")
    with pytest.raises(InvalidInputError, match="on-conflict: expected one of best, ours, theirs, fail"):
        push(repo, context, on_conflict="worst")  # type: ignore[arg-type]


def test_refuses_a_folder_that_filled_with_other_things(repo: Repository, context: Context, tmp_path: Path) -> None:
    remote.add(repo, context, "origin", "shared")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "cat.jpg").touch()
    with pytest.raises(InvalidInputError, match=r"holds other things \(cat\.jpg\)"):
        push(repo, context)


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """Returns a folder every user can enter (pytest's own are closed)."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def give_away(folder: Path) -> None:
    """Gives ``folder`` to another user, if we may."""
    if os.geteuid() == 0:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, NOBODY, NOBODY)


@pytest.mark.parametrize("exists", [True, False])
def test_without_rights_says_so_and_loses_nothing(open_to_all: Path, context: Context, exists: bool) -> None:
    """The pushing process has no rights over there: as root it becomes another user first, else the folder is shut."""
    repo = sample_repository(open_to_all / "mine" / "work")
    add_sample_task(repo, "a")
    closed = open_to_all / "closed"
    closed.mkdir()
    remote.add(repo, context, "origin", str(closed / "shared"))
    if exists:
        push(repo, context)
    state = evolve_sample(repo, "a", score=0.5)
    give_away(open_to_all / "mine")
    for path in (closed, *closed.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)

    command = [sys.executable, "-c", _WITHOUT_RIGHTS, str(repo.worktree), str(NOBODY)]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)

    for path in (closed, *closed.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert told.stdout.startswith("AccessDeniedError 5 Cannot "), told.stderr
    assert str(closed) in told.stdout
    assert "Permission denied" in told.stdout
    assert not list(closed.rglob(".tmp-*"))
    assert open_repository(repo.worktree).refs.head("a") == state
    assert push(repo, context).tasks[0].commit == state.commit
    assert fsck(open_repository(closed / "shared")).problems == ()


_WITHOUT_RIGHTS = textwrap.dedent("""
    import os, sys
    from datetime import UTC, datetime
    from pathlib import Path
    from mu2net_core.api.context import Context
    from mu2net_core.api.sharing.push import push
    from mu2net_core.codec.root import read_label  # while the rights to read this package are there
    from mu2net_core.errors import Mu2netError
    from mu2net_core.repo import open_repository

    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(int(sys.argv[2]))
        os.setuid(int(sys.argv[2]))
    here = Path(sys.argv[1])
    context = Context(now=lambda: datetime.now(UTC), host="h", environ={}, user_config=None, cwd=here)
    try:
        push(open_repository(here), context)
    except Mu2netError as exc:
        print(type(exc).__name__, exc.exit_code, exc)
""")


def test_a_name_that_is_neither_task_nor_remote(repo: Repository, context: Context) -> None:
    add_sample_task(repo, "a")
    remote.add(repo, context, "origin", "shared")
    with pytest.raises(NotFoundError, match=r"no task orign here, and no remote orign \(remotes: origin\)") as info:
        push(repo, context, tasks=["orign"])
    assert info.value.hint == "Did you mean origin?"
