"""Where a training run stands: all that resuming needs besides the arrays. No MXNet needed."""

from typing import Dict, List, Optional

import msgspec


class Epoch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A validated epoch, for curves and tables.

    Attributes
    ----------
    epoch : int
        Counted from 0, as in the log lines.
    updates : int
        Parameter updates behind it.
    train, validation : dict
        Figures by name.
    """

    epoch: int
    updates: int
    train: Dict[str, float]
    validation: Dict[str, float]


class Progress(msgspec.Struct, forbid_unknown_fields=True):
    """The counters of a run.

    Attributes
    ----------
    fonts : dict of str to str
        SHA-256 of each font file by its name: other fonts would make other samples.
    data : str
        Digest of what was read from disk instead.
    epoch, batch : int
        Whole epochs done, and batches of the one begun.
    updates : int
        Parameter updates.
    position : float, optional
        Where the last of them stood on the schedule of the learning rate; at its number if left out.
    sums : list of (float, int)
        Of the training metrics in the epoch begun.
    since_best : int
        Validations since the best.
    history : list of Epoch
        What was validated.
    """

    fonts: Dict[str, str] = {}
    epoch: int = 0
    batch: int = 0
    updates: int = 0
    sums: List[List[float]] = []
    since_best: int = 0
    history: List[Epoch] = []
    data: str = ""
    position: Optional[float] = None
