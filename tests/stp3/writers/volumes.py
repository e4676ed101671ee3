"""What the tests of writers write."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stp3.writers import Layout

ROWS = range(7, 17)  # neither from 0 nor a multiple of the slab
SLAB_ROWS = 4


def layout(folder: Path, format: str, dtype: str = "float32", **changes: object) -> Layout:
    values: dict[str, object] = {
        "folder": folder, "format": format, "rows": ROWS, "slab_rows": SLAB_ROWS, "slice_shape": (13, 17),
        "dtype": np.dtype(dtype), "voxel_size_um": 3.25, "grey_range": None, "fingerprint": "0123456789abcdef",
        "recipe": "steps: []\n", "provenance": {"user": "ada", "versions": {"stp3": "0"}},
    }  # fmt: skip
    return Layout(**(values | changes))  # type: ignore[arg-type]
