"""What MXNet 1.9.1 needs before it is imported. Needs numpy alone."""

import os
import sys
from typing import Any

from ocr_lib.cores import usable_cores


def prepare() -> None:
    """Make MXNet importable beside newer releases of numpy, and have it use this machine well.

    What the environment says already is respected.
    """
    import numpy as np

    # MXNet still says numpy.bool, which numpy 1.24 removed.
    if "bool" not in np.__dict__:
        np.bool = bool  # type: ignore[attr-defined]
    os.environ.setdefault("MXNET_SUBGRAPH_VERBOSE", "0")
    # Without it MXNet takes every second core for a hyperthread, and leaves it out.
    os.environ.setdefault("OMP_NUM_THREADS", str(usable_cores()))
    # MXNet's quantized LSTM fails with the instructions that oneDNN prefers on newer CPUs (VNNI), and floating point
    # has no use for them.
    os.environ.setdefault("DNNL_MAX_CPU_ISA", "AVX512_CORE")


class _Finder:
    """Is asked for every module that is imported; finds none, but prepares for MXNet."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> None:
        if name == "mxnet":
            prepare()


def prepare_on_import() -> None:
    """Call `prepare` as soon as anybody imports MXNet."""
    if _Finder not in sys.meta_path:
        sys.meta_path.insert(0, _Finder)
