"""Where lines end on a terminal; in a pipe nothing is wrapped."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mu2net_cli.printing.layout import cell_width, column_widths, wrapped, wrapped_cell
from mu2net_cli.printing.render import Column, print_table
from mu2net_cli.printing.text import print_line, print_lines
from mu2net_cli.session import Session

HINT = (
    "hint: It goes on where it stopped, if everything is as it was: mu2net evolve --task digits/five-or-more --seed 3 "
    "--generations 3 --children 2; or throw it away with `mu2net evolve --all --restart` and begin anew (see docs)."
)
COMMANDS = (
    "mu2net evolve --task digits/five-or-more --seed 3 --generations 3 --children 2",
    "mu2net evolve --all --restart",
)
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=30)


def draw_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)


def test_a_message_ends_its_lines_between_words_and_keeps_commands_whole(monkeypatch, capsys) -> None:
    draw_on_a_terminal(monkeypatch)
    print_line(HINT, err=True)
    lines = capsys.readouterr().err.splitlines()
    assert " ".join(line.strip() for line in lines) == HINT
    assert all(any(command in line for line in lines) for command in COMMANDS)
    assert all(len(line) <= 80 or "mu2net" in line for line in lines)
    assert len(lines) > 2


def test_nothing_is_wrapped_in_a_pipe(capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_line(HINT)
    print_lines([HINT, HINT])
    print_table(Session.start(), [Column(title="what")], [[HINT]])
    assert capsys.readouterr().out == f"{HINT}\n" * 4


@pytest.mark.parametrize(
    ("line", "second"),
    [
        (f"hyperparameters: {'mu=0.1, ' * 12}", " " * 17 + "mu=0.1,"),
        (f"error: {'word ' * 30}", "       word"),
        (f"  digits  {'word ' * 30}", "    word"),
        (f"│   ├── trained by digits {'word ' * 30}", "│   │   "),
        (f"└── head {'word ' * 30}", "      word"),
        ("x " * 60, "  x"),
    ],
)
def test_what_follows_is_indented_below_what_it_belongs_to(line: str, second: str) -> None:
    assert wrapped(line, 80).splitlines()[1].startswith(second)


@given(st.lists(WORDS, min_size=1, max_size=40), st.integers(20, 100))
def test_no_word_is_ever_broken_in_a_message(words: list[str], width: int) -> None:
    line = " ".join(words)
    lines = wrapped(line, width).splitlines()
    assert " ".join("".join(f"{part}\n" for part in lines).split()) == " ".join(line.split())
    assert {word for part in lines for word in part.split()} <= set(line.split())


@given(st.lists(WORDS, max_size=20), st.integers(2, 40))
def test_a_cell_never_gets_wider_than_its_column_and_loses_nothing(words: list[str], width: int) -> None:
    text = " ".join(words)
    lines = wrapped_cell(text, width).split("\n")
    assert all(cell_width(line.rstrip(" ")) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_a_long_path_in_a_cell_is_broken_after_its_slashes() -> None:
    lines = wrapped_cell("folder:/home/somebody/pictures/of/letters/in/many/folders", 32).splitlines()
    assert lines == ["folder:/home/somebody/pictures/", "of/letters/in/many/folders"]


def test_the_columns_of_a_table_give_way_together_but_for_those_of_one_word() -> None:
    titles, rows = ["id", "when", "message"], [["9787d08dfb", "2026-11-26 01:05:14", "word " * 20]]
    widths = column_widths(titles, rows, 60)
    assert widths == [10, 10, 40]
    assert sum(widths) == 60
    assert column_widths(titles, rows, 27) == [10, 10, 7]


def test_words_of_a_table_are_broken_only_where_nothing_else_helps() -> None:
    titles, rows = ["task", "train/validation/test"], [["digits/five-or-more", "1078/360/359"]]
    assert column_widths(titles, rows, 40) == [19, 21]
    assert sum(column_widths(titles, rows, 30)) == 30
    assert column_widths(titles, rows, 10) == [19, 21]


def test_a_table_fits_a_terminal_and_breaks_no_word(monkeypatch, capsys) -> None:
    draw_on_a_terminal(monkeypatch)
    message = "improved from 80.01% to 86.91%, as the examples of all other tasks were of use to it"
    cells = ["digits@{0}", "12", "9787d08dfb", "2026-11-26 01:05:14", "iteration", "1a2b3c4d on somewhere", message]
    columns = [Column(title=title) for title in ("revision", "entry", "commit", "when", "what", "who", "message")]
    print_table(Session.start(no_color=True), columns, [cells])
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line.rstrip()) <= 80 for line in lines)
    words = {word for line in lines[1:] for word in line.split()}
    assert words == {word for cell in cells for word in cell.split()}


def test_titles_in_a_pipe_if_asked_for(run, empty_repo) -> None:
    plain = run("-C", str(empty_repo), "config", "list", "evolve")
    titled = run("-C", str(empty_repo), "config", "list", "evolve", "--header")
    assert titled.out == "setting\tvalue\twhat it is\n" + plain.out


@pytest.mark.parametrize(
    "command",
    [
        "mu2net config set data.digits 'folder:/my pictures (old)/of digits, and letters'",
        "mu2net -C ../a/very/long/path evolve --task digits/five-or-more --generations 3 --seed 3",
        "mu2net -q --no-color push origin digits digits/parity digits/five-or-more digits/of-many-people",
    ],
)
def test_a_command_that_was_printed_can_be_pasted(command: str) -> None:
    lines = wrapped(f"{'word ' * 14}{command} (or where it lies here)", 80).splitlines()
    (pasted,) = [part for part in lines if "mu2net" in part]
    assert shlex.split(pasted) == shlex.split(command)


def test_a_command_ends_where_its_sentence_does() -> None:
    line = (
        "hint: Make one: ssh-keygen -t ed25519 -f /a/long/path/to/a/key. To sign nothing: mu2net config set sign.key ''"
    )
    assert wrapped(line, 80).splitlines() == [
        "hint: Make one: ssh-keygen -t ed25519 -f /a/long/path/to/a/key. To sign nothing:",
        "      mu2net config set sign.key ''",
    ]


def test_a_comment_behind_a_command_stays_one_in_every_line_so_that_all_can_be_pasted() -> None:
    command = "mu2net -C somewhere push origin"
    lines = wrapped(f"Next: {command}  # not there yet: {'digits, ' * 20}", 80).splitlines()
    assert len(lines) > 2
    assert shlex.split(lines[0].removeprefix("Next: "), comments=True) == command.split()
    assert [shlex.split(line, comments=True) for line in lines[1:]] == [[]] * (len(lines) - 1)
