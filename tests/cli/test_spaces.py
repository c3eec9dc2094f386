"""Search spaces as they are written on the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mu2net_cli.parsing.spaces import parse_space
from mu2net_core.errors import InvalidInputError, Mu2netError, NotFoundError


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], None),
        (["learning_rate=0.01, 1e-1"], {"learning_rate": (0.01, 0.1)}),
        (["num_layers=[1,2]", "nesterov=true"], {"num_layers": (1, 2), "nesterov": (True,)}),
        (["optimizer=adamw,'sgd'"], {"optimizer": ("adamw", "sgd")}),
        (["mu=0.1", "mu=0.2"], {"mu": (0.2,)}),
        (["mu="], {"mu": ()}),
    ],
)
def test_names_with_values(texts: list[str], expected: object) -> None:
    assert parse_space(texts, Path) == expected


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.toml", "learning_rate = [0.01, 0.1]\nmu = [0.2]"), ("a.JSON", '{"learning_rate": [0.01, 0.1], "mu": [0.2]}')],
)
def test_files_of_lists_and_what_is_named_later_counts(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    found = parse_space([name, "mu=0.3"], lambda file: tmp_path / file)
    assert found == {"learning_rate": (0.01, 0.1), "mu": (0.3,)}


@pytest.mark.parametrize(
    ("name", "text", "error", "complaint"),
    [
        ("a.yaml", "a: [1]", InvalidInputError, "'a.yaml' is no search space: expected NAME=VALUE,VALUE"),
        ("gone.toml", None, NotFoundError, "There is no file .*gone.toml"),
        ("a.toml", "a = [1", InvalidInputError, "a.toml cannot be read as a search space: "),
        ("a.json", "[1]", InvalidInputError, "expected names with lists of values"),
        ("a.json", '{"a": {"min": 0}}', InvalidInputError, "expected names with lists of values"),
        ("a.toml", "a = [[1]]", InvalidInputError, "expected names with lists of values"),
    ],
)
def test_what_is_no_space(
    tmp_path: Path, name: str, text: str | None, error: type[Mu2netError], complaint: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(error, match=complaint) as raised:
        parse_space([name], lambda file: tmp_path / file)
    assert raised.value.hint == "--space learning_rate=0.01,0.1, or a file: learning_rate = [0.01, 0.1]"
