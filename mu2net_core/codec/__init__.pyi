from .component import decode_component, encode_component
from .root import read_label

__all__ = [
    "decode_component",
    "encode_component",
    "read_label",
]
