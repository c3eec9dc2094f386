"""Probes of real servers, and of those that do not keep the promise."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from botocore.session import Session

from mu2net_core.errors import AccessDeniedError, NotFoundError, StorageError
from mu2net_core.repo.probing.place_probe import ProbeReport, probe, refusal
from mu2net_core.storage import open_store
from mu2net_core.testing.servers.servers import Bucket

pytestmark = pytest.mark.usefixtures("all_races")


def probed(bucket: Bucket) -> ProbeReport:
    return probe(open_store(bucket.url, bucket.options), now=lambda: datetime.now(UTC))


def keys(bucket: Bucket) -> list[str]:
    return list(open_store(bucket.url, bucket.options).list(""))


def forbid(bucket: Bucket, *actions: str) -> None:
    """Takes rights away from everybody, the owner too."""
    name = bucket.url.partition("://")[2].partition("/")[0]
    where = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    rule = {"Effect": "Deny", "Principal": "*", "Action": list(actions), "Resource": where}
    client = Session().create_client("s3", endpoint_url=bucket.endpoint, region_name="us-east-1")
    client.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [rule]}))


@pytest.mark.parametrize("server", ["s3_bucket", "azure_bucket", "moto_bucket"])
def test_what_creates_exclusively_is_safe_and_left_as_it_was(server: str, request: pytest.FixtureRequest) -> None:
    bucket = request.getfixturevalue(server)
    report = probed(bucket)
    assert (report.verdict, report.reason, report.num_races) == ("safe", None, 6)
    assert report.rights == ("read", "list", "create", "delete")
    assert report.skew_s is not None
    assert abs(report.skew_s) < 60  # of the same machine, which may be slow
    assert keys(bucket) == []


def test_what_lets_the_second_writer_win_is_refused(gcs_bucket: Bucket) -> None:
    report = probed(gcs_bucket)
    assert (report.verdict, report.can_push) == ("unsafe", False)
    with pytest.raises(StorageError, match=r"gs://.*ignores the condition"):
        raise refusal(report) or AssertionError
    assert keys(gcs_bucket) == []


class TestRightsOfS3:
    def test_without_deleting_it_is_append_only(self, s3_bucket: Bucket) -> None:
        forbid(s3_bucket, "s3:DeleteObject")
        assert probed(s3_bucket).verdict == "append-only"
        assert len(keys(s3_bucket)) == 9

    def test_without_writing_it_is_read_only(self, s3_bucket: Bucket) -> None:
        forbid(s3_bucket, "s3:PutObject")
        report = probed(s3_bucket)
        assert (report.verdict, report.rights) == ("read-only", ("read", "list"))
        assert "the environment's AWS_ACCESS_KEY_ID" in str(report.reason)

    def test_without_listing_it_is_of_no_use(self, s3_bucket: Bucket) -> None:
        forbid(s3_bucket, "s3:ListBucket")
        with pytest.raises(AccessDeniedError, match="Without the right to list") as info:
            probed(s3_bucket)
        assert "s3:ListBucket" in str(info.value.hint)

    def test_without_reading_it_is_of_no_use(self, s3_bucket: Bucket) -> None:
        open_store(s3_bucket.url, s3_bucket.options).create("config.toml", b"x")
        forbid(s3_bucket, "s3:GetObject")
        with pytest.raises(AccessDeniedError, match=r"Cannot read config\.toml"):
            probed(s3_bucket)

    def test_a_bucket_that_is_not_there(self, s3_bucket: Bucket) -> None:
        missing = Bucket(
            url="s3://no-such-bucket/x", options=s3_bucket.options, environ={}, endpoint=s3_bucket.endpoint
        )
        with pytest.raises((NotFoundError, StorageError), match=r"no-such-bucket"):
            probed(missing)

    def test_a_wrong_secret(self, s3_bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
        with pytest.raises(AccessDeniedError, match=r"s3://.*the environment's AWS_ACCESS_KEY_ID") as info:
            probed(s3_bucket)
        assert "hunter2" not in str(info.value)
