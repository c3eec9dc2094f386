from __future__ import annotations

import pytest

from mu2net_core.errors import InvalidInputError
from mu2net_core.repo import Remote

AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@pytest.mark.parametrize(
    "url",
    [
        "/mnt/what?/a#b@c:d", "s3://bucket", "s3://bucket/team/system", "gs://b/c", "memory://x",
        "abfs://container@account.dfs.core.windows.net/system",
    ],
)  # fmt: skip
def test_a_place_is_a_place(url: str) -> None:
    assert Remote(name="origin", url=url).url == url


@pytest.mark.parametrize(
    "url",
    [
        "s3://AKIDEXAMPLE:hunter2@bucket/x", "s3://hunter2@bucket/x", "abfs://c:hunter2@account/x",
        "abfs://c%3Ahunter2@account/x", "https://ann:hunter2@host/x", "gs://bucket/x?token=hunter2",
        "abfs://c@a.dfs.core.windows.net/x?sv=2024&sig=hunter2", "s3://b/x?X-Amz-Signature=hunter2",
        "s3://b/x#hunter2",
    ],
)  # fmt: skip
def test_a_secret_in_the_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidInputError, match="Not stored") as info:
        Remote(name="origin", url=url)
    assert "hunter2" not in str(info.value)
    assert "AWS_SECRET_ACCESS_KEY" in str(info.value.hint)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("endpoint", "https://s3.example.org:9000/path"),
        ("endpoint", "https://0123456789abcdef0123456789abcdef0123456789.r2.cloudflarestorage.com"),
        ("region", "eu-central-1"), ("profile", "Team B"), ("anonymous", "true"), ("account", "devstoreaccount1"),
        ("project", "my-project"),
    ],
)  # fmt: skip
def test_options_say_how_to_reach_it(name: str, value: str) -> None:
    assert Remote(name="origin", url="s3://b", options={name: value}).options == {name: value}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("profile", AWS_SECRET), ("account", AZURE_KEY), ("region", "AKIAIOSFODNN7EXAMPLE"),
        ("project", "eyJhbGciOiJSUzI1NiIsInR5cCI6"), ("endpoint", "https://ann:hunter2@host"),
        ("endpoint", "https://host/?sig=hunter2"), ("endpoint", f"https://host/{AWS_SECRET}"),
        ("secret", AWS_SECRET), ("aws_secret_access_key", "hunter2"), ("sas_token", "hunter2"),
    ],
)  # fmt: skip
def test_a_secret_in_the_options_is_refused_and_not_repeated(name: str, value: str) -> None:
    with pytest.raises(InvalidInputError, match="Not stored") as info:
        Remote(name="origin", url="s3://b", options={name: value})
    assert value not in str(info.value)
    assert "hunter2" not in str(info.value)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("colour", "red", "Unknown option of a remote: 'colour'. Expected one of account, "),
        ("endpoint", "s3.example.org", "Expected e.g. https://"), ("endpoint", "https://host:port", "https://"),
        ("endpoint", "ftp://host", "https://"), ("endpoint", "https://", "https://"),
        ("anonymous", "false", "Not a value of the option anonymous: 'false'"),
        ("region", "", "region of a remote is not a text"), ("region", "a\x1b[31m", "not a text"),
        ("region", 3, "not a text"), ("profile", "../x", "Not a value of the option profile"),
    ],
)  # fmt: skip
def test_what_is_no_option(name: str, value: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        Remote(name="origin", url="s3://b", options={name: value})


@pytest.mark.parametrize("url", ["/a\x1b]0;title\x07", "s3://b/\n", "/" + "a" * 3000])
def test_a_url_can_be_printed(url: str) -> None:
    with pytest.raises(InvalidInputError, match="printable"):
        Remote(name="origin", url=url)
