"""Making what is built from networks in whole numbers: folders of C, pages for browsers, and headers for HLS."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Dict, List, NamedTuple, Optional, Union

import numpy as np

from ocr_lib.errors import OCRError, naming
from ocr_lib.feed.samples import load_samples
from ocr_lib.files import check_free, check_writable, write_atomic
from ocr_lib.net.manifest import Epoch

if TYPE_CHECKING:
    from ocr_lib.deploy.c_source import Memory
    from ocr_lib.net.checkpoint import Checkpoint

NUM_GOLDEN = 8
NUM_SHOWN = 4


class Written(NamedTuple):
    """What was written.

    Attributes
    ----------
    path : pathlib.Path
    model_bytes : int
        Of the network.
    source : pathlib.Path
        The checkpoint's parameters.
    memory : Memory, optional
        Of a reader in C; see `ocr_lib.deploy.c_source.Memory`.
    """

    path: Path
    model_bytes: int
    source: Path
    memory: Optional["Memory"] = None


def export_c(
    prefix: Union[str, Path] = "ocr",
    out: Union[str, Path, None] = None,
    *,
    samples: Union[str, Path] = "font",
    epoch: Optional[Epoch] = None,
    num_golden: int = NUM_GOLDEN,
    overwrite: bool = False,
) -> Written:
    """Turn a checkpoint in whole numbers into a folder that ``make`` builds a reader of, in plain C.

    Parameters
    ----------
    prefix : str or pathlib.Path
        The checkpoint's.
    out : str or pathlib.Path, optional
        The folder; ``PREFIX-c`` if left out.
    samples : str or pathlib.Path
        Whose readings the reader's self-test compares: fonts, for captchas, a folder of images, or a data set.
    epoch : int, "best" or "last", optional
        The best if left out, or the last if none is.
    num_golden : int
        So many samples.
    overwrite : bool
        Replace the folder, if it is of this kind.

    Raises
    ------
    OCRError
        If something is there, or the network is not in whole numbers alone.
    """
    folder = Path(out or f"{prefix}-c")
    _check_folder(folder, overwrite)
    from ocr_lib.deploy.c_source import c_files, memory_bytes
    from ocr_lib.fixed.build import integer_network
    from ocr_lib.net.checkpoint import load_checkpoint, numpy_weights

    checkpoint = load_checkpoint(str(prefix), epoch)
    network = integer_network(checkpoint.recipe, numpy_weights(checkpoint))
    files = c_files(network, checkpoint.recipe, _prepared_samples(samples, checkpoint, num_golden))
    _write_folder(folder, files)
    memory = memory_bytes(network, checkpoint.recipe)
    return Written(folder, len(files["model.bin"]), checkpoint.params_path, memory)


def export_web(
    prefix: Union[str, Path] = "ocr",
    out: Union[str, Path, None] = None,
    *,
    samples: Union[str, Path] = "font",
    epoch: Optional[Epoch] = None,
    num_shown: int = NUM_SHOWN,
    overwrite: bool = False,
) -> Written:
    """Turn a checkpoint in whole numbers into one file of HTML that reads images in a browser, offline too.

    Parameters
    ----------
    prefix, epoch, overwrite
        As for `export_c`.
    out : str or pathlib.Path, optional
        The page; ``PREFIX.html`` if left out.
    samples : str or pathlib.Path
        What the page offers to read: fonts, for captchas, a folder of images, or a data set.
    num_shown : int
        So many samples.

    Raises
    ------
    OCRError
        If it is there, or as `ocr_lib.deploy.web_page.web_page` does.
    """
    path = Path(out or f"{prefix}.html")
    check_free(path, overwrite)
    from ocr_lib.deploy.web_page import web_page
    from ocr_lib.fixed.build import integer_network
    from ocr_lib.net.checkpoint import load_checkpoint, numpy_weights

    checkpoint = load_checkpoint(str(prefix), epoch)
    network = integer_network(checkpoint.recipe, numpy_weights(checkpoint))
    shown = _prepared_samples(samples, checkpoint, num_shown)
    page = web_page(network, checkpoint.recipe, Path(prefix).name, shown)
    write_atomic(path, page)
    return Written(path, len(page), checkpoint.params_path)


def export_hls(
    prefix: Union[str, Path] = "ocr",
    out: Union[str, Path, None] = None,
    *,
    epoch: Optional[Epoch] = None,
    simd_factor: int = 1,
    pe: int = 1,
    overwrite: bool = False,
) -> Written:
    """Turn a checkpoint of one two-way LSTM layer into the header that LSTM-PYNQ's code for FPGAs includes.

    Parameters
    ----------
    prefix, epoch, overwrite
        As for `export_c`.
    out : str or pathlib.Path, optional
        The header; ``PREFIX.hpp`` if left out.
    simd_factor, pe : int
        As for `ocr_lib.deploy.hls.hls_header`.

    Raises
    ------
    OCRError
        If it is there, or the network is of another shape.
    """
    path = Path(out or f"{prefix}.hpp")
    check_free(path, overwrite)
    from ocr_lib.deploy.hls import hls_header
    from ocr_lib.net.checkpoint import load_checkpoint, numpy_weights

    checkpoint = load_checkpoint(str(prefix), epoch)
    header = hls_header(checkpoint.recipe, numpy_weights(checkpoint), simd_factor, pe).encode()
    write_atomic(path, header)
    return Written(path, len(header), checkpoint.params_path)


def _prepared_samples(samples: Union[str, Path], checkpoint: "Checkpoint", count: int) -> List[np.ndarray]:
    """Return images (H, W) as a network reads them."""
    loaded = load_samples(Path(samples), checkpoint.recipe, checkpoint.preparation, "test", count)
    return [image[:, :width] for image, width in zip(loaded.images, loaded.widths)]


def _check_folder(folder: Path, overwrite: bool) -> None:
    """Refuse a folder that is there, unless it is an exported one that may be replaced."""
    check_writable(folder)
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists() and not (overwrite and (folder / "ocr_reader.h").is_file()):
        way = "another --out leaves it alone" if overwrite else "--overwrite replaces it if it is an exported one"
        raise OCRError(f"{folder} is there already: {way}")


def _write_folder(folder: Path, files: Dict[str, bytes]) -> None:
    """Write a folder under another name first, so that it is whole or not there."""
    temporary = folder.with_name(f".{folder.name}.tmp")
    with naming(folder):
        shutil.rmtree(temporary, ignore_errors=True)
        for name, content in files.items():
            write_atomic(temporary / name, content)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
