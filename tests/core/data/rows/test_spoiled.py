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
from mu2net_core.data.rows import arrow
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
        pytest.param("data.csv", b"PK\x03\x04rest", "found a ZIP archive", "save it as CSV", id="a spreadsheet"),
        pytest.param("data.csv", b"PAR1" + b"x" * 100, "found a Parquet file", "parquet:", id="Parquet, wrong name"),
        pytest.param("data.csv", gzip.compress(b"a" * 257 + b"ustar"), "a tar archive", "Unpack", id="a packed tar"),
        pytest.param("data.csv", gzip.compress(gzip.compress(b"a")), "found a gzip file", "gunzip", id="gzip twice"),
        pytest.param("data.csv", LINES.encode(), "lines of JSON objects", "jsonl:", id="JSON of a wrong name"),
        pytest.param("data.csv", b"# by x\n# at y\n" + b"a\n" * 9, "two cells", "Remove the lines", id="remarks"),
        pytest.param("data.jsonl", PLAIN.encode(), "line 1 is no JSON", "csv:", id="CSV of a wrong name"),
        pytest.param("data.jsonl", b'{\n "a": 1\n}\n', "line 1 is no JSON", "jq -c . ", id="an object over lines"),
        pytest.param("data.csv", (PLAIN + PLAIN).encode(), "row 22 is the header again", "--skip-bad", id="two in one"),
        pytest.param("data.csv", (PLAIN + "\ufeff" + PLAIN).encode(), "the header again", "--skip-bad", id="two marks"),
        pytest.param("data.csv", (PLAIN + "Total: 20 rows\n").encode(), "row 22 has 1 cells", "--skip-bad", id="a sum"),
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
        pytest.param("data.csv", b"y" + b"," * 2_000_000, "2000001 columns", None, id="a header of separators"),
        pytest.param("data.jsonl", b'{"\\ud83d": 1, "y": 2}\n', "half a character", None, id="half a key"),
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
    assert info.notes == ("columns that hold lists, bytes or other nested values are left out: nested",)


def test_numbers_and_texts_that_json_can_say_and_few_programs_can_read_become_what_can_be_read(tmp_path: Path) -> None:
    odd = (
        LINES
        + f'{{"size": {10**400}, "colour": "\\ud83d", "y": "no"}}\n{{"size": 1, "colour": "\\u00e9", "y": "no"}}\n'
    )
    _, rows = read(tmp_path, odd.encode(), "data.jsonl")
    assert rows[-2:] == [{"size": str(10**400), "colour": "\ufffd"}, {"size": 1, "colour": "é"}]
    info, _ = read(tmp_path, b'{"a": "x", "y": 1.5}\n' * 9 + b'{"a": "x", "y": 1' + b"0" * 400 + b"}\n", "data.jsonl")
    assert info.output.kind == "classes"


def test_columns_of_the_same_name_are_named_at_once_however_many_they_are(tmp_path: Path) -> None:
    header = "a," * 9_000 + "a.3,y"
    info, rows = read(tmp_path, f"{header}\n{'1,' * 9_001}u\n{'2,' * 9_001}v\n".encode())
    assert list(rows[0])[:3] == ["a", "a.2", "a.4"]
    assert len(rows[0]) == 9_001
    assert "columns of the same name are called a.2, a.4, a.5 and 8996 more" in info.notes


@pytest.mark.parametrize("name", ["nonsense", "undefined", "a\0b"])
def test_an_encoding_that_nobody_can_read_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Mu2netError, match="Unknown encoding"):
        read(tmp_path, PLAIN.encode(), encoding=name)


def test_a_column_of_another_value_in_each_row_names_no_splits(tmp_path: Path) -> None:
    rows = "".join(f"{number},part-{number},{number % 2}\n" for number in range(1_002))
    with pytest.raises(DataError, match="The column part has more than 1000 different values"):
        read(tmp_path, f"a,part,y\n{rows}".encode(), split_by="part")


@pytest.mark.parametrize(
    "kind",
    [pyarrow.string(), pyarrow.large_string(), pyarrow.string_view(), pyarrow.dictionary("int32", "string")],
    ids=str,
)
def test_a_text_that_a_parquet_file_holds_once_for_many_rows_is_unpacked_a_few_rows_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: pyarrow.DataType
) -> None:
    unpacked = list[int]()
    monkeypatch.setattr(arrow, "ROW_BYTES", 1_000)
    lines = arrow.Columns.lines
    monkeypatch.setattr(
        arrow.Columns, "lines", lambda self, part, of: unpacked.append(part.num_rows) or lines(self, part, of)
    )
    texts = pyarrow.array(["x" * 300] * 20 + [None], pyarrow.string()).cast(kind)
    parquet.write_table(pyarrow.table({"text": texts, "y": [0, 1, 2] * 7}), tmp_path / "made.parquet")
    _, rows = read(tmp_path, (tmp_path / "made.parquet").read_bytes(), "data.parquet")
    assert [row["text"] for row in rows] == ["x" * 300] * 20 + [None]
    assert max(unpacked) <= 4
    monkeypatch.setattr(arrow, "ROW_BYTES", 200)
    with pytest.raises(DataError, match="has a row of more than 200 bytes"):
        read(tmp_path, (tmp_path / "made.parquet").read_bytes(), "data.parquet")


def test_times_of_parquet_are_read_to_the_microsecond_and_those_that_no_calendar_has_refuse_the_file(
    tmp_path: Path,
) -> None:
    for unit, values in (("ns", [1, 2_000_000_001]), ("s", [0, 2**50])):
        when = pyarrow.array(values, pyarrow.timestamp(unit))
        parquet.write_table(pyarrow.table({"when": when, "a": [1, 2], "y": [0, 1]}), tmp_path / f"{unit}.parquet")
    _, rows = read(tmp_path, (tmp_path / "ns.parquet").read_bytes(), "data.parquet")
    assert [row["when"] for row in rows] == ["1970-01-01T00:00:00", "1970-01-01T00:00:02"]
    with pytest.raises(DataError, match="Cannot read"):
        read(tmp_path, (tmp_path / "s.parquet").read_bytes(), "data.parquet")


def test_a_parquet_file_of_nested_columns_alone_is_refused(tmp_path: Path) -> None:
    parquet.write_table(pyarrow.table({"y": [{"a": 1}, {"a": 2}]}), tmp_path / "made.parquet")
    with pytest.raises(DataError, match="none but nested columns"):
        read(tmp_path, (tmp_path / "made.parquet").read_bytes(), "data.parquet")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"separator": 5}, "No column 'y'"),
        ({"decimal": 7}, "Not a decimal sign: '7'"),
        ({"columns": "[" * 100_000}, "columns: expected a JSON list"),
        ({"leave_out": "{}"}, "leave_out: expected a JSON list"),
    ],
    ids=["separator", "decimal", "columns", "leave_out"],
)
def test_options_that_somebody_else_wrote_are_refused_where_they_make_no_sense(
    tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(Mu2netError) as caught:
        read(tmp_path, PLAIN.encode(), **options)
    assert message in caught.value.message
