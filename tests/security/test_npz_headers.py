"""Headers of arrays that say they are long: whoever reads an archive of kilobytes takes no gigabytes for one."""

from __future__ import annotations

import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mu2net_core.data import describe_task
from mu2net_core.errors import CorruptObjectError, DataError
from mu2net_core.npz import open_npz
from mu2net_core.objects import LIMITS

LONG = 2**27


def with_long_header(path: Path, name: str, claimed: int, *, held: int) -> Path:
    """Returns an archive whose array ``name`` has a header that claims one length and has another."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
            file.write(b"\x93NUMPY\2\0" + struct.pack("<I", claimed))
            file.write(b"{'descr': '|u1', 'fortran_order': False, 'shape': (8, 4, 4), }")
            for _ in range(held // 2**20):
                file.write(b" " * 2**20)
        with archive.open("y.npy", "w") as file:
            np.lib.format.write_array(file, np.arange(8) % 2)
    return path


@pytest.mark.parametrize("claimed", [LONG, 2**32 - 1, 2**16 + 1])
def test_a_long_header_is_refused_before_it_is_read(tmp_path: Path, claimed: int) -> None:
    path = with_long_header(tmp_path / "a.npz", "x", claimed, held=LONG)
    assert path.stat().st_size < 2**20
    tracemalloc.start()
    with open_npz(path, limits=LIMITS) as archive, pytest.raises(CorruptObjectError, match="absurd header"):
        archive.header("x")
    with pytest.raises(DataError, match="absurd header"):
        describe_task(f"npz:{path}", name="cats")
    with open_npz(path, limits=LIMITS) as archive, pytest.raises(CorruptObjectError, match="absurd header"):
        archive.read("x")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < LONG // 8


def test_a_header_of_the_second_version_is_read(tmp_path: Path) -> None:
    fields = np.dtype([(f"a_field_with_a_long_name_{n}", "u1") for n in range(200)])
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive, archive.open("x.npy", "w") as file:
        np.lib.format.write_array(file, np.zeros(3, fields), version=(2, 0))
    with open_npz(tmp_path / "a.npz", limits=LIMITS) as found:
        assert found.header("x").dtype == fields
        assert found.read("x").shape == (3,)
