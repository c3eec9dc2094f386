from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mu2net_cli
from mu2net_cli.printing.text import print_document, print_line, print_lines, print_row, visible

HOSTILE = "a\x1b[31m\x1b]8;;http://x\x07b\r\n\tc\x9b2J\u202ed\u2066\u200b\ue000\ufeff\udc80\U000e0041[red]x[/red]"


def is_harmless(text: str) -> bool:
    return all(char.isprintable() or char in "\u200c\u200d\u00a0\u3000" for char in text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, é, 漢字, ক্ষ, 🙂", "plain, é, 漢字, ক্ষ, 🙂"),
        ("non\u00a0breaking, র\u200d্য", "non\u00a0breaking, র\u200d্য"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("one\ntwo\r\tthree", r"one\ntwo\r\tthree"),
        ("\x9b2J", r"\x9b2J"),
        ("\u202egpj.exe", r"\u202egpj.exe"),
        ("\U000e0041", r"\U000e0041"),
        ("half \udc80", r"half \udc80"),
        ("[red]x[/red]", "[red]x[/red]"),
    ],
)
def test_what_would_steer_a_terminal_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text(st.characters(codec=None)))
def test_whatever_is_shown_is_harmless(text: str) -> None:
    assert all(char.isprintable() or char.isspace() or char in "\u200c\u200d" for char in visible(text))
    assert "\n" not in visible(text)
    visible(text).encode()


def test_what_is_very_long_is_cut() -> None:
    assert visible("x" * 30_000).endswith("... (10000 more characters)")


def test_a_line_is_one_line_and_a_row_one_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_line(HOSTILE)
    print_lines([HOSTILE, "second"])
    print_row([HOSTILE, "second"], between="\t")
    out = capsys.readouterr().out
    assert len(out.splitlines()) == 4
    assert out.count("\t") == 1
    assert is_harmless(out.replace("\n", "").replace("\t", ""))


def test_a_document_says_the_same_in_harmless_characters(capsys: pytest.CaptureFixture[str]) -> None:
    value = {HOSTILE: [HOSTILE, "é漢"]}
    print_document(json.dumps(value, ensure_ascii=False, indent=2))
    out = capsys.readouterr().out
    assert json.loads(out) == value
    assert is_harmless(out.replace("\n", ""))
    assert "é漢" in out


def test_nothing_is_printed_past_this_module() -> None:
    calls = (
        (path.name, ast.unparse(node.func))
        for path in Path(mu2net_cli.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    )
    assert {name for name, called in calls if called in {"print", "typer.echo", "typer.secho"}} == {"text.py"}
