"""The commands and examples of README, tutorial and the page on Python run, in order, as written."""

from __future__ import annotations

import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from mu2net_cli.main import main
from mu2net_core.testing.building.tiny import tiny_presets

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"(?P<mark><!-- not run: [^>]*-->\n)?```(?P<kind>console|python)\n(?P<code>.*?)```", re.DOTALL)


def blocks(page: Path) -> Iterator[tuple[str, str]]:
    """Yields kind and code of every block that is not marked ``<!-- not run: why -->``."""
    for match in BLOCK.finditer(page.read_text()):
        if not match["mark"]:
            yield match["kind"], match["code"]


def run_console(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for line in code.splitlines():
        if not line.startswith("$ "):
            continue
        program, *args = shlex.split(line.removeprefix("$ "), comments=True)
        if program == "cd":
            monkeypatch.chdir(Path.cwd() / args[0])
        else:
            assert program == "mu2net", line
            assert main(args) == 0, line


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Makes every iteration as short as can be."""
    for name, value in {"GENERATIONS": "1", "CHILDREN": "1", "VALIDATIONS": "1"}.items():
        monkeypatch.setenv(f"MU2NET_EVOLVE_{name}", value)
    with tiny_presets():
        yield


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md", "docs/python.md"])
def test_a_page_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind, code in blocks(ROOT / page):
        if kind == "console":
            run_console(code, monkeypatch)
        else:
            monkeypatch.chdir(tmp_path)
            exec(compile(code, page, "exec"), {})


def test_the_transfer_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(ROOT / "examples" / "transfer.py"), run_name="__main__")
    alone, together = capsys.readouterr().out.splitlines()
    assert alone.startswith("alone: test accuracy 0.")
    assert together.startswith("together: test accuracy 0.")
