"""Places of data that hold a secret, also of sources that other packages bring: refused before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.setup.config import set_
from mu2net_core.api.tasks.add_task import add_task
from mu2net_core.api.tasks.options import TaskOptions
from mu2net_core.data import describe
from mu2net_core.data.catalogue import SOURCES
from mu2net_core.errors import InvalidInputError
from mu2net_core.repo import Repository
from mu2net_core.testing.attacks.secrets import SECRET
from mu2net_core.testing.building.plugins import offer
from mu2net_core.testing.building.samples import add_sample_task, sample_repository

URIS = (
    f"warehouse://ann:{SECRET}@host/db",
    f"warehouse:ann:{SECRET}@host/db",
    f"warehouse:db?password={SECRET}",
    f"warehouse:db;password={SECRET}",
    f"warehouse:db&token={SECRET}",
    f"warehouse:db#secret={SECRET}",
    f"warehouse:s3://KEY:{SECRET}@bucket/x",
    f"warehouse:db%3Fpassword%3D{SECRET}",
    f"warehouse+sql://ann:{SECRET}@host",
    f"warehouse::s3://KEY:{SECRET}@bucket",
    f"WAREHOUSE://{SECRET}:@host/db",
    f"tfds:mnist?token={SECRET}",
    f"sklearn:digits#key={SECRET}",
)


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    return sample_repository(tmp_path / "work")


@pytest.mark.parametrize("uri", URIS)
def test_a_secret_is_neither_shared_nor_kept_nor_repeated(
    uri: str, repo: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(describe, "open_source", lambda *_args, **_more: pytest.fail("it was opened"))
    add_sample_task(repo, "cats")
    before = {path: path.read_bytes() for path in repo.path.rglob("*") if path.is_file()}
    with pytest.raises(InvalidInputError) as adding:
        add_task(repo, context, uri, TaskOptions(name="dogs"))
    with pytest.raises(InvalidInputError) as setting:
        set_(repo, context, "data.cats", uri)
    for error in (adding.value, setting.value):
        assert SECRET not in f"{error.message} {error.hint}"
    assert {path: path.read_bytes() for path in repo.path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("uri", ["warehouse:db/cats", "warehouse://host/db", "warehouse:v1.2/a b", "warehouse:cats@2"])
def test_what_holds_none_is_let_pass(
    uri: str, repo: Repository, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OpenedError(Exception):
        """What was given was taken for a place of data."""

    def opened(*_args: object, **_more: object) -> None:
        raise OpenedError

    monkeypatch.setattr(describe, "open_source", opened)
    offer(monkeypatch, SOURCES, warehouse=opened)
    with pytest.raises(OpenedError):
        add_task(repo, context, uri, TaskOptions(name="dogs"))
