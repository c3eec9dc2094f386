"""What a secret looks like: it is refused as a place, and left out of every message."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from mu2net_core import errors
from mu2net_core.errors import InvalidInputError, Mu2netError, NotFoundError
from mu2net_core.redaction import looks_secret, redact, shown
from mu2net_core.storage.secrets import check_folder, check_no_secret, check_no_secret_in_uri
from mu2net_core.testing.attacks.secrets import AWS_SECRET, SECRET, SECRET_URLS

ROOT = Path(__file__).parents[2]
RAW = {"url", "uri", "endpoint", "given", "repair_from"}
ERRORS = [getattr(errors, name) for name in errors.__all__]
PLACES = [
    "../shared", "~/x", "a:b", "C:/x", "/mnt/what?/a#b@c:d", "/home/ann@example/x", "/tmp/pytest-of-ann/test_A_b0/x",
    "s3://bucket", "s3://bucket/team/system", "s3://bucket/models@v1/x", "gs://b/c", "memory://x",
    "s3://bucket/Team/Experiments2026/VisionTransformerMini/Data1", f"s3://bucket/{'0123456789abcdef' * 4}",
    "abfs://container@account.dfs.core.windows.net/system", "https://host:9000/x", "https://[::1]:9000/x",
    "https://0123456789abcdef0123456789abcdef0123456789.r2.cloudflarestorage.com", "file:///tmp/a%20b",
    "https://storage.googleapis.com/vit_models/augreg/Ti_16-i21k-300ep-lr_0.001-aug_none-wd_0.03-do_0.0-sd_0.0.npz",
]  # fmt: skip


@pytest.mark.parametrize("url", SECRET_URLS)
def test_a_place_with_a_secret_is_refused_and_no_part_of_it_repeated(url: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        check_no_secret(url)
    assert_hidden(url, str(caught.value))


@pytest.mark.parametrize("url", SECRET_URLS)
@pytest.mark.parametrize("sentence", ["There is no remote {}.", "Nothing is called {!r}: no task.", "({}), or ({})"])
def test_a_message_does_not_repeat_a_secret(url: str, sentence: str) -> None:
    assert_hidden(url, redact(sentence.format(url, url)))
    error = NotFoundError(sentence.format(url, url), hint=f"mu2net clone {url}")
    assert_hidden(url, f"{error} {error.args} {error.message} {error.hint}")
    assert_hidden(url, shown(url))


def test_a_folder_that_is_to_be_made_is_not_named_after_a_secret() -> None:
    for url in SECRET_URLS:
        with pytest.raises(InvalidInputError):
            check_folder(url)
    with pytest.raises(InvalidInputError):
        check_folder("/home/ann/s3:/KEY:a/b@bucket/x")  # as it looks once it was joined to the working folder


@pytest.mark.parametrize("place", PLACES)
def test_a_place_is_a_place_and_stays_in_messages(place: str) -> None:
    assert check_no_secret(place) == place == shown(place)
    for sentence in (f"Cannot open {place}.", f"Cannot open {place!r}: see ({place}), or {place}, or {place}"):
        assert redact(sentence) == sentence


@pytest.mark.parametrize(
    "uri", [f"sql:ann:{SECRET}@host/db", f"sql://ann:{SECRET}@host/db", f"sql:host/db?password={SECRET}",
            f"web:https://ann:{SECRET}@host/x", f"hub:AKIAIOSFODNN7EXAMPLE:{AWS_SECRET}@x"],
)  # fmt: skip
def test_a_data_set_with_a_secret_is_refused_and_not_repeated(uri: str) -> None:
    with pytest.raises(InvalidInputError, match="Not stored: the data set") as caught:
        check_no_secret_in_uri(uri)
    assert_hidden(uri, str(caught.value))


@pytest.mark.parametrize(
    "uri", ["cmaterdb/bangla:1.0", "folder:/mnt/a b", "npz:x.npz", "hub:user@revision", "tfds:a/b"]
)
def test_a_data_set_is_a_data_set(uri: str) -> None:
    assert check_no_secret_in_uri(uri) == uri


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ('Failed to connect to proxy URL: "http://ann:hunter2@proxy:3128"', 'Failed to connect to proxy URL: "http://..."'),
        ("GET https://b.s3.amazonaws.com/x?X-Amz-Signature=abc&x=1 failed", "GET https://b.s3.amazonaws.com/x failed"),
        ("DefaultEndpointsProtocol=https;AccountKey=abc+/=;x", "DefaultEndpointsProtocol=https;...;x"),
        (f"The key {AWS_SECRET} is wrong", "The key ... is wrong"),
        ("bad token ya29.a0AfH6 or eyJhbGciOiJIUzI1NiJ9.e30.abc", "bad token ... or ..."),
        ("log:digits@{3} of T@{2}, SHA256:uNiVztksCsDhcc0u9e8BgrJXVGDYm2aJ5bUYzQyAbC0", ""),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8Xw0n3bqv7k2mP0w5k8Yx1vQ5d1m0m ann@example.org", ""),
        ("No commit 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef in /tmp/x.", ""),
    ],
)  # fmt: skip
def test_what_others_say_is_shown_but_for_secrets(said: str, shown: str) -> None:
    assert redact(said) == (shown or said)


@pytest.mark.timeout(60)  # where each character is looked at again for each other one it takes many minutes
@pytest.mark.parametrize("text", ["a" * 200_000, "a:" * 100_000, "?sig" * 50_000, "x@" * 100_000, "s3://" * 40_000])
def test_long_texts_are_looked_at_in_a_moment(text: str) -> None:
    redact(text)
    looks_secret(text)


def test_outside_of_errors_only_urls_that_were_checked_become_part_of_a_text() -> None:
    checked = {("checkpoints.py", "url"), ("remarks.py", "given")}  # one of ours; by add-task, before anything else
    found = set()
    for path in (ROOT / "mu2net_core", ROOT / "mu2net_cli"):
        for file in (file for file in path.rglob("*.py") if "testing" not in file.parts):
            found |= {(file.name, name) for name in raw_names(ast.parse(file.read_text()))}
    assert found == checked


def raw_names(tree: ast.AST) -> Iterator[str]:
    """Yields the names of places as a user gave them that stand in f-strings, but for those of errors."""
    if isinstance(tree, ast.Raise) or (isinstance(tree, ast.Call) and ast.unparse(tree.func).endswith("Error")):
        return
    if isinstance(tree, ast.FormattedValue) and isinstance(tree.value, ast.Name) and tree.value.id in RAW:
        yield tree.value.id
    for below in ast.iter_child_nodes(tree):
        yield from raw_names(below)


@pytest.mark.parametrize("family", sorted(ERRORS, key=str))
def test_no_kind_of_error_repeats_a_secret(family: type[Mu2netError]) -> None:
    error = family(f"Cannot open s3:/ann:{SECRET}@bucket.", hint=f"mu2net clone s3:/ann:{SECRET}@bucket")
    assert SECRET not in f"{error!s} {error!r} {error.args} {error.hint}"


def assert_hidden(url: str, text: str) -> None:
    for part in (SECRET, "hunter", AWS_SECRET, "AKIA", AWS_SECRET.partition("/")[0], AWS_SECRET.rpartition("/")[2]):
        assert part not in text, (url, text)
