"""Means of figures over samples: since the epoch began, and since the last line of the log."""

from typing import Dict, List, Sequence

NAMES = ("accuracy", "loss")


class Means:
    """Running means of the training figures, each sample counted once.

    Parameters
    ----------
    sums : sequence of (float, float)
        What the attribute was when the epoch was left; nothing at its beginning.

    Attributes
    ----------
    sums : list of (float, float)
        Totals and numbers of samples since the epoch began.
    """

    def __init__(self, sums: Sequence[Sequence[float]] = ()) -> None:
        self.sums = [list(pair) for pair in sums] or [[0.0, 0.0] for _ in NAMES]
        self._since_line = [[0.0, 0.0] for _ in NAMES]

    def add(self, samples: int, totals: List[float]) -> None:
        """Take the totals of so many samples into account."""
        for pairs in (self.sums, self._since_line):
            for pair, total in zip(pairs, totals):
                pair[0] += total
                pair[1] += samples

    def of_epoch(self) -> Dict[str, float]:
        """Return the means since the epoch began."""
        return _means(self.sums)

    def since_line(self) -> Dict[str, float]:
        """Return the means since the last `begin_line`."""
        return _means(self._since_line)

    def begin_line(self) -> None:
        """Begin another line of the log."""
        self._since_line = [[0.0, 0.0] for _ in NAMES]


def _means(sums: List[List[float]]) -> Dict[str, float]:
    return {name: total / samples if samples else float("nan") for name, (total, samples) in zip(NAMES, sums)}
