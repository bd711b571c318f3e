"""The one place that imports MXNet: ``from ocr_lib.mx import mx``."""

import os
import sys
from typing import List

import numpy as np

from ocr_lib.errors import OCRError

# MXNet 1.9.1 still says numpy.bool, which numpy 1.24 removed.
if "bool" not in np.__dict__:
    np.bool = bool  # type: ignore[attr-defined]

os.environ.setdefault("MXNET_SUBGRAPH_VERBOSE", "0")

try:
    import mxnet as mx
except (ImportError, AttributeError, OSError) as error:  # absent, beside another numpy, or without a library of CUDA
    if sys.version_info >= (3, 13):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise OCRError(
            f"training and checkpoints need MXNet 1.9.1, which runs on Python 3.8 to 3.12; this is Python {version}"
        ) from error
    raise OCRError(f"MXNet does not load ({error}): pip install 'ocr-lib[train]'") from error


def contexts(gpus: int = 0) -> List["mx.Context"]:
    """Return the devices to train on: the first `gpus` GPUs, or the CPU when that is 0.

    Raises
    ------
    OCRError
        If this MXNet has no CUDA, or the machine has fewer GPUs.
    """
    if gpus == 0:
        return [mx.cpu()]
    if not mx.runtime.Features().is_enabled("CUDA"):
        raise OCRError(
            "--gpu needs an MXNet with CUDA, and the installed one has none: "
            "pip uninstall mxnet, then pip install 'ocr-lib[train-gpu]'; or leave --gpu out to train on the CPU"
        )
    found = mx.context.num_gpus()
    if gpus > found:
        raise OCRError(f"--gpu {gpus} asks for more GPUs than the {found} that MXNet sees here")
    return [mx.gpu(i) for i in range(gpus)]
