"""Stripe removal by the fastest means this installation has: the compiled kernel, or NumPy without it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stp3.kernels.reconstruction import is_compiled
from stp3.kernels.threads import share

if TYPE_CHECKING:
    from stp3.kernels.stripe_trends import StripeMethod


def remove_stripes(
    sinograms: NDArray[np.float32], method: StripeMethod, out: NDArray[np.float32], threads: int = 1
) -> NDArray[np.float32]:
    """`out`, which may be `sinograms`: these, float32 (angles, rows, columns), without stripes, each row by itself.

    Both means agree bit for bit in what is sorted (but for the sign of zeros, and where the last bit of a sum decides
    whether a column stands out), to 1e-5 of the range in what varies slowly.
    """
    if is_compiled():
        from stp3.kernels.compiled_stripes import remove

        return remove(sinograms, method, out, threads)
    rows = sinograms.shape[1]

    def work(row: int) -> None:
        out[:, row] = method.remove(sinograms[:, row], 1 if rows > 1 else threads)

    share(work, range(rows), threads)
    return out


def working_bytes(angles: int, columns: int) -> int:
    """Peak memory beside the sinograms: values and their order of one row a thread."""
    each = 10 if is_compiled() else 40
    return each * angles * columns * len(os.sched_getaffinity(0))
