"""Stripe removal by the compiled kernel: the methods of `stripes` and `stripe_trends`, a whole slab in one call.

The C++ is in `native/`. The lanes of a vector are columns while lines are sorted, and ranks of the sorted lines while
medians slide over the columns. Rows go to threads one by one; rows too few for that are shared by all threads.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stp3.errors import UsageFault
from stp3.kernels import memory
from stp3.kernels._native import StripeRemover
from stp3.kernels.stripe_trends import StripeMethod, settings


def remove(
    sinograms: NDArray[np.float32],
    method: StripeMethod,
    out: NDArray[np.float32],
    threads: int = 1,
    instructions: str = "",
) -> NDArray[np.float32]:
    """`out`, as `stripe_removal.remove_stripes` says; both arrays may have any strides between angles and rows.

    `instructions` is one of `instruction_sets()`, the fastest by default.
    Raises UsageFault for arguments that do not fit together.
    """
    if sinograms.ndim != 3:
        raise UsageFault(f"sinograms must have the axes (angles, rows, columns), got {sinograms.ndim} axes.")
    angles, rows, columns = sinograms.shape
    try:
        remover = StripeRemover(angles, rows, columns, instructions=instructions, **settings(method, angles, columns))
        room = memory.empty((remover.working_bytes(threads),), np.uint8)
        remover.remove(sinograms, out, room, threads)
    except ValueError as error:
        raise UsageFault(str(error)) from error
    except TypeError as error:
        raise UsageFault(
            f"sinograms and out must be float32 arrays of shape {sinograms.shape}, out writable; "
            f"got {sinograms.dtype} and {out.dtype} {out.shape}{'' if out.flags.writeable else ', read-only'}."
        ) from error
    return out
