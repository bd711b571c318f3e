"""The one exception that stands for a fault the user can mend."""


class OCRError(Exception):
    """A fault of the input, the files or the machine, told in one line.

    The commands print the message without a traceback and exit with 1, so it names what was wrong and what to do.
    """
