"""Ways in which people put a password, key or token into a URL."""

from __future__ import annotations

__all__ = ["AWS_SECRET", "SECRET", "SECRET_URLS"]

SECRET = "hunter2xyz"  # noqa: S105
AWS_SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # noqa: S105
_AWS_KEY = "AKIAIOSFODNN7EXAMPLE"

SECRET_URLS = (
    f"ssh://ann:{SECRET}@host/x",
    f"ssh://ann:1/{SECRET}@host",
    f"s3://{_AWS_KEY}:{AWS_SECRET}@bucket/x",
    f"s3://KEY:{AWS_SECRET}@bucket/x",
    f"s3://KEY:a/{SECRET}@bucket/x",
    f"S3://KEY:{SECRET}/z@bucket",
    f"  s3://KEY:{SECRET}/z@bucket",
    f"s3://KEY:a?{SECRET}@bucket/x",
    f"s3://KEY:a#{SECRET}@bucket/x",
    f"s3://{SECRET}@bucket",
    f"https://{SECRET}@host/x",
    f"https://ann:{SECRET}/w@host/f.npz",
    f"s3://{SECRET}%40bucket/x",
    f"s3://KEY%3A{SECRET}%40bucket/x",
    f"s3://KEY%253A{SECRET}%2540bucket/x",
    f"s3:/KEY:{SECRET}@bucket",
    f"s3:/{SECRET}@bucket",
    f"s3:KEY:{SECRET}@bucket",
    f"ann:{SECRET}@host:/x",
    f"ann:a/{SECRET}@host:/x",
    f"//ann:{SECRET}@host/x",
    f"/mnt/ann:{SECRET}@host/x",
    f"x?token={SECRET}",
    f"/mnt/x;sig={SECRET}",
    f"file:///x?token={SECRET}",
    f"file:///x?a={SECRET}",
    f"file://ann:{SECRET}@host/x",
    f"s3://bucket/x%3Ftoken={SECRET}",
    f"s3://bucket/x?X-Amz-Signature={SECRET}",
    f"s3://bucket/x?X-Amz-Credential={_AWS_KEY}%2F20260101&X-Amz-Signature={SECRET}",
    f"gs://bucket/x?X-Goog-Signature={SECRET}",
    f"abfs://c@account.dfs.core.windows.net/x?sv=2024&sig={SECRET}",
    f"abfs://c@account.dfs.core.windows.net/x;sig={SECRET}",
    f"abfs://c@account.dfs.core.windows.net/x&sig={SECRET}",
    f"abfs://c:{SECRET}@account/x",
    f"abfs://c%3A{SECRET}@account/x",
    f"s3://bucket/x#{SECRET}",
    f"s3://bucket/ann:{SECRET}@host/x",
    f"simplecache::s3://ann:{SECRET}@bucket/x",
    f"s3://bucket/{AWS_SECRET}/x",
    f"s3://bucket/{_AWS_KEY}",
)
"""Each holds one of the secrets above, or the id of a key that is not far from one."""
