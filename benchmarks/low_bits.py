"""Networks of few bits: what they cost and give, on captchas of the package and on lines.

    python benchmarks/low_bits.py captchas --prefix demo/ocr --epochs 4 --samples font/
    python benchmarks/low_bits.py lines --prefix uw3 --epochs 50 --train-data train.tsv --val-data valid.tsv
    python benchmarks/low_bits.py steps

The first two begin with a checkpoint in floating point, train a network for each of --bits (or calibrate it: 8 bits
with --epochs 0), and measure it: exact match and CER, bytes, milliseconds an image in C (one thread), training time.
All logits that numpy, training's graph and C give are compared. Checkpoints are at PREFIX-BITS; one that is there is
measured as it is. `--plot` draws figures over bytes. The last compares training steps.
"""

import argparse
import json
import time
from itertools import groupby
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np
from accuracy import render
from c_harness import CReader

from ocr_lib import OCRError, train
from ocr_lib.draw.fonts import find_fonts
from ocr_lib.feed.source import Batch
from ocr_lib.fixed.reader import FixedReader
from ocr_lib.jobs.load import reader_of
from ocr_lib.jobs.quantize_fixed import calibrate
from ocr_lib.net.checkpoint import Checkpoint, load_checkpoint, numpy_weights
from ocr_lib.net.forward import training_logits
from ocr_lib.net.manifest import read_manifest
from ocr_lib.quant.info import quantized_recipe
from ocr_lib.recipe.quantization import parse_shorthand
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import load_preset, override
from ocr_lib.recognize.metrics import evaluate
from ocr_lib.recognize.recognizer import batches
from ocr_lib.sets.dataset import open_dataset
from ocr_lib.training.initial import fill, initial_weights, with_steps
from ocr_lib.training.layout import Layout
from ocr_lib.training.memory import SharedVectors
from ocr_lib.training.part import PartNetwork, Training

BITS = ["W8A8", "W4A8", "W4A4", "W2A4", "W2A2"]
NUM_CAPTCHAS = 5000
RATE = 0.001
STEPS = 12
BATCH = 100


def differing(checkpoint: Checkpoint, reader: FixedReader, c: CReader, images: List[np.ndarray]) -> Tuple[int, int]:
    """Return how many logits differ, and of how many."""
    weights, network = numpy_weights(checkpoint), reader.network
    wrong = count = 0
    for alike in ([*group] for _, group in groupby(images, key=np.shape)):
        for batch in (np.stack(part) for part in batches(alike, BATCH)):
            expected = network.logits(batch)  # (T', N, C)
            of_graph = training_logits(checkpoint.recipe, weights, batch) / 2.0**network.exponent
            wrong += int((of_graph != expected).sum())
            for n, image in enumerate(batch):
                c.read(image)
                wrong += int((c.logits(len(expected), expected.shape[2]) != expected[:, n]).sum())
            count += expected.size
    return wrong, count


def measured(name: str, prefix: str, images: List[np.ndarray], texts: List[str], checked: int) -> Dict[str, Any]:
    """Measure a checkpoint."""
    checkpoint = load_checkpoint(prefix, "last")
    reader = reader_of(checkpoint)
    figures = evaluate(texts, reader.texts(images))
    row: Dict[str, Any] = {"network": name, "exact_match": figures["accuracy"], "cer": figures["cer"]}
    row["bytes"] = checkpoint.params_path.stat().st_size
    if isinstance(reader, FixedReader):
        prepared = [np.ascontiguousarray(reader.preparation.prepare(image)) for image in images]
        c = CReader(reader.network, reader.recipe, prepared)
        row["bytes"] = c.model_bytes
        row["c_ms"] = 1e3 * float(np.mean([min(c.read(image) for _ in range(5)) for image in prepared[:100]]))
        row["differing_logits"], row["logits"] = differing(checkpoint, reader, c, prepared[:checked])
    print(json.dumps(row), flush=True)
    return row


def train_all(args: argparse.Namespace, options: Dict[str, Any], images: List[np.ndarray], texts: List[str]) -> None:
    """Train, measure and print all networks."""
    rows = [measured("float32", args.prefix, images, texts, 0)]
    for bits in args.bits:
        prefix, began = f"{args.prefix}-{bits.lower()}", time.perf_counter()
        is_there = read_manifest(prefix) is not None
        if not is_there and not args.epochs:
            calibrate(args.prefix, prefix, bits=int(bits[1]), max_drop=1.0, samples=args.samples)
        elif not is_there:
            settings = {"quantization": bits, "training.epochs": args.epochs, "training.learning_rate": args.lr}
            settings.update({"training.schedule": "cosine", "training.warmup": 0.5, "training.clip_norm": 5.0})
            train(prefix, args.preset, settings=settings, pretrained=args.prefix, cpus=args.cpu, quiet=True, **options)
        seconds = None if is_there else time.perf_counter() - began
        rows.append({**measured(bits, prefix, images, texts, args.checked), "training_s": seconds})
    show(rows)
    if args.plot:
        plot(rows, args.plot, "cer" if args.what == "lines" else "exact_match")


def show(rows: List[Dict[str, Any]]) -> None:
    """Print a table in Markdown."""
    print("| network | exact match | CER | bytes | against float32 | C, ms an image | logits that differ | training |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        size = f"{row['bytes']:,} | {row['bytes'] / rows[0]['bytes']:.3f} x"
        c_ms = f"{row['c_ms']:.3f}" if "c_ms" in row else ""
        differ = f"{row['differing_logits']} of {row['logits']:,}" if "logits" in row else ""
        trained = f"{row['training_s']:.0f} s" if row.get("training_s") else ""
        figures = f"{row['exact_match']:.2%} | {row['cer']:.2%}"
        print(f"| {row['network']} | {figures} | {size} | {c_ms} | {differ} | {trained} |")


def plot(rows: List[Dict[str, Any]], path: Path, figure: str) -> None:
    """Draw a figure over bytes."""
    import matplotlib.pyplot as plt

    plt.figure(figsize=(6, 4))
    for row in rows:
        plt.plot(row["bytes"] / 1000, 100 * row[figure], "o")
        plt.annotate(
            row["network"], (row["bytes"] / 1000, 100 * row[figure]), xytext=(5, 5), textcoords="offset points"
        )
    plt.xscale("log")
    plt.minorticks_off()
    sizes = sorted({round(row["bytes"] / 1000) for row in rows})
    plt.xticks(sizes, map(str, sizes))
    plt.margins(0.15)
    plt.xlabel("model, kB")
    plt.ylabel({"cer": "CER, %", "exact_match": "exact match, %"}[figure])
    plt.grid(alpha=0.3)
    plt.tight_layout()
    plt.savefig(path, dpi=120)


def captchas(args: argparse.Namespace) -> None:
    """Measure on captchas that the package renders."""
    recipe = load_checkpoint(args.prefix).recipe
    fonts = find_fonts(args.samples, recipe.text.alphabet, recipe.captcha.font_sizes)
    images, texts = render(recipe, fonts, args.count)
    train_all(args, {"fonts": args.samples}, images, texts)


def lines(args: argparse.Namespace) -> None:
    """Measure on labelled lines."""
    dataset = open_dataset(args.val_data)
    images = [dataset.read(i) for i in range(len(dataset))]
    texts = [dataset.item(i).text for i in range(len(dataset))]
    train_all(args, {"train_data": args.train_data, "val_data": args.val_data}, images, texts)


def step_seconds(recipe: Recipe, width: int, samples: int) -> float:
    """Return how long a training step of one part takes, of one thread."""
    layout = Layout(recipe)
    memory = SharedVectors(2, layout.size)
    images = np.random.default_rng(0).integers(0, 256, (samples, recipe.image.height, width)).astype(np.uint8)
    batch = Batch(images, ["0123"] * samples, np.full(samples, width))
    fill(layout.views(memory.array[0]), with_steps(recipe, initial_weights(recipe), [batch]))
    network = PartNetwork(recipe, memory)
    seconds = []
    for seed in range(STEPS):
        began = time.perf_counter()
        network(Training(1, seed, batch))
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:])


def steps(args: argparse.Namespace) -> None:
    """Compare training steps of quantized networks with those in floating point."""
    for preset, width, samples, bits in (("text-line", 640, 4, "W4A8"), ("uw3-bilstm", 1000, 4, "W2A4")):
        recipe = load_preset(preset)
        ratio = step_seconds(quantized_recipe(recipe, parse_shorthand(bits)), width, samples) / step_seconds(
            recipe, width, samples
        )
        print(f"{preset}, a step of {bits} against floating point: {ratio:.2f} x the time")
    recipe = quantized_recipe(load_preset("captcha"), parse_shorthand("W4A4"))
    for cell in ("fused", "unrolled"):
        seconds = step_seconds(override(recipe, {"network.cell": cell}), 80, 64)
        print(f"captcha W4A4, {cell}, one core: {64 / seconds:.0f} samples/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["captchas", "lines", "steps"])
    parser.add_argument("--samples", type=Path, default=Path("font"), help="fonts")
    parser.add_argument("--prefix", default="demo/ocr", help="of a checkpoint in floating point")
    parser.add_argument("--preset", help="whose training and augmentation are taken")
    parser.add_argument("--bits", nargs="+", default=BITS)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--lr", type=float, default=RATE)
    parser.add_argument("--cpu", type=int)
    parser.add_argument("--count", type=int, default=NUM_CAPTCHAS, help="captchas")
    parser.add_argument("--checked", type=int, default=100, help="images whose logits are compared")
    parser.add_argument("--train-data", type=Path)
    parser.add_argument("--val-data", type=Path)
    parser.add_argument("--plot", type=Path)
    args = parser.parse_args()
    if args.what == "lines" and not (args.train_data and args.val_data):
        raise OCRError("lines take --train-data and --val-data")
    {"captchas": captchas, "lines": lines, "steps": steps}[args.what](args)


if __name__ == "__main__":
    main()
