"""Optimizers, learning rates and gradient clipping for a Module, and optimizer states as plain arrays.

A Module has no public way to its gradients, nor to the states of its optimizer short of a pickle, so this module, and
no other, reaches into its private attributes.
"""

import math
from typing import Dict

from ocr_lib.mx import mx
from ocr_lib.recipe.training import TrainingRecipe


def make_schedule(recipe: TrainingRecipe) -> "mx.lr_scheduler.LRScheduler":
    """Return the learning rate as a function of the number of updates."""
    epoch = math.ceil(recipe.epoch_size / recipe.batch_size)
    warmup = {"base_lr": recipe.learning_rate, "warmup_steps": round(recipe.warmup * epoch)}
    if recipe.schedule == "cosine":
        return mx.lr_scheduler.CosineScheduler(max(recipe.epochs * epoch, warmup["warmup_steps"] + 1), **warmup)
    factor = recipe.step_factor if recipe.schedule == "step" else 1.0
    return mx.lr_scheduler.FactorScheduler(recipe.step_epochs * epoch, factor, **warmup)


def init_optimizer(module: "mx.mod.Module", recipe: TrainingRecipe, updates: int) -> "mx.optimizer.Optimizer":
    """Give a Module the recipe's optimizer, `updates` updates into its schedule, and return it."""
    options = {"momentum": recipe.momentum} if recipe.optimizer == "sgd" else {}
    optimizer = mx.optimizer.create(
        recipe.optimizer,
        learning_rate=recipe.learning_rate,
        lr_scheduler=make_schedule(recipe),
        wd=recipe.weight_decay,
        rescale_grad=1 / recipe.batch_size,
        begin_num_update=updates,
        param_idx2name=dict(enumerate(module._param_names)),
        sym=module.symbol,
        **options,
    )
    module.init_optimizer(optimizer=optimizer)
    return optimizer


def optimizer_states(module: "mx.mod.Module") -> Dict[str, "mx.nd.NDArray"]:
    """Return the states, such as momenta, as arrays called ``{parameter}:{k}``."""
    names = module._param_names
    arrays: Dict[str, mx.nd.NDArray] = {}
    for index, state in _updater(module).states.items():
        parts = state if isinstance(state, tuple) else (state,)
        arrays.update((f"{names[index]}:{k}", part) for k, part in enumerate(parts) if part is not None)
    return arrays


def restore_states(module: "mx.mod.Module", arrays: Dict[str, "mx.nd.NDArray"]) -> None:
    """Put back what `optimizer_states` returned."""
    updater = _updater(module)
    for index, name in enumerate(module._param_names):
        parts = tuple(arrays[key] for key in (f"{name}:{k}" for k in range(2)) if key in arrays)
        if parts:
            updater.states[index] = parts if len(parts) > 1 else parts[0]
            updater.states_synced[index] = False  # they are moved to the weights' device when first used


def clip_gradients(module: "mx.mod.Module", max_norm: float, rescale: float) -> None:
    """Scale the gradients down so that `rescale` times their global norm is at most `max_norm`."""
    devices = list(zip(*module._exec_group.grad_arrays))  # one tuple of gradients a device
    total = devices[0]
    if len(devices) > 1:
        here = total[0].context
        total = tuple(sum(g.as_in_context(here) for g in same) for same in zip(*devices))
    squares = mx.nd.multi_sum_sq(*total, num_arrays=len(total))
    norm = rescale * math.sqrt(float(mx.nd.sum(squares).asscalar()))
    if norm > max_norm:
        for gradients in devices:
            for gradient in gradients:
                gradient *= max_norm / norm


def _updater(module: "mx.mod.Module") -> "mx.optimizer.Updater":
    return module._updater or module._kvstore._updater
