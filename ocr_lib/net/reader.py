"""Reading images with a checkpoint."""

import re
from typing import List, Tuple

import numpy as np

from ocr_lib.errors import OCRError
from ocr_lib.image import normalise
from ocr_lib.mx import mx
from ocr_lib.net.build import inference_symbol
from ocr_lib.net.checkpoint import Checkpoint
from ocr_lib.recognize.decode import Decoder, best_path
from ocr_lib.recognize.recognizer import Recognizer


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
        self.recipe = recipe = checkpoint.recipe
        super().__init__(recipe.alphabet, checkpoint.preparation, batch_size, decode)
        self._params_path = checkpoint.params_path
        symbol = inference_symbol(checkpoint.symbol)
        misfit = f"{checkpoint.params_path}: the parameters don't fit the symbol and the recipe beside them"
        try:
            # The original example feeds zeros for the states before the first time step.
            self._states = {
                name: checkpoint.arg_params[f"{layer}_h2h_weight"].shape[1]
                for name in symbol.list_arguments()
                for layer in re.findall(r"^(l\d+)_init_[ch]$", name)
            }
            self._module = mx.mod.Module(symbol, data_names=["data", *self._states], label_names=None)
            self._module.bind(self._shapes(batch_size), for_training=False)
            self._module.set_params(checkpoint.arg_params, checkpoint.aux_params)
            fits = self._module.output_shapes[0][1][-1] == recipe.alphabet.num_classes
        except (mx.base.MXNetError, LookupError, RuntimeError, ValueError) as error:
            raise OCRError(misfit) from error
        if not fits:
            raise OCRError(misfit)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Put images of the network's size, (N, H, W) uint8, through it; returns (T', N, C) float32.

        Raises
        ------
        OCRError
            If MXNet can't run the network on this CPU.
        """
        data = normalise(images, self.recipe.image.mean, self.recipe.image.scale)  # (N, T, F)
        arrays = [mx.nd.array(data), *(mx.nd.zeros((len(data), hidden)) for hidden in self._states.values())]
        try:
            self._module.forward(mx.io.DataBatch(arrays, provide_data=self._shapes(len(data))), is_train=False)
            output = self._module.get_outputs()[0].asnumpy()
        except mx.base.MXNetError as error:
            reason = str(error).strip().splitlines()[-1]
            hint = "; a network of 8 bits needs DNNL_MAX_CPU_ISA=AVX512_CORE, or none" if "primitive" in reason else ""
            raise OCRError(f"{self._params_path}: MXNet can't run this network here ({reason}){hint}") from error
        return output.reshape(-1, len(data), output.shape[-1])  # the original's is (T N, C)

    def _shapes(self, batch_size: int) -> List["mx.io.DataDesc"]:
        shapes: List[Tuple[str, Tuple[int, ...]]] = [
            ("data", (batch_size, self.recipe.image.width, self.recipe.image.height))
        ]
        shapes += [(name, (batch_size, hidden)) for name, hidden in self._states.items()]
        return [mx.io.DataDesc(name, shape) for name, shape in shapes]
