"""Settings that others wrote, made to keep whoever reads them busy: refused soon, and in little memory."""

from __future__ import annotations

import tomllib
import tracemalloc
from pathlib import Path

import pytest

from mu2net_core.api.context import Context
from mu2net_core.api.sharing.clone import clone
from mu2net_core.errors import CorruptObjectError, InvalidInputError
from mu2net_core.objects import LIMITS
from mu2net_core.repo import Remote
from mu2net_core.repo.core.config import Config, parse_value, read_user_config
from mu2net_core.repo.remotes.remote_listing import is_config
from mu2net_core.repo.remotes.remotes import connect
from mu2net_core.storage import open_store
from mu2net_core.testing.building.samples import SAMPLE_IDENTITY, sample_repository
from mu2net_core.testing.servers.servers import Bucket

BEGIN = f'format = 1\nidentity = "{SAMPLE_IDENTITY}"\npreset = "vit-ti0"\n'
BOMBS = {
    "a dotted key": "[settings]\n" + ".".join(["a"] * 12_000) + " = 1\n",
    "quoted": "[settings]\n" + ' . '.join(['"a"'] * 12_000) + " = 1\n",
    "escaped": "[settings]\n" + ".".join([r'"\""'] * 12_000) + " = 1\n",
    "literal": "[settings]\n" + "\t.'".join(["a'"] * 12_000).removeprefix("a'\t.") + " = 1\n",
    "a table": "[" + ".".join(["a"] * 12_000) + "]\n",
    "tables": "[[" + ".".join(["a"] * 12_000) + "]]\n",
    "in a table": "[settings]\nx = {" + ".".join(["a"] * 12_000) + " = 1}\n",
    "lists": "[settings]\na = " + "[" * 100_000 + "]" * 100_000 + "\n",
    "tables in tables": "[settings]\na = " + "{a=" * 50_000 + "1" + "}" * 50_000 + "\n",
    "a number": "[settings]\na = " + "9" * 900_000 + "\n",
    "a number in hex": "[settings]\na = 0x" + "f" * 900_000 + "\n",
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_they_are_refused_in_little_memory_and_before_dots_become_tables(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[str] = []
    monkeypatch.setattr(tomllib, "loads", lambda text, real=tomllib.loads: (parsed.append(text), real(text))[1])
    data = (BEGIN + BOMBS[name]).encode()
    tracemalloc.start()
    try:
        with pytest.raises((CorruptObjectError, InvalidInputError), match="Cannot read it"):
            Config.parse(data, what="it", foreign=True)
        is_config(data)
        assert tracemalloc.get_traced_memory()[1] < 200 * 2**20
    finally:
        tracemalloc.stop()
    assert not parsed or "." not in BOMBS[name]


@pytest.mark.timeout(60)  # where each character is looked at again for each other one it takes hours
@pytest.mark.parametrize("line", ["a" * 900_000, '"' * 900_000, "'\"" * 400_000, ("a" + " " * 999) * 900])
def test_looking_for_them_takes_no_longer_than_reading(line: str) -> None:
    assert len(BEGIN + line) < LIMITS.config_bytes
    with pytest.raises(CorruptObjectError):
        Config.parse((BEGIN + line).encode(), what="it", foreign=True)


def test_what_people_write_is_read() -> None:
    text = BEGIN + '[settings.data]\n"a/b" = "folder:/x/v1.2.3/a.b.c.d.e.f"\n[settings.space]\nmu = [0.1, 0.2]\n'
    text += "learning_rate = [" + ", ".join(f"0.{n}" for n in range(200)) + "]\n"
    settings = Config.parse(text.encode(), what="it").settings
    assert settings["data.a/b"] == "folder:/x/v1.2.3/a.b.c.d.e.f"
    assert len(settings["space.learning_rate"]) == 200  # type: ignore[arg-type]


@pytest.mark.parametrize("place", ["folder", "moto_bucket"])
def test_a_clone_ends_at_once(place: str, request: pytest.FixtureRequest, tmp_path: Path, context: Context) -> None:
    data = (BEGIN + BOMBS["a dotted key"]).encode()
    if place == "folder":
        sample_repository(tmp_path / "shared", bare=True)
        (tmp_path / "shared" / "config.toml").write_bytes(data)
        url, options = str(tmp_path / "shared"), {}
    else:
        bucket: Bucket = request.getfixturevalue(place)
        url, options = bucket.url, bucket.options
        open_store(url, options).create("config.toml", data)
    with pytest.raises(InvalidInputError, match="names are joined by dots"):
        clone(url, "copy", context, options=options)
    with pytest.raises(InvalidInputError):
        connect(Remote(name="origin", url=url, options=options)).config()


def test_ones_own_odd_values_are_text_or_named(tmp_path: Path) -> None:
    for text in ("9" * 5000, "[" * 5000):
        assert parse_value(text) == text
        (tmp_path / "config.toml").write_text(f"[settings]\na = {text}\n")
        with pytest.raises(InvalidInputError, match=r"config\.toml"):
            read_user_config(tmp_path / "config.toml")
