"""Sharing through S3 with some rights taken away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from botocore.session import Session

from mu2net_core.api.context import Context
from mu2net_core.api.sharing import remote
from mu2net_core.api.sharing.clone import clone
from mu2net_core.api.sharing.fetch import fetch
from mu2net_core.api.sharing.pull import pull
from mu2net_core.api.sharing.push import push
from mu2net_core.errors import AccessDeniedError
from mu2net_core.repo import Repository, open_repository
from mu2net_core.repo.checking.fsck_run import fsck
from mu2net_core.testing.building.samples import add_sample_task, evolve_sample
from mu2net_core.testing.servers.servers import Bucket


def forbid(bucket: Bucket, action: str) -> None:
    name = bucket.url.partition("://")[2].partition("/")[0]
    where = [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"]
    rule = {"Effect": "Deny", "Principal": "*", "Action": [action], "Resource": where}
    client = Session().create_client("s3", endpoint_url=bucket.endpoint, region_name="us-east-1")
    client.put_bucket_policy(Bucket=name, Policy=json.dumps({"Version": "2012-10-17", "Statement": [rule]}))


@pytest.fixture
def shared(repo: Repository, context: Context, s3_bucket: Bucket) -> Repository:
    """Returns a working copy whose task was pushed to a bucket."""
    add_sample_task(repo, "a")
    evolve_sample(repo, "a", score=0.5)
    remote.add(repo, context, "origin", s3_bucket.url, options=s3_bucket.options)
    push(repo, context)
    return repo


def test_who_may_only_read_clones_fetches_and_pulls_and_is_told_at_push(
    shared: Repository, context: Context, s3_bucket: Bucket, tmp_path: Path
) -> None:
    forbid(s3_bucket, "s3:PutObject")
    clone(s3_bucket.url, "mine", context, options=s3_bucket.options)
    mine = open_repository(tmp_path / "mine")
    fetch(mine, context)
    pull(mine, context)
    evolve_sample(mine, "a", score=0.9, seed=3)
    with pytest.raises(AccessDeniedError, match="Cannot push to s3://") as info:
        push(mine, context)
    assert "the environment's AWS_ACCESS_KEY_ID" in info.value.message
    assert "Fetch, pull and clone work" in str(info.value.hint)
    added = remote.add(mine, context, "again", s3_bucket.url, options=s3_bucket.options)
    assert added.verdict == "read-only"
    assert fsck(mine).problems == ()


def test_where_nothing_may_be_deleted_sharing_goes_on(
    shared: Repository, context: Context, s3_bucket: Bucket, tmp_path: Path
) -> None:
    forbid(s3_bucket, "s3:DeleteObject")
    clone(s3_bucket.url, "mine", context, options=s3_bucket.options)
    mine = open_repository(tmp_path / "mine")
    evolve_sample(mine, "a", score=0.9, seed=3)
    assert [task.outcome for task in push(mine, context).tasks] == ["updated"]
    assert [info.verdict for info in remote.list_(mine)] == ["append-only"]
    evolve_sample(shared, "a", score=0.7, seed=4)
    assert [task.outcome for task in push(shared, context).tasks] == ["merged"]
    pull(mine, context)
    assert mine.refs.head("a").commit == shared.refs.head("a").commit  # type: ignore[union-attr]
