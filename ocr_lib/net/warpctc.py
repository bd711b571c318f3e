"""The CTC loss of Baidu's libwarpctc as an MXNet operator.

Importing this module registers the operator, which is all that loading a saved graph needs. The library itself is
looked for when `warpctc_loss` builds a graph or an executor that computes the loss is made.
"""

import ctypes
import importlib.util
import os
from ctypes.util import find_library as find_system_library
from functools import lru_cache
from pathlib import Path
from typing import Any, Iterable, List, Optional, Tuple

import numpy as np
import numpy.typing as npt

from ocr_lib.errors import OCRError
from ocr_lib.installation import how_to_install
from ocr_lib.mx import mx

_FILE_NAMES = ("libwarpctc.so", "libwarpctc.dylib")
_API_VERSION = 2
_ON_CPU = 0

_Arrays = List[Any]  # of mx.nd.NDArray
_Shapes = List[List[int]]


class _Options(ctypes.Structure):
    """`ctcOptions` of the C header, which the library takes by value.

    The header unites the thread count with a CUDA stream's pointer; the count is the low half of that word on every
    little-endian machine. A plain field avoids a union, which ctypes does not support in arguments by value.
    """

    _fields_ = [("location", ctypes.c_int), ("threads_or_stream", ctypes.c_size_t), ("blank_label", ctypes.c_int)]


def find_library() -> str:
    """Return the path (or, for a system library, the name) that loads libwarpctc.

    The environment variable WARPCTC_PATH, a file or a folder, decides alone when it is set. Otherwise the system's
    libraries come first, then the copy that the paddlepaddle package ships.

    Raises
    ------
    OCRError
        If WARPCTC_PATH leads to no library, or there is none anywhere.
    """
    given = os.environ.get("WARPCTC_PATH")
    if given:
        place = Path(given).absolute()  # the loader would look for a bare name in the system's folders
        found = str(place) if place.is_file() else _first_in([place, place / "build", place / "lib"])
        if found is None:
            raise OCRError(f"WARPCTC_PATH is {given}, but there is no {' or '.join(_FILE_NAMES)}")
    else:
        found = find_system_library("warpctc") or _first_in(_paddle_folders())
        if found is None:
            raise OCRError(f"libwarpctc is not installed: {how_to_install('warpctc')}, or set WARPCTC_PATH to it")
    return found


def _first_in(folders: Iterable[Path]) -> Optional[str]:
    """Return the first libwarpctc in `folders`, or None."""
    candidates = (folder / name for folder in folders for name in _FILE_NAMES)
    return next((str(path) for path in candidates if path.is_file()), None)


def _paddle_folders() -> List[Path]:
    """Return where an installed paddle keeps its libraries; importing paddle itself would take seconds."""
    spec = importlib.util.find_spec("paddle")
    return [Path(place, "libs") for place in (spec and spec.submodule_search_locations) or ()]


def _thread_count() -> int:
    """Return OMP_NUM_THREADS, or else half of the logical processors, which is also MXNet's rule.

    More threads wait for each other, because MXNet's own and the workers that render need the processors too.
    """
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(wanted) if wanted.isdecimal() else max(1, (os.cpu_count() or 1) // 2)


class Library:
    """The C functions of one libwarpctc.

    Parameters
    ----------
    path : str
        What `find_library` returned.

    Raises
    ------
    OCRError
        If the file does not load, or is another library or an older version.
    """

    def __init__(self, path: str) -> None:
        size, pointer = ctypes.c_int, ctypes.c_void_p
        try:
            library = ctypes.CDLL(path)
            self._version = library.get_warpctc_version
            self._status_string = library.ctcGetStatusString
            self._workspace_size = library.get_workspace_size
            self._loss = library.compute_ctc_loss
        except (OSError, AttributeError) as error:
            raise OCRError(f"{path} does not load as libwarpctc: {error}") from error
        self._status_string.restype = ctypes.c_char_p
        self._workspace_size.argtypes = [pointer, pointer, size, size, _Options, pointer]
        self._loss.argtypes = [pointer] * 5 + [size, size, pointer, pointer, _Options]
        # Version 1 takes a smaller structure, so calling it would misread the arguments.
        if self._version() != _API_VERSION:
            raise OCRError(f"{path} is libwarpctc version {self._version()}, and version {_API_VERSION} is needed")

    def compute(
        self, logits: npt.ArrayLike, labels: npt.ArrayLike, with_gradients: bool = True
    ) -> Tuple[npt.NDArray[np.float32], Optional[npt.NDArray[np.float32]]]:
        """Return the loss of each sample and its gradient on the logits.

        A label that needs more time steps than there are has cost 0 and gradient 0.

        Parameters
        ----------
        logits : array_like
            (T, N, C), before the softmax; class 0 is the blank.
        labels : array_like
            (N, L), zero-padded.
        with_gradients : bool
            Whether to compute the gradients too, which takes more than twice as long.

        Returns
        -------
        costs : numpy.ndarray
            (N,), float32.
        gradients : numpy.ndarray or None
            (T, N, C), float32.

        Raises
        ------
        OCRError
            If the shapes disagree, a label is no class, or the library reports a fault.
        """
        logits = np.ascontiguousarray(logits, dtype=np.float32)
        labels = np.asarray(labels).astype(np.int32)
        if logits.ndim != 3 or labels.ndim != 2 or logits.shape[1] != len(labels):
            raise OCRError(f"WarpCTC needs logits (T, N, C) and labels (N, L), not {logits.shape} and {labels.shape}")
        time_steps, samples, classes = logits.shape
        if labels.size and not 0 <= labels.min() <= labels.max() < classes:
            raise OCRError(f"a label has class {labels.min()} or {labels.max()}, outside the {classes} of the logits")
        flat_labels = labels[labels != 0]
        label_lengths = np.count_nonzero(labels, axis=1).astype(np.int32)
        input_lengths = np.full(samples, time_steps, dtype=np.int32)
        costs = np.zeros(samples, dtype=np.float32)
        # The library leaves the gradients of a label that does not fit untouched.
        gradients = np.zeros_like(logits) if with_gradients else None

        options = _Options(location=_ON_CPU, threads_or_stream=_thread_count(), blank_label=0)
        lengths = label_lengths.ctypes.data, input_lengths.ctypes.data
        workspace_bytes = ctypes.c_size_t()
        self._check(self._workspace_size(*lengths, classes, samples, options, ctypes.byref(workspace_bytes)))
        workspace = np.empty(workspace_bytes.value, dtype=np.uint8)
        status = self._loss(
            logits.ctypes.data,
            None if gradients is None else gradients.ctypes.data,
            flat_labels.ctypes.data,
            *lengths,
            classes,
            samples,
            costs.ctypes.data,
            workspace.ctypes.data,
            options,
        )
        self._check(status)
        return costs, gradients

    def _check(self, status: int) -> None:
        if status:
            raise OCRError(f"libwarpctc failed: {self._status_string(status).decode()}")


@lru_cache(maxsize=None)
def load_library() -> Library:
    """Return the library that `find_library` finds, looked for once: asking the system starts processes."""
    return Library(find_library())


class _WarpCTCLoss(mx.operator.CustomOp):
    """One executor's loss; the training pass keeps the gradients for the backward pass."""

    def __init__(self, library: Library) -> None:
        super().__init__()
        self._library = library
        self._gradients: Optional[npt.NDArray[np.float32]] = None  # (T, N, C)

    def forward(self, is_train: bool, req: List[str], in_data: _Arrays, out_data: _Arrays, aux: _Arrays) -> None:
        """Write the costs, (N,)."""
        logits, labels = (array.asnumpy() for array in in_data)
        # MXNet may bury what is raised here; a loss that is no number ends training all the same.
        self.assign(out_data[0], req[0], mx.nd.full(out_data[0].shape, np.nan))
        costs, self._gradients = self._library.compute(logits, labels, with_gradients=is_train)
        self.assign(out_data[0], req[0], mx.nd.array(costs, ctx=out_data[0].context))

    def backward(
        self, req: List[str], out_grad: _Arrays, in_data: _Arrays, out_data: _Arrays, in_grad: _Arrays, aux: _Arrays
    ) -> None:
        """Write the logits' gradients, (T, N, C), each sample's times the gradient of its cost."""
        if self._gradients is None:
            self.assign(in_grad[0], req[0], mx.nd.full(in_grad[0].shape, np.nan))
            raise OCRError("WarpCTC has no gradients: the forward pass was not for training")
        weights = out_grad[0].asnumpy()[np.newaxis, :, np.newaxis]  # (1, N, 1)
        self.assign(in_grad[0], req[0], mx.nd.array(self._gradients * weights, ctx=in_grad[0].context))
        self.assign(in_grad[1], req[1], 0)


@mx.operator.register("warpctc")
class _WarpCTCLossProp(mx.operator.CustomOpProp):
    """Logits (T, N, C) and zero-padded labels (N, L) in, one cost a sample (N,) out."""

    def __init__(self) -> None:
        super().__init__(need_top_grad=True)

    def list_arguments(self) -> List[str]:
        """Name the inputs."""
        return ["data", "label"]

    def infer_shape(self, in_shape: _Shapes) -> Tuple[_Shapes, _Shapes, _Shapes]:
        """Derive the shape of the costs, which is unknown, (), while that of the logits is."""
        logits, _ = in_shape
        return in_shape, [logits[1:2]], []

    def create_operator(self, ctx: str, in_shapes: _Shapes, in_dtypes: List[Any]) -> _WarpCTCLoss:
        """Load the library for one executor."""
        return _WarpCTCLoss(load_library())


def warpctc_loss(logits: "mx.sym.Symbol", label: "mx.sym.Symbol") -> "mx.sym.Symbol":
    """Return the symbol of each sample's CTC loss (N,), computed by libwarpctc.

    Parameters
    ----------
    logits : mxnet.symbol.Symbol
        (T, N, C), before the softmax; class 0 is the blank.
    label : mxnet.symbol.Symbol
        (N, L), zero-padded.

    Raises
    ------
    OCRError
        If the library is missing or unfit: told here, because MXNet buries what its callbacks raise.
    """
    load_library()
    return mx.sym.Custom(logits, label, op_type="warpctc", name="ctc_loss")


def has_native() -> bool:
    """Return whether this MXNet was built with its own WarpCTC operator."""
    return hasattr(mx.sym, "WarpCTC")
