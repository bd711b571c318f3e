"""What a service is told at its start."""

import logging
from typing import NamedTuple, Optional, Tuple

MEBIBYTE = 2**20


class Limits(NamedTuple):
    """What is refused, so that no request takes the service from the others.

    Attributes
    ----------
    body_bytes : int
        Of a request.
    pixels : int
        Of an image.
    images : int
        Of a request.
    seconds : float
        That a request may take to arrive, and then to be read.
    queue : int
        Images that wait in a process for their turn, from which on requests are refused.
    """

    body_bytes: int = 16 * MEBIBYTE
    pixels: int = 10_000_000
    images: int = 64
    seconds: float = 10.0
    queue: int = 64


class Settings(NamedTuple):
    """A service, as each of its processes begins.

    Attributes
    ----------
    models : tuple of (str, str)
        Names, and what goes by them: files, or models by name. The first reads unless a request says otherwise.
    limits : Limits
    batch_size : int
        Most images to put through a network at a time.
    threads : int
        Of each process, for the images of a batch.
    keys : tuple of str
        Of which a request must have one; none asks for none.
    origins : tuple of str
        Whose pages in browsers may ask this service.
    root_path : str
        Under which a proxy in front has it.
    grace : float
        Seconds that what is in flight has when the service ends.
    logs_requests : bool
        Whether each is a line of the log.
    log_level : int
        As Python's `logging` has them.
    """

    models: Tuple[Tuple[str, str], ...]
    limits: Limits = Limits()
    batch_size: int = 64
    threads: int = 1
    keys: Tuple[str, ...] = ()
    origins: Tuple[str, ...] = ()
    root_path: str = ""
    grace: float = 20.0
    logs_requests: bool = True
    log_level: int = logging.INFO


class Wish(NamedTuple):
    """How the images of a request are to be read.

    Attributes
    ----------
    alternatives : int
        How many texts to give for each; 0 for the one alone.
    pattern : str, optional
        Read only texts that match it as a whole.
    lexicon : tuple of str
        Read only these; empty for any.
    lattice : bool
        Whether the probabilities of classes at each time step are asked for.
    """

    alternatives: int = 0
    pattern: Optional[str] = None
    lexicon: Tuple[str, ...] = ()
    lattice: bool = False
