"""The documentation says what the code says."""

from __future__ import annotations

import re
import runpy
from dataclasses import fields
from pathlib import Path

import pytest

from mu2net_cli.parsing.group import load_verb
from mu2net_cli.parsing.verbs import VERBS
from mu2net_core.objects import LIMITS, Limits, described

ROOT = Path(__file__).parents[2]


def test_the_command_line_page_is_current() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "make_cli.py"))["page"]
    assert (ROOT / "docs" / "cli.md").read_text() == page(), "run: python docs/make_cli.py"


def test_every_example_on_the_command_line_page_can_be_pasted() -> None:
    blocks = re.findall(r"```console\n(.*?)```", (ROOT / "docs" / "cli.md").read_text(), flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) > len(VERBS) / 2
    assert [line for line in lines if not line.startswith("mu2net ")] == []


@pytest.mark.parametrize("name", VERBS)
def test_each_example_of_a_verb_is_a_paragraph_of_its_help(name: str) -> None:
    text = load_verb(name).help or ""
    assert text.count("Example: ") == len(re.findall(r"(?:^|\n\n)Example: ", text))


def test_the_python_page_is_current() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "make_python.py"))["page"]
    assert (ROOT / "docs" / "python.md").read_text() == page(), "run: python docs/make_python.py"


def test_the_pages_of_settings_and_presets_are_current() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_settings.py"))
    assert (ROOT / "docs" / "settings.md").read_text() == made["page"](), "run: python docs/make_settings.py"
    assert (ROOT / "docs" / "method.md").read_text() == made["method_page"](), "run: python docs/make_settings.py"
    assert made["BEGIN"] + made["presets_table"]() + made["END"] in made["method_page"]()


@pytest.mark.parametrize("name", VERBS)
def test_the_help_of_a_verb_begins_with_its_line_in_the_overview(name: str) -> None:
    text = load_verb(name).help
    assert text
    assert text.splitlines()[0] == VERBS[name].help


def pages() -> list[Path]:
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", pages(), ids=lambda p: p.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    targets = [target for target in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in target]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert not missing


@pytest.mark.parametrize("page", pages(), ids=lambda p: p.name)
def test_every_command_in_the_documentation_exists(page: Path) -> None:
    code = re.findall(r"```.*?```|`[^`]+`", page.read_text(), flags=re.DOTALL)
    commands = re.findall(r"\bmu2net (?:-C \S+ |-q )?([a-z][a-z-]*)", "\n".join(code))
    assert set(commands) <= set(VERBS)


def test_the_table_of_limits_is_the_codes() -> None:
    page = (ROOT / "docs" / "security.md").read_text()
    rows = re.findall(r"^\| `limits\.(\w+)` \| (\d+)(?: \([^)]*\))? \| (.+) \|$", page, flags=re.MULTILINE)
    texts = described(Limits)
    expected = [(field.name, str(getattr(LIMITS, field.name)), texts[field.name]) for field in fields(Limits)]
    assert rows == sorted(expected)
