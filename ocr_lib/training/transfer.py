"""Copies between the arrays of a Module and memory.

A Module has no public way to its gradients, so this module, and no other, reaches into its private attributes. MXNet's
own functions take 20 microseconds an array and more, several times as long as the copy; those of its C API, which they
call, are called here at once.
"""

import ctypes
from typing import Any, Dict, List, Sequence, Tuple

from ocr_lib.mx import mx
from ocr_lib.net.weights import Weights

_Copy = Tuple[ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t]


class Transfer:
    """Copies all arrays of a Module on one device.

    Parameters
    ----------
    module : mxnet.module.Module
        Bound for training.
    state : Weights
        What the network is to be.
    rows : sequence of Weights
        Where gradients go, and the running averages of batch normalisation, under the names of the arrays.
    """

    def __init__(self, module: "mx.mod.Module", state: Weights, rows: Sequence[Weights]) -> None:
        self._module = module
        self._state, self._rows = state, rows
        self._executor: Any = None
        self._is_reordered = False
        self._follow()

    def load(self) -> None:
        """Make the network what the state says."""
        self._follow()
        if self._is_reordered:
            for array in self._executor.arg_dict.values():
                array[:] = 0  # into the layout that the copies below are in
            self._is_reordered = False
        for copy in self._loads:
            mx.base.check_call(mx.base._LIB.MXNDArraySyncCopyFromCPU(*copy))

    def note_inference(self) -> None:
        """Know that MXNet has put the weights into a layout of its own, as it does for inference."""
        self._is_reordered = True

    def store(self, row: int) -> None:
        """Copy gradients and averages to a row."""
        self._follow()
        for copy in self._stores[row]:
            mx.base.check_call(mx.base._LIB.MXNDArraySyncCopyToCPU(*copy))

    def _follow(self) -> None:
        """Find the arrays, if the Module has been bound anew, for another shape."""
        if self._executor is self._module._exec_group.execs[0]:
            return
        self._executor = self._module._exec_group.execs[0]
        parameters, gradients = self._executor.arg_dict, self._executor.grad_dict
        averages = self._executor.aux_dict
        self._loads = _copies({**parameters, **averages}, self._state)
        self._stores = [_copies({**gradients, **averages}, row) for row in self._rows]


def _copies(arrays: Dict[str, "mx.nd.NDArray"], memory: Weights) -> List[_Copy]:
    return [
        (arrays[name].handle, array.ctypes.data_as(ctypes.c_void_p), ctypes.c_size_t(array.size))
        for name, array in memory.items()
    ]
