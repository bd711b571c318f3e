"""The one place that imports MXNet: ``from ocr_lib.mx import mx``."""

import os
import sys
from pathlib import Path
from typing import List

from ocr_lib.errors import OCRError
from ocr_lib.installation import how_to_install
from ocr_lib.mxnet_environment import prepare

prepare()
try:
    import mxnet as mx
except (ImportError, AttributeError, OSError) as error:  # absent, beside another numpy, or without a library of CUDA
    if sys.version_info >= (3, 13):
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise OCRError(
            f"training and checkpoints need MXNet 1.9.1, which runs on Python 3.8 to 3.12; this is Python {version}"
        ) from error
    raise OCRError(f"MXNet does not load ({error}): {how_to_install('train')}") from error


def _start_engine() -> None:
    """Have MXNet run operators in the thread that calls them, unless the environment says otherwise.

    MXNet's default engine runs them in threads of its own, each with a team of OpenMP threads. Together these outnumber
    the cores, upon which GNU's OpenMP puts waiting threads to sleep, and waking them for every small product of an LSTM
    costs half of the time. A GPU needs the default engine.
    """
    if "MXNET_ENGINE_TYPE" in os.environ or mx.runtime.Features().is_enabled("CUDA"):
        return
    os.environ["MXNET_ENGINE_TYPE"] = "NaiveEngine"
    stderr = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:  # it announces itself there
        os.dup2(nowhere.fileno(), 2)
        try:
            mx.nd.waitall()
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            del os.environ["MXNET_ENGINE_TYPE"]  # was read; processes that we start make their own choice


_start_engine()


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
            "--gpu needs an MXNet with CUDA, and the installed one has none: pip uninstall mxnet, then "
            f"{how_to_install('train-gpu')}; or leave --gpu out to train on the CPU"
        )
    found = mx.context.num_gpus()
    if gpus > found:
        raise OCRError(f"--gpu {gpus} asks for more GPUs than the {found} that MXNet sees here")
    return [mx.gpu(i) for i in range(gpus)]
