"""What a mailmap makes of the names and addresses of commits: git's rules, with keys and machines for addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from mu2net_core.api.credits.mailmap import Proper, read_mailmap
from mu2net_core.errors import InvalidInputError, NotFoundError

KEY, OLD = "SHA256:AbC", "SHA256:old"


def proper(folder: Path, text: str, *addresses: str, name: str = "host") -> tuple[str | None, str | None]:
    path = folder / "names"
    path.write_text(text, encoding="utf-8")
    found = read_mailmap(path, is_asked=True).proper(addresses, name)
    return found.name, found.address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Ann Lee <{KEY}>", ("Ann Lee", None)),
        (f"  Ann Lee\t<{KEY}> # her laptop", ("Ann Lee", None)),
        (f"<{OLD}> <{KEY}>", (None, OLD)),
        (f"Ann Lee <{OLD}> <{KEY}>", ("Ann Lee", OLD)),
        (f"Ann Lee <{OLD}> host <{KEY}>", ("Ann Lee", OLD)),
        (f"Ann Lee <{OLD}> HOST <{KEY}>", ("Ann Lee", OLD)),
        (f"Ann Lee <{OLD}> other host <{KEY}>", (None, None)),
        (f"Ann Lee <{KEY}> <{OLD}>", (None, None)),
        (f"Any <{KEY}>\nAnn <{OLD}> host <{KEY}>", ("Ann", OLD)),
        (f"Ann <{OLD}> host <{KEY}>\nAny <{KEY}>", ("Ann", OLD)),
        (f"Ann <{KEY}>\nAnn Lee <{KEY}>", ("Ann Lee", None)),
        (f"Ann <{KEY}>\n<{OLD}> <{KEY}>", ("Ann", OLD)),
        (f"# Ann <{KEY}>\n\nAnn\n<>\nAnn <{KEY}", (None, None)),
        (f"Ann <ann@example.org> <{KEY.lower()}>", (None, None)),
        (f"Ann <{KEY}>\r\n", ("Ann", None)),
    ],
)
def test_a_line_names_a_key_as_git_would_an_address(
    tmp_path: Path, text: str, expected: tuple[str | None, str | None]
) -> None:
    assert proper(tmp_path, text, KEY) == expected


def test_machines_and_working_copies_are_matched_whatever_their_case(tmp_path: Path) -> None:
    text = "Ann <Ann-Laptop>\nBob <00ff>"
    assert proper(tmp_path, text, "1234", "ann-LAPTOP") == ("Ann", None)
    assert proper(tmp_path, text, "00FF", "ann-laptop") == ("Bob", None)  # the working copy says more than its machine


def test_there_need_be_none_unless_somebody_asked_for_it(tmp_path: Path) -> None:
    assert read_mailmap(tmp_path / "none", is_asked=False).proper([KEY], "host") == Proper()
    with pytest.raises(NotFoundError, match="no mailmap"):
        read_mailmap(tmp_path / "none", is_asked=True)


def test_what_is_no_text_or_too_large_or_a_folder_is_no_trap(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe <x>\nAnn <SHA256:AbC>\n")
    assert read_mailmap(tmp_path / "bytes", is_asked=True).proper([KEY], "").name == "Ann"
    (tmp_path / "large").write_bytes(b"x" * (2**20 + 1))
    for name, said in (("large", "more than 1048576 bytes"), (".", "Cannot read the mailmap")):
        with pytest.raises(InvalidInputError, match=said):
            read_mailmap(tmp_path / name, is_asked=True)
