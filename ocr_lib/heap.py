"""Memory that was freed, and that the C library keeps for what comes."""

import contextlib
import ctypes


def give_back_freed() -> None:
    """Give it back to the system: the gaps that things of many sizes leave would go on growing."""
    with contextlib.suppress(AttributeError):  # it is a function of GNU's C library
        ctypes.CDLL(None).malloc_trim(0)
