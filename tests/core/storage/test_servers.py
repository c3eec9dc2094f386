"""The contract of a store, on servers."""

from __future__ import annotations

import pytest

from mu2net_core.storage import Store, open_store
from mu2net_core.testing.servers import Bucket
from mu2net_core.testing.stores import StoreTests


class TestCeph(StoreTests):
    @pytest.fixture
    def store(self, s3_bucket: Bucket) -> Store:
        return open_store(s3_bucket.url, s3_bucket.options)


class TestMoto(StoreTests):
    @pytest.fixture
    def store(self, moto_bucket: Bucket) -> Store:
        return open_store(moto_bucket.url, moto_bucket.options)


class TestAzurite(StoreTests):
    @pytest.fixture
    def store(self, azure_bucket: Bucket) -> Store:
        return open_store(azure_bucket.url, azure_bucket.options)
