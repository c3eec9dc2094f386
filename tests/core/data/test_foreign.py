from __future__ import annotations

import io
import pickle
import tarfile
import zipfile

import pytest

from mu2net_core.data.foreign import HEAD_BYTES, what_helps, what_is_it


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a.txt"), "a")  # always the same bytes: they name the test
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.txt"), io.BytesIO())
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("head", "what", "helps"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12345\n",
            "a Git LFS pointer",
            "git lfs pull",
        ),
        (b"/annex/objects/SHA256E-s1--0.png\n", "a git-annex pointer", "git annex get"),
        (b"../.git/annex/objects/ab/cd/SHA256E-s1--0.png", "a git-annex pointer", "git annex get"),
        (b"<!DOCTYPE html>\n<html><body>Sign in", "a web page", "anew"),
        (b"\xef\xbb\xbf\r\n  <HTML>", "a web page", "anew"),
        (b"<!-- saved from --><html>", "a web page", "anew"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied", "an XML document", "anew"),
        (b'{"message": "Not Found"}', "JSON text", None),
        (b"", "an empty file", "again"),
        (bytes(512), "nothing but zeros", "again"),
        (zipped(), "a ZIP archive", None),
        (tarred(), "a tar archive", None),
        (b"\x1f\x8b\x08\x00", "a gzip file", None),
        (pickle.dumps([1, 2]), "a Python pickle", None),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file", None),
        (b"\x89PNG\r\n\x1a\n", "a PNG image", None),
        (b"\x00\x00\x08\x03\x00\x00\xea\x60", "IDX", None),
    ],
)
def test_a_file_is_called_what_it_is_with_what_helps(head: bytes, what: str, helps: str | None) -> None:
    assert what in str(what_is_it(head[:HEAD_BYTES]))
    assert (what_helps(head[:HEAD_BYTES]) is None) if helps is None else (helps in str(what_helps(head[:HEAD_BYTES])))


@pytest.mark.parametrize("head", [b"hello", b"\x01\x02\x03", b"version 2 of my notes"])
def test_nothing_is_guessed_of_an_unknown_file(head: bytes) -> None:
    assert (what_is_it(head), what_helps(head)) == (None, None)
