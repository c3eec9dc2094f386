"""A component to one deterministic ``.zarr.zip`` and back: the only room that knows Zarr's format."""

from mu2net_core.codec.component import decode_component, encode_component, read_label

__all__ = ["decode_component", "encode_component", "read_label"]
