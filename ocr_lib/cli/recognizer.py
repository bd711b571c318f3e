"""The recognizer that a command line names, and how it is to read."""

import argparse
import os
import sys
from pathlib import Path
from typing import Optional

from ocr_lib.alphabet import Alphabet
from ocr_lib.cli.command import add_checkpoint
from ocr_lib.errors import OCRError, option_name
from ocr_lib.jobs.load import load, load_model
from ocr_lib.recognize.decode import Decoder, best_path
from ocr_lib.recognize.recognizer import Recognizer
from ocr_lib.sets.dataset import OWN_LEXICONS
from ocr_lib.zoo.models import model_names


def add_recognizer(parser: argparse.ArgumentParser, has_own_lexicons: bool = False) -> None:
    """Add the options that name a recognizer and say how it reads.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    has_own_lexicons : bool
        Whether the command reads lexicons of single images, as `own_lexicon` names them.
    """
    add_checkpoint(parser)
    parser.add_argument(
        "--model",
        type=Path,
        metavar="FILE|NAME",
        help=f"in place of a checkpoint: an exported model, or one that is trained already: {', '.join(model_names())}",
    )
    parser.add_argument("--batch-size", type=int, default=128, help="images to put through the network at a time")
    parser.add_argument(
        "--decoder",
        choices=["greedy", "beam"],
        help="the best class of each time step, or the most probable text by beam search, which --lexicon and "
        "--pattern imply (default: greedy)",
    )
    parser.add_argument("--beam-width", type=int, metavar="N", help="prefixes that beam search keeps (default: 16)")
    own = "; own: the best word of each image's lexicon in the data, own-medium: of IIIT5K's of 1,000 words"
    parser.add_argument(
        "--lexicon",
        metavar="|".join(["FILE", *OWN_LEXICONS]) if has_own_lexicons else "FILE",
        help="read only words of this file, one a line; none, with confidence 0, where all are too long"
        + (own if has_own_lexicons else ""),
    )
    parser.add_argument("--pattern", metavar="REGEX", help=r"likewise, only texts that match as a whole: \d{3,4}")


def open_recognizer(args: argparse.Namespace, num_images: int = sys.maxsize) -> Recognizer:
    """Return the recognizer that the options of `add_recognizer` ask for.

    Parameters
    ----------
    args : argparse.Namespace
    num_images : int
        How many there are to read: it need not make room for more at a time.

    Raises
    ------
    OCRError
        If it can't be loaded, or an option is wrong.
    """
    if args.batch_size < 1:
        raise OCRError(f"--batch-size must be at least 1, not {args.batch_size}")
    if args.model and (args.epoch is not None or args.prefix != "ocr"):
        raise OCRError("--model takes the place of a checkpoint: leave --prefix and --epoch out")
    _check_decoding(args)
    # Read when MXNet is loaded. Several threads wait for each other in every operator, beside another program for long.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    batch_size = min(args.batch_size, num_images)
    recognizer = (
        load_model(args.model, batch_size) if args.model else load(args.prefix, args.epoch, batch_size=batch_size)
    )
    recognizer.decode = _decoder(args, recognizer.alphabet)
    return recognizer


def own_lexicon(args: argparse.Namespace) -> Optional[str]:
    """Take ``--lexicon own`` or the like out of the options, and return it; None if a file is given, or nothing.

    Raises
    ------
    OCRError
        If a decoder, or what it takes, is given besides: words are scored one by one.
    """
    if args.lexicon not in OWN_LEXICONS:  # a file of that name is ./own
        return None
    name: str = args.lexicon
    args.lexicon = None
    for option in ("decoder", "beam_width", "pattern"):
        if getattr(args, option) is not None:
            raise OCRError(f"--lexicon {name} scores each word of a lexicon: leave {option_name(option)} out")
    return name


def _check_decoding(args: argparse.Namespace) -> None:
    """Refuse options that contradict each other, and set the decoder that they imply."""
    if args.lexicon is not None and args.pattern is not None:
        raise OCRError("--lexicon and --pattern can't be combined")
    if args.decoder is None:
        args.decoder = "greedy" if args.lexicon is None and args.pattern is None else "beam"
    for option in ("lexicon", "pattern", "beam_width"):
        if args.decoder == "greedy" and getattr(args, option) is not None:
            raise OCRError(f"{option_name(option)} goes with --decoder beam")


def _decoder(args: argparse.Namespace, alphabet: Alphabet) -> Decoder:
    if args.decoder == "greedy":
        return best_path
    # Imports compiled code, which the first time takes seconds.
    from ocr_lib.recognize.automaton import all_texts
    from ocr_lib.recognize.beam import DEFAULT_WIDTH, MOST_WIDTH, BeamDecoder
    from ocr_lib.recognize.lexicon import load_lexicon
    from ocr_lib.recognize.pattern import compile_pattern

    width = DEFAULT_WIDTH if args.beam_width is None else args.beam_width
    if not 1 <= width <= MOST_WIDTH:
        raise OCRError(f"--beam-width must be from 1 to {MOST_WIDTH}, not {width}")
    if args.lexicon is not None:
        return BeamDecoder(load_lexicon(Path(args.lexicon), alphabet), width)
    if args.pattern is not None:
        return BeamDecoder(compile_pattern(args.pattern, alphabet), width)
    return BeamDecoder(all_texts(alphabet.num_classes), width)
