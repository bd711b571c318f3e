"""Reading images with a checkpoint."""

import math
import re
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from ocr_lib.errors import OCRError
from ocr_lib.images.decode import normalise
from ocr_lib.mx import mx
from ocr_lib.net.build import inference_symbol
from ocr_lib.net.checkpoint import Arrays, Checkpoint
from ocr_lib.net.quantized import constants
from ocr_lib.recognize.decode import Decoder, best_path
from ocr_lib.recognize.recognizer import Recognizer

_BOUND_WIDTH = 320  # to begin with, where any will do
_MOST_VALUES = 2**27  # of all layers together, for one image


class Reader(Recognizer):
    """Reads images with a trained network.

    Parameters
    ----------
    checkpoint : Checkpoint
    batch_size : int
        Images to put through the network at a time.
    decode : Decoder
        Finds the texts in what the network says; greedily when left out.

    Raises
    ------
    OCRError
        If parameters, symbol and recipe don't fit each other.
    """

    def __init__(self, checkpoint: Checkpoint, batch_size: int = 128, decode: Decoder = best_path) -> None:
        self._checkpoint = checkpoint
        self.recipe = recipe = checkpoint.recipe
        super().__init__(recipe.alphabet, checkpoint.preparation, batch_size, decode)
        symbol = inference_symbol(checkpoint.symbol)
        width = recipe.image.width or _BOUND_WIDTH
        try:
            # The original example feeds zeros for the states before the first time step.
            self._states = {
                name: checkpoint.arg_params[f"{layer}_h2h_weight"].shape[1]
                for name in symbol.list_arguments()
                for layer in re.findall(r"^(l\d+)_init_[ch]$", name)
            }
            self._inputs = ["widths"] if recipe.image.width is None else []
            names = ["data", *self._inputs, *self._states]
            tables = constants(symbol)
            params = {**checkpoint.arg_params, **checkpoint.aux_params, **tables}
            shape = _output_shape(symbol, self._shapes(1, width), params)
            steps, classes = self.preparation.steps(width), recipe.alphabet.num_classes
            if shape not in ((steps, 1, classes), (steps, classes)):  # the original's has no axis of samples
                raise ValueError(f"an output of {shape}")
            self._module = mx.mod.Module(symbol, data_names=names, label_names=None)
            self._module.bind(self._shapes(batch_size, width), for_training=False)
            self._module.set_params({**checkpoint.arg_params, **tables}, checkpoint.aux_params)
        except (mx.base.MXNetError, LookupError, RuntimeError, ValueError) as error:
            raise OCRError(
                f"{checkpoint.params_path}: the parameters don't fit the symbol and the recipe beside them"
            ) from error

    def __reduce__(self) -> Tuple[Any, ...]:
        """Pickle what it was made of; another process binds the network anew."""
        return Reader, (self._checkpoint, self._batch_size, self.decode)

    def probabilities(self, images: np.ndarray, widths: Optional[np.ndarray] = None) -> np.ndarray:
        """Put prepared images, (N, H, W) uint8, through the network; returns (T', N, C) float32.

        Raises
        ------
        OCRError
            If MXNet can't run the network on this CPU.
        """
        count, _, width = images.shape
        data = normalise(images, self.recipe.image.mean, self.recipe.image.scale, widths)  # (N, T, F)
        arrays = [mx.nd.array(data)]
        if self._inputs:
            arrays.append(mx.nd.array(np.full(count, width) if widths is None else widths))
        arrays += [mx.nd.zeros((count, hidden)) for hidden in self._states.values()]
        shapes = self._shapes(count, width)
        try:
            self._module.forward(mx.io.DataBatch(arrays, provide_data=shapes), is_train=False)
            output = self._module.get_outputs()[0].asnumpy()
        except mx.base.MXNetError as error:
            reason = str(error).strip().splitlines()[-1]
            hint = "; a network of 8 bits needs DNNL_MAX_CPU_ISA=AVX512_CORE, or none" if "primitive" in reason else ""
            raise OCRError(
                f"{self._checkpoint.params_path}: MXNet can't run this network here ({reason}){hint}"
            ) from error
        if not np.isfinite(output).all():
            raise OCRError(
                f"{self._checkpoint.params_path}: what the network computes is no number: it diverged, or is damaged"
            )
        return output.reshape(-1, len(data), output.shape[-1])  # the original's is (T N, C)

    def _shapes(self, batch_size: int, width: int) -> List["mx.io.DataDesc"]:
        shapes: Dict[str, Tuple[int, ...]] = {"data": (batch_size, width, self.recipe.image.column_size)}
        shapes.update((name, (batch_size,)) for name in self._inputs)
        shapes.update((name, (batch_size, hidden)) for name, hidden in self._states.items())
        return [mx.io.DataDesc(name, shape) for name, shape in shapes.items()]


def _output_shape(symbol: "mx.sym.Symbol", inputs: List["mx.io.DataDesc"], params: Arrays) -> Tuple[int, ...]:
    """Return the shape of a network's output, once parameters and layers are seen to be no reason to take much memory.

    Raises
    ------
    ValueError, LookupError, mxnet.base.MXNetError
        If parameters are missing or of other shapes, or layers are huge.
    """
    layers = symbol.get_internals()
    arg_shapes, shapes, aux_shapes = layers.infer_shape_partial(**{each.name: each.shape for each in inputs})
    found = {**{name: array.shape for name, array in params.items()}, **{each.name: each.shape for each in inputs}}
    names = [*symbol.list_arguments(), *symbol.list_auxiliary_states()]
    if any(found[name] != shape for name, shape in zip(names, [*arg_shapes, *aux_shapes])):
        raise ValueError("other shapes")
    if sum(map(math.prod, shapes)) - sum(map(math.prod, arg_shapes)) > _MOST_VALUES:
        raise ValueError("huge layers")
    return shapes[-1]
