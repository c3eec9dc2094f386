"""The data sources mu2net ships; ``mu2net_core.data.catalogue`` opens them by the scheme of a URI."""

__all__: list[str] = []
