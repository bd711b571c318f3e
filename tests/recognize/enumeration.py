"""CTC by the enumeration of every path: slow, and plain enough to be believed."""

import itertools
import math

import numpy as np


def collapse(path):
    return tuple(index for index, _ in itertools.groupby(path) if index)


def label_probabilities(probs):
    """Add up the paths of each label: (T, C) -> {label: probability}."""
    totals = {}
    for path in itertools.product(range(probs.shape[1]), repeat=len(probs)):
        terms = totals.setdefault(collapse(path), [])
        terms.append(math.prod(step[index] for step, index in zip(probs, path)))
    return {label: math.fsum(terms) for label, terms in totals.items()}


def least_steps(label):
    """Count the time steps that a label needs: one a character, and a blank between equal neighbours."""
    return len(label) + sum(left == right for left, right in zip(label, label[1:]))


def log_softmax(scores):
    return scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))


def random_log_probs(seed, *shape):
    return log_softmax(np.random.default_rng(seed).normal(scale=2.0, size=shape))
