"""How many cores there are to compute on."""

import os


def usable_cores() -> int:
    """Return how many cores this process may use: of the machine's, where the system does not say."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS, nor on Windows
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
