"""Training speed beside MXNet's own LSTM-CTC example and PyTorch, in samples a second.

End to end (rendering, training, metrics) the baseline is the example's way, reimplemented in
original_example_training.py; of the network alone, which does training steps on one batch, it is PyTorch. Each
contestant has a process of its own, and they take turns. All use every core.

    python benchmarks/peers.py
"""

import importlib.util
import os
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Sequence

import original_example_training
from our_network import fixed_batch, on_all_cores, our_step
from report import ROOT, Apart, Contestant, Row, made_repeating, make_parser, repeating, show, speeds

from ocr_lib.draw.fonts import find_fonts
from ocr_lib.feed.plan import plan_fonts
from ocr_lib.images.decode import normalise
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import load_preset, override

# Rendering processes import this module: it must not load MXNet or PyTorch before a contestant is made.

WARM_UP_S = 1.0
END_TO_END_TURN_S, END_TO_END_ROUNDS = 5.5, 3
NETWORK_TURN_S, NETWORK_ROUNDS = 1.0, 5
PYTORCH = "PyTorch"


@contextmanager
def our_training(recipe: Recipe, fonts: Path) -> Iterator[Contestant]:
    """Give a contestant that trains as lstm_ocr_train.py does; validation and checkpoints don't count."""
    from ocr_lib.feed.streams import training_parts, validation_batches
    from ocr_lib.training.crew import Crew
    from ocr_lib.training.log import TrainingLog
    from ocr_lib.training.progress import Progress
    from ocr_lib.training.store import Store
    from ocr_lib.training.trainer import Feed, Limits, Trainer

    class Clock(TrainingLog):
        seconds = 0.0

        def trained(self, figures: Dict[str, float], seconds: float, waited: float) -> None:
            super().trained(figures, seconds, waited)
            self.seconds = seconds

    progress, recipe = Progress(), on_all_cores(recipe)
    plan = plan_fonts(recipe, fonts)
    crew = Crew(recipe, recipe.training.parts)
    with tempfile.TemporaryDirectory() as folder, plan.start_workers() as pool, crew:
        feed = Feed(training_parts(plan, pool), len(plan.bounds(0)), validation_batches(plan, pool))
        trainer = Trainer(crew, feed, Store(f"{folder}/ocr"), progress)
        log = Clock(Path(folder))

        def contestant(seconds: float) -> float:
            before = progress.updates
            trainer.run(log, Limits(deadline=time.monotonic() + seconds))
            return (progress.updates - before) * recipe.training.batch_size / log.seconds

        yield contestant
        log.close([])


@contextmanager
def our_network(recipe: Recipe) -> Iterator[Contestant]:
    """Give a contestant that does training steps of a recipe's network."""
    with our_step(on_all_cores(recipe)) as step:
        yield repeating(step)


def pytorch_step(recipe: Recipe) -> Callable[[], int]:
    """Return a function that does a training step of a recipe's network in PyTorch."""
    import torch
    from pytorch_network import Network

    torch.set_num_threads(os.cpu_count() or 1)
    training = recipe.training
    batch, image = fixed_batch(recipe), recipe.image
    images = torch.from_numpy(normalise(batch.images, image.mean, image.scale, batch.widths))  # (N, T, F)
    label = torch.from_numpy(recipe.alphabet.encode_batch(batch.texts, recipe.text.max_length))  # (N, L)
    lengths = (label > 0).sum(dim=1)
    steps = torch.full((training.batch_size,), recipe.time_steps)
    network = Network(recipe)
    loss = torch.nn.CTCLoss(reduction="sum")
    parameters = list(network.parameters())
    if training.optimizer == "sgd":
        options = {"momentum": training.momentum, "weight_decay": training.weight_decay}
        optimizer: Any = torch.optim.SGD(parameters, training.learning_rate, **options)
    else:
        optimizer = torch.optim.Adam(parameters, training.learning_rate, weight_decay=training.weight_decay)

    def work() -> int:
        optimizer.zero_grad()
        cost = loss(network(images).log_softmax(-1), label, steps, lengths) / training.batch_size
        cost.backward()
        if training.clip_norm:
            torch.nn.utils.clip_grad_norm_(parameters, training.clip_norm)
        optimizer.step()
        return training.batch_size

    return work


def compare(title: str, contestants: Dict[str, Sequence[Any]], turn_s: float, rounds: int, baseline: str) -> List[Row]:
    """Let contestants, each what `Apart` takes, take turns."""
    with ExitStack() as stack:
        running = {name: stack.enter_context(Apart(*made)) for name, made in contestants.items()}
        speeds(running, WARM_UP_S, 1)
        best = speeds(running, turn_s, rounds)
    ratio = {name: speed / best[baseline] if baseline in best else None for name, speed in best.items()}
    return [Row(f"{title}: {name}", speed, "samples/s", ratio[name]) for name, speed in best.items()]


def main() -> None:
    """Print a table, or with --json an array of objects."""
    args = make_parser(__doc__).parse_args()
    classic, captcha = load_preset("mxnet-ctc"), load_preset("captcha")
    fonts = find_fonts(ROOT / "font", classic.text.alphabet, classic.captcha.font_sizes)
    cells = {cell: override(classic, [("network.cell", cell)]) for cell in ("fused", "unrolled")}
    small = [("training.epoch_size", 10**6), ("training.validation_size", classic.training.batch_size)]
    end_to_end = {
        "original example": (original_example_training.training, fonts),
        **{f"ours, {cell}": (our_training, override(recipe, small), ROOT / "font") for cell, recipe in cells.items()},
    }
    alone = {
        f"{classic.name} network": {
            "original example": (made_repeating, original_example_training.step),
            **{f"ours, {cell}": (our_network, recipe) for cell, recipe in cells.items()},
            PYTORCH: (made_repeating, pytorch_step, classic),
        },
        f"{captcha.name} network": {
            "ours, fused": (our_network, captcha),
            PYTORCH: (made_repeating, pytorch_step, captcha),
        },
    }
    if importlib.util.find_spec("torch") is None:
        print("PyTorch is not installed: figures without a ratio to it", file=sys.stderr)
        for contestants in alone.values():
            del contestants[PYTORCH]
    rows = compare("end to end", end_to_end, END_TO_END_TURN_S, END_TO_END_ROUNDS, "original example")
    for title, contestants in alone.items():
        rows += compare(title, contestants, NETWORK_TURN_S, NETWORK_ROUNDS, PYTORCH)
    show(rows, args.json)


if __name__ == "__main__":
    main()
