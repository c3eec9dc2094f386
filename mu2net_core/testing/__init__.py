"""For tests, ours and those of packages that add to mu2net: conformance suites, bad storages, small samples."""
