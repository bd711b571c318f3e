"""A recipe's network in PyTorch: peers.py trains it, deploy.py reads images with it."""

import warnings
from pathlib import Path
from typing import Any, Callable

import numpy as np
import torch

from ocr_lib.images.decode import normalise
from ocr_lib.net.weights import Weights
from ocr_lib.recipe.network import direction_names
from ocr_lib.recipe.recipe import Recipe


class Network(torch.nn.Module):
    """Data (N, T, F) in, logits (T', N, C) out; `folded` is without batch normalisation, as inference wants it."""

    def __init__(self, recipe: Recipe, folded: bool = False) -> None:
        super().__init__()
        self.recipe = recipe
        self.convolutions = torch.nn.Sequential()
        network, channels = recipe.network, 1
        for i, (filters, pool) in enumerate((c.filters, c.pool) for c in network.convolutions):
            self.convolutions.add_module(f"conv{i}", torch.nn.Conv2d(channels, filters, 3, padding=1, bias=folded))
            if not folded:
                self.convolutions.add_module(f"bn{i}", torch.nn.BatchNorm2d(filters))
            self.convolutions.add_module(f"relu{i}", torch.nn.ReLU())
            self.convolutions.add_module(f"pool{i}", torch.nn.MaxPool2d(pool))
            channels = filters
        self.lstm = torch.nn.LSTM(recipe.features, network.hidden, network.layers, bidirectional=network.bidirectional)
        width = network.hidden * (1 + network.bidirectional)
        self.classifier = torch.nn.Linear(width, recipe.alphabet.num_classes)

    def forward(self, data: Any) -> Any:
        features = self.convolutions(data[:, None])  # (N, K, T', F')
        sequence = features.permute(2, 0, 1, 3).flatten(2)  # (T', N, K F')
        return self.classifier(self.lstm(sequence)[0])

    def set_weights(self, weights: Weights) -> None:
        """Take the weights that `ocr_lib.net.weights.fold_batch_norms` gives; both have one order of gates."""
        arrays = {name.replace("pred_fc_", "classifier."): a for name, a in weights.items() if name.startswith("pred")}
        for i in range(len(self.recipe.network.convolutions)):
            for kind in ("weight", "bias"):
                arrays[f"convolutions.conv{i}.{kind}"] = weights[f"conv{i}_{kind}"]
        for layer, prefixes in enumerate(direction_names(self.recipe.network)):
            for prefix, suffix in zip(prefixes, ("", "_reverse")):
                for kind in ("weight", "bias"):
                    arrays[f"lstm.{kind}_ih_l{layer}{suffix}"] = weights[f"{prefix}i2h_{kind}"]
                    arrays[f"lstm.{kind}_hh_l{layer}{suffix}"] = weights[f"{prefix}h2h_{kind}"]
        self.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})


def load(
    recipe: Recipe, weights: Weights, threads: int, is_int8: bool, path: Path
) -> Callable[[np.ndarray], np.ndarray]:
    """Return what turns images (N, H, W) uint8 into probabilities (T', N, C); its state dict is written to a file."""
    torch.set_num_threads(threads)
    network: Any = Network(recipe, folded=True).eval()
    network.set_weights(weights)
    if is_int8:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # newer releases would have another package do it
            network = torch.ao.quantization.quantize_dynamic(network, {torch.nn.LSTM, torch.nn.Linear}, torch.qint8)
    torch.save(network.state_dict(), path)

    def probabilities(images: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            data = torch.from_numpy(normalise(images, recipe.image.mean, recipe.image.scale))
            return network(data).softmax(-1).numpy()

    return probabilities
