"""Files as people have them, spoiled in one way each: read as they were meant, and told, or refused with a reason."""

from __future__ import annotations

import codecs
import gzip
from pathlib import Path
from typing import Any

import msgspec
import pyarrow
import pytest
from pyarrow import parquet

from mu2net_core.data import SourceInfo, open_source
from mu2net_core.errors import DataError, Mu2netError
from mu2net_core.objects import Slice

ROWS = [("3", "red", "yes"), ("4", "blue", "no"), ("5", "red", "yes"), ("6", "blue", "no"), ("7", "red", "yes")] * 4
HEADER = "size,colour,y\n"
BODY = "".join(f"{','.join(row)}\n" for row in ROWS)
PLAIN = HEADER + BODY
LINES = "".join(msgspec.json.encode({"size": int(a), "colour": b, "y": c}).decode() + "\n" for a, b, c in ROWS)

Read = tuple[SourceInfo, list[dict[str, Any]]]


def read(folder: Path, data: bytes, name: str = "data.csv", **options: str | bool) -> Read:
    """Returns what a file holds, its rows in order of their numbers."""
    (folder / name).write_bytes(data)
    scheme = "jsonl" if ".jsonl" in name else name.rpartition(".")[2] if name.endswith("parquet") else "csv"
    source = open_source(f"{scheme}:{folder / name}", options={"target": "y", **options})
    info = source.info()
    stored = [
        one for split, count in info.splits.items() for one in source.read([Slice(split=split, start=0, stop=count)])
    ]
    stored.sort(key=lambda one: int(one.name.rpartition(" ")[2]))
    return info, [msgspec.json.decode(one.input) for one in stored if isinstance(one.input, bytes)]


def plain_rows(**renamed: str) -> list[dict[str, str]]:
    return [{renamed.get("size", "size"): a, renamed.get("colour", "colour"): b} for a, b, _ in ROWS]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        pytest.param(codecs.BOM_UTF8 + PLAIN.encode(), "", id="a byte order mark"),
        pytest.param(PLAIN.encode("utf-16"), "it is utf-16", id="UTF-16, as spreadsheets save it"),
        pytest.param(PLAIN.replace("\n", "\r\n").encode(), "", id="line ends of Windows"),
        pytest.param(PLAIN.replace("\n", "\r").encode(), "", id="line ends of old Macs"),
        pytest.param(PLAIN.rstrip().encode(), "", id="no end of the last line"),
        pytest.param(PLAIN.replace("\n", "\n\n").encode(), "", id="blank lines"),
        pytest.param(PLAIN.replace(",", ";").encode(), "parted by a semicolon", id="semicolons"),
        pytest.param(PLAIN.replace(",", "\t").encode(), "parted by a tab", id="tabs"),
        pytest.param(b"sep=;\n" + PLAIN.replace(",", ";").encode(), "parted by a semicolon", id="Excel's first line"),
        pytest.param(PLAIN.replace("\n", ",\n").encode(), "", id="a separator at the end of each line"),
        pytest.param(PLAIN.replace(",", " , ").encode(), "", id="spaces around cells"),
        pytest.param(PLAIN.replace("red", '"red"').encode(), "", id="quotes around some cells"),
        pytest.param(gzip.compress(PLAIN.encode()), "", id="gzip under a plain name"),
    ],
)
def test_what_was_meant_is_read(tmp_path: Path, data: bytes, told: str) -> None:
    info, rows = read(tmp_path, data)
    assert rows == plain_rows()
    assert info.classes == ("no", "yes")
    assert told in "; ".join(info.notes)
    assert bool(info.notes) == bool(told)


def test_decimal_commas_are_told_and_read_as_numbers(tmp_path: Path) -> None:
    info, _ = read(tmp_path, b"size;y\n" + b"1,5;a\n1.200,25;b\n2;a\n" * 5)
    assert info.options["decimal"] == ","
    assert "numbers have decimal commas" in info.notes


def test_old_windows_letters_are_told_and_read(tmp_path: Path) -> None:
    info, rows = read(tmp_path, PLAIN.replace("red", "grün").encode("cp1252"))
    assert rows[0]["colour"] == "grün"
    assert any("read as Windows-1252" in note for note in info.notes)


def test_columns_of_one_name_or_none_get_names_of_their_own(tmp_path: Path) -> None:
    info, rows = read(tmp_path, (",a,a,y\n" + "1,2,3,yes\n4,5,6,no\n" * 5).encode())
    assert rows[0] == {"column_1": "1", "a": "2", "a.2": "3"}
    assert info.notes == ("columns without a name are called column_1", "columns of the same name are called a.2")


def test_a_file_without_a_header_is_told_and_its_columns_are_numbered(tmp_path: Path) -> None:
    info, rows = read(tmp_path, BODY.encode(), target="column_3")
    assert rows == plain_rows(size="column_1", colour="column_2")
    assert any("no header" in note for note in info.notes)


def test_rows_without_the_target_are_left_out_and_counted(tmp_path: Path) -> None:
    info, rows = read(tmp_path, (PLAIN + "8,red,\n9,red,NA\n").encode())
    assert rows == plain_rows()
    assert info.notes == ("2 rows without a value of y are left out",)


def test_a_cell_may_hold_separators_quotes_and_line_ends(tmp_path: Path) -> None:
    _, rows = read(tmp_path, (PLAIN + '8,"a ""b"", c\nd",yes\n').encode())
    assert rows[-1] == {"size": "8", "colour": 'a "b", c\nd'}


def test_a_cell_may_be_very_long(tmp_path: Path) -> None:
    _, rows = read(tmp_path, f"{PLAIN}8,{'x' * 200_000},yes\n".encode())
    assert len(rows[-1]["colour"]) == 200_000


@pytest.mark.parametrize(
    ("name", "data", "message", "hint"),
    [
        pytest.param("data.csv", b"", "found an empty file", "Get the file again", id="nothing"),
        pytest.param("data.csv", b"\0" * 100, "found bytes of zero", "--encoding", id="zeros"),
        pytest.param("data.csv", b"<!doctype html><p>Log in", "found a web page", "browser", id="a web page"),
        pytest.param("data.csv", b"PK\x03\x04rest", "found a ZIP archive", None, id="a spreadsheet"),
        pytest.param("data.csv", b"version https://git-lfs.github.com/spec/v1\n", "Git LFS", "git lfs pull", id="LFS"),
        pytest.param("data.csv", gzip.compress(PLAIN.encode())[:-20], "Cannot unpack", "get it again", id="half"),
        pytest.param("data.csv", b"a b\nc d\n", "two cells or more", "--separator", id="no separator"),
        pytest.param("data.csv", (PLAIN + "8,red\n").encode(), "row 22 has 2 cells", "--skip-bad", id="short"),
        pytest.param("data.csv", (PLAIN + "8,red,no,1\n").encode(), "row 22 has 4 cells", "--skip-bad", id="long row"),
        pytest.param("data.csv", (PLAIN + '8,"red,no\n').encode(), "line 22", "--no-quotes", id="an open quote"),
        pytest.param(
            "data.csv", (PLAIN + "8,grün,no\n").encode() + "9,grün,no\n".encode("cp1252"), "no one encoding",
            "--encoding latin-1", id="two encodings",
        ),
        pytest.param("data.csv", HEADER.encode(), "no two different values", "--target", id="a header alone"),
        pytest.param("data.csv", b"a,b\n1,2\n3,4\n", "No column 'y'", None, id="no such column"),
        pytest.param("data.jsonl", b'[{"a": 1, "y": 2}]\n', "line 1 is a list", "jq -c", id="one list"),
        pytest.param("data.jsonl", (LINES + "{'a': 1}\n").encode(), "line 21 is no JSON", "--skip-bad", id="Python"),
        pytest.param("data.jsonl", b"[" * 100_000, "line 1 is", None, id="too deep"),
        pytest.param("data.parquet", PLAIN.encode(), "Expected a Parquet file", None, id="no Parquet"),
        pytest.param("data.parquet", b"PAR1" + b"x" * 100, "Cannot read", "get it again", id="half a Parquet"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_a_reason(
    tmp_path: Path, name: str, data: bytes, message: str, hint: str | None
) -> None:
    with pytest.raises(Mu2netError) as caught:
        read(tmp_path, data, name)
    assert message in caught.value.message
    assert hint is None or (caught.value.hint is not None and hint in caught.value.hint)


def test_a_row_that_never_ends_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mu2net_core.data.rows.content.ROW_BYTES", 2**16)
    with pytest.raises(DataError, match="longer than 65536 bytes"):
        read(tmp_path, PLAIN.encode() + b"x" * 2**21)


def test_what_is_no_row_can_be_left_out_and_is_named(tmp_path: Path) -> None:
    info, rows = read(tmp_path, f"{HEADER}1,2\n{BODY}8,red\n".encode(), skip_bad=True)
    assert rows == plain_rows()
    assert info.skipped == ("data.csv: row 2 has 2 cells instead of 3", "data.csv: row 23 has 2 cells instead of 3")


def test_lines_of_json_may_lack_keys_have_no_numbers_or_nest(tmp_path: Path) -> None:
    lines = (
        LINES
        + '{"y": "yes"}\n{"size": NaN, "colour": {"a": [1]}, "y": "no"}\n{"size": true, "colour": null, "y": "no"}\n'
    )
    _, rows = read(tmp_path, codecs.BOM_UTF8 + lines.encode(), "data.jsonl")
    assert rows[:20] == [{"size": int(a), "colour": b} for a, b, _ in ROWS]
    assert rows[20:] == [
        {"size": None, "colour": None},
        {"size": None, "colour": '{"a":[1]}'},
        {"size": "true", "colour": None},
    ]


def test_the_same_rows_come_out_of_every_kind_of_file(tmp_path: Path) -> None:
    columns = {"size": [int(row[0]) for row in ROWS], "colour": [row[1] for row in ROWS], "y": [row[2] for row in ROWS]}
    parquet.write_table(pyarrow.table({**columns, "nested": [[1]] * len(ROWS)}), tmp_path / "made.parquet")
    info, rows = read(tmp_path, (tmp_path / "made.parquet").read_bytes(), "data.parquet")
    assert rows == read(tmp_path, LINES.encode(), "data.jsonl")[1]
    assert info.notes == ("columns that hold lists or other nested values are left out: nested",)
