"""A picture of loss and accuracy over the epochs."""

from pathlib import Path
from typing import List

from matplotlib.figure import Figure

from ocr_lib.training.progress import Epoch


def draw_curves(history: List[Epoch], path: Path) -> None:
    """Draw the curves of a run's history as a PNG."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots(1, 2)
    epochs = [epoch.epoch + 1 for epoch in history]
    for axis, name in zip(axes, ("loss", "accuracy")):
        for split in ("train", "validation"):
            values = [getattr(epoch, split)[name] for epoch in history]
            axis.plot(epochs, values, marker="o", markersize=3, label=split)
        axis.set(xlabel="epoch", ylabel=name)
        axis.grid(alpha=0.3)
        axis.legend()
    axes[0].set_yscale("log")
    axes[1].set_ylim(0, 1.02)
    axes[1].set_title(f"best validation accuracy {max(e.validation['accuracy'] for e in history):.4f}")
    figure.savefig(path, format="png", dpi=120)
