"""What all commands share: common options, logging, errors on one line, exit codes."""

import argparse
import codecs
import io
import json
import logging
import math
import re
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, NoReturn, Optional, Sequence

from ocr_lib import __version__
from ocr_lib.errors import OCRError, option_name
from ocr_lib.installation import DISTRIBUTION
from ocr_lib.jobs.export import MAX_DROP, NUM_CALIB, NUM_TEST
from ocr_lib.net.manifest import Epoch

if TYPE_CHECKING:
    from ocr_lib.recognize.comparison import Comparison

# What Python makes of bytes that the locale's encoding lacks, itself or as it is shown.
_ESCAPED = re.compile(r"[\udc80-\udcff]|\\udc[89a-f][0-9a-f]")


class HelpFormatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults, but for those that say nothing."""

    def _get_help_string(self, action: argparse.Action) -> Optional[str]:
        if action.default in (None, False, [], math.inf) or action.nargs == 0:
            return action.help
        return super()._get_help_string(action)


class Parser(argparse.ArgumentParser):
    """Tells what is wrong with the arguments in one line, as all errors are told."""

    def error(self, message: str) -> NoReturn:
        """Print the message and exit with 2."""
        self.exit(2, f"{self.prog}: error: {message}; see --help\n")


def make_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser with the options that all commands have."""
    parser = Parser(description=description, formatter_class=HelpFormatter)
    parser.add_argument("--quiet", action="store_true", help="say nothing but results, warnings and errors")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser.add_argument("--version", action="version", version=f"{DISTRIBUTION} {__version__}")
    return parser


def num_proc(text: str) -> Optional[int]:
    """Read ``--num_proc``: a number of worker processes, or None for "auto"."""
    if text == "auto":
        return None
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor auto") from None


def add_overwrite(parser: argparse.ArgumentParser) -> None:
    """Add the option that allows to replace what is there."""
    parser.add_argument("--overwrite", action="store_true", help="replace what is there already")


def add_checkpoint(parser: argparse.ArgumentParser) -> None:
    """Add the options that name a checkpoint."""
    parser.add_argument("--prefix", default="ocr", help="path that the names of the checkpoint's files begin with")
    parser.add_argument("--epoch", type=_epoch, help="a number, best or last (default: best, or last if none is)")


def add_samples(parser: argparse.ArgumentParser) -> None:
    """Add the options of commands that turn a model into another, and compare the two."""
    parser.add_argument(
        "--samples",
        type=Path,
        default=Path("font"),
        metavar="PATH",
        help="to calibrate and to compare on: fonts, for captchas, a folder of images (and labels.tsv), or a data set",
    )
    parser.add_argument(
        "--num-calib", type=int, default=NUM_CALIB, metavar="N", help="images to take ranges of values from"
    )
    parser.add_argument("--num-test", type=int, default=NUM_TEST, metavar="N", help="images to compare the models on")
    parser.add_argument(
        "--max-drop",
        type=float,
        default=100 * MAX_DROP,
        metavar="PERCENT",
        help="exact match that 8 bits may cost at most; where the model is wrong already, characters that change",
    )
    parser.add_argument("--json", action="store_true", help="print an object")


def tell_model(
    as_json: bool, written: str, facts: Dict[str, Any], comparison: "Comparison", speedups: Dict[int, float]
) -> None:
    """Tell what has become of a model, for the commands that `add_samples` is for.

    Parameters
    ----------
    as_json : bool
        As an object, which begins with `facts`; else as lines, of which `written` is the first.
    written : str
    facts : dict
    comparison : Comparison
        With the model that it was made from.
    speedups : dict
        How many times faster it is, by the number of images at a time.
    """
    if as_json:
        gains = {f"speedup_{count}": gain for count, gain in speedups.items()}
        print(json.dumps({**facts, **asdict(comparison), **gains}, indent=2))
        return
    print(written)
    print(comparison.summary())
    for count, gain in speedups.items():
        print(f"{gain:.2f} times as fast as floating point, {count} at a time")


def refuse_others(args: argparse.Namespace, choice: str, options: Mapping[str, Sequence[str]]) -> None:
    """Refuse options that go with another choice than the one that was made.

    Parameters
    ----------
    args : argparse.Namespace
    choice : str
        The option that chooses, by its name in `args`.
    options : mapping of str to sequence of str
        Those that go with each of its values.

    Raises
    ------
    OCRError
        Naming the option, and what it goes with.
    """
    for value, names in options.items():
        for name in names:
            if value != getattr(args, choice) and getattr(args, name):
                raise OCRError(f"{option_name(name)} goes with {option_name(choice)} {value}")


def print_json(value: object) -> None:
    """Print an object or an array, in ASCII where stdout may lack characters of it."""
    encoding = codecs.lookup(getattr(sys.stdout, "encoding", None) or "utf-8").name
    print(json.dumps(value, indent=2, ensure_ascii=encoding != "utf-8", allow_nan=False))


def run_command(
    parser: argparse.ArgumentParser,
    command: Callable[[argparse.Namespace], int],
    argv: Optional[List[str]] = None,
) -> int:
    """Parse arguments, run a command and return its exit code.

    Errors end in one line on stderr and exit code 1, Ctrl-C in 130; `--debug` shows tracebacks.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # The locale may lack characters of texts, and names of files need not be text. Python's stderr does it already.
        sys.stdout.reconfigure(errors="backslashreplace")
    args = parser.parse_intermixed_args(argv)  # positionals may come before, among and after options
    _log_to_stderr(logging.WARNING if args.quiet else logging.INFO)
    try:
        return command(args)
    except KeyboardInterrupt:
        print(f"{parser.prog}: stopped", file=sys.stderr)
        return 128 + signal.SIGINT
    except BrokenPipeError:  # the reader of our output has had enough
        sys.stderr.close()
        return 1
    except OCRError as error:
        message = str(error)
        cause: Exception = error
    except Exception as error:
        message = f"unexpected {type(error).__name__}: {error}; --debug shows where"
        cause = error
    if args.debug:
        raise cause
    print(f"{parser.prog}: error: {' '.join(message.split())}{_hint(message, cause)}", file=sys.stderr)
    return 1


def _hint(message: str, cause: Exception) -> str:
    """Return what to set where an argument or the name of a file has what the locale's encoding lacks."""
    lacks = isinstance(cause, UnicodeEncodeError) or _ESCAPED.search(message)
    return "; the locale is not UTF-8: set PYTHONUTF8=1" if lacks and sys.getfilesystemencoding() != "utf-8" else ""


def _epoch(text: str) -> Epoch:
    if text in ("best", "last"):
        return text
    if not text.isdigit():
        raise argparse.ArgumentTypeError(f"{text!r} is no number, nor best or last")
    return int(text)


def _log_to_stderr(level: int) -> None:
    handler = logging.StreamHandler()
    handler.setLevel(level)
    handler.setFormatter(logging.Formatter("%(asctime)s,%(msecs)03d %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("ocr_lib")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
