"""What goes in, and what is learned, is guessed where nobody says it, and told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mu2net_core.data import SourceInfo, absolute_uri, open_source
from mu2net_core.errors import DataError


def opened(path: Path, **options: str | bool) -> SourceInfo:
    return open_source(absolute_uri(str(path), path.parent), options=options).info()


def rows(path: Path, lines: list[dict[str, Any]], **options: str | bool) -> SourceInfo:
    (path / "data.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return opened(path / "data.jsonl", **options)


REVIEWS = [{"review": f"it was the film number {n}", "label": "ab"[n % 2]} for n in range(40)]


def test_texts_beside_columns_that_say_nothing_go_in_alone_and_that_is_told_and_pinned(tmp_path: Path) -> None:
    info = rows(tmp_path, [{"idx": n, "made": "2026", **row, "user_id": f"u{n}"} for n, row in enumerate(REVIEWS)])
    assert (info.input, info.options["columns"]) == ("text", '["review"]')
    assert "texts go in, of the column review: idx, made, user_id say nothing" in info.notes
    again = rows(tmp_path, [{"idx": 0, **row} for row in REVIEWS], **info.options)
    assert (again.input, again.notes) == ("text", ())


def test_a_text_in_a_table_is_told_with_what_to_do(tmp_path: Path) -> None:
    info = rows(tmp_path, [{**row, "stars": n % 5, "size": n / 3} for n, row in enumerate(REVIEWS)])
    assert info.input == "table"
    assert "review looks like text, and a table learns nothing from it (to learn from it alone: --columns review)" \
        in info.notes  # fmt: skip
    info = rows(tmp_path, [{**row, "title": f"a title of {n} words"} for n, row in enumerate(REVIEWS)])
    assert any(note.startswith("review, title look like texts") for note in info.notes)
    both = rows(tmp_path, [{**row, "stars": n % 5} for n, row in enumerate(REVIEWS)], columns='["review", "stars"]')
    assert (both.input, both.notes) == ("table", ())


def test_a_target_that_looks_like_text_is_told_before_each_becomes_a_class(tmp_path: Path) -> None:
    lines = [{**row, "stars": n % 5} for n, row in enumerate(REVIEWS)]
    with pytest.raises(DataError, match="The column review looks like text: 40 different ones in 40 rows") as caught:
        rows(tmp_path, lines, target="review")
    assert "--output classes" in str(caught.value.hint)
    assert len(rows(tmp_path, lines, target="review", output="classes").classes) == 40
