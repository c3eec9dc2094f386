"""For tests, ours and those of packages that add a storage: a conformance suite, bad storages, small samples."""
