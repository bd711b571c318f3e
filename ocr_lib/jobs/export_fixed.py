"""Making what is built from networks in whole numbers: folders of C, pages for browsers, and headers for HLS."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Union

import numpy as np

from ocr_lib.errors import OCRError, naming
from ocr_lib.feed.samples import load_samples
from ocr_lib.files import check_free, check_writable, write_atomic
from ocr_lib.jobs.export import MAX_DROP, NUM_CALIB, NUM_TEST
from ocr_lib.net.manifest import Epoch
from ocr_lib.preparation import Preparation
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recognize.comparison import Comparison

if TYPE_CHECKING:
    from ocr_lib.deploy.c_source import Memory
    from ocr_lib.fixed.network import IntegerNetwork

NUM_GOLDEN = 8
NUM_SHOWN = 4


class Written(NamedTuple):
    """What was written.

    Attributes
    ----------
    path : pathlib.Path
    num_bytes : int
        Of the network; of a page, or a header, as a whole.
    source : pathlib.Path
        The checkpoint's parameters.
    memory : Memory, optional
        Of a reader in C; see `ocr_lib.deploy.c_source.Memory`.
    comparison : Comparison, optional
        With the checkpoint, where that is in floating point.
    """

    path: Path
    num_bytes: int
    source: Path
    memory: Optional["Memory"] = None
    comparison: Optional[Comparison] = None


def export_c(
    prefix: Union[str, Path] = "ocr",
    out: Union[str, Path, None] = None,
    *,
    samples: Union[str, Path] = "font",
    epoch: Optional[Epoch] = None,
    num_golden: int = NUM_GOLDEN,
    num_calib: int = NUM_CALIB,
    num_test: int = NUM_TEST,
    max_drop: float = MAX_DROP,
    overwrite: bool = False,
) -> Written:
    """Turn a checkpoint into a folder that ``make`` builds a reader of, in plain C that computes in whole numbers.

    Parameters
    ----------
    prefix : str or pathlib.Path
        The checkpoint's.
    out : str or pathlib.Path, optional
        The folder; ``PREFIX-c`` if left out.
    samples : str or pathlib.Path
        Whose readings the reader's self-test compares: fonts, for captchas, a folder of images, or a data set.
        Where the checkpoint is in floating point it is calibrated to 8 bits with others of them, and compared.
    epoch : int, "best" or "last", optional
        The best if left out, or the last if none is.
    num_golden : int
        So many samples.
    num_calib, num_test, max_drop
        As for `ocr_lib.quantize`, where the checkpoint is in floating point.
    overwrite : bool
        Replace the folder, if it is of this kind.

    Raises
    ------
    OCRError
        If something is there, the network is in floating point in part, or in 8 bits it reads too much worse.
    """
    folder = Path(out or f"{prefix}-c")
    _check_folder(folder, overwrite)
    from ocr_lib.deploy.c_source import c_files, memory_bytes

    whole = _whole(prefix, epoch, samples, num_calib=num_calib, num_test=num_test, max_drop=max_drop)
    files = c_files(whole.network, whole.recipe, whole.samples(num_golden))
    _write_folder(folder, files)
    memory = memory_bytes(whole.network, whole.recipe)
    return Written(folder, len(files["model.bin"]), whole.path, memory, whole.comparison)


def export_web(
    prefix: Union[str, Path] = "ocr",
    out: Union[str, Path, None] = None,
    *,
    samples: Union[str, Path] = "font",
    epoch: Optional[Epoch] = None,
    num_shown: int = NUM_SHOWN,
    num_calib: int = NUM_CALIB,
    num_test: int = NUM_TEST,
    max_drop: float = MAX_DROP,
    overwrite: bool = False,
) -> Written:
    """Turn a checkpoint into one file of HTML that reads images in a browser, in whole numbers, offline too.

    Parameters
    ----------
    prefix, epoch, num_calib, num_test, max_drop, overwrite
        As for `export_c`.
    out : str or pathlib.Path, optional
        The page; ``PREFIX.html`` if left out.
    samples : str or pathlib.Path
        What the page offers to read: fonts, for captchas, a folder of images, or a data set; for more see `export_c`.
    num_shown : int
        So many samples.

    Raises
    ------
    OCRError
        If it is there, as `export_c` does, or as `ocr_lib.deploy.web_page.web_page` does.
    """
    path = Path(out or f"{prefix}.html")
    check_free(path, overwrite)
    from ocr_lib.deploy.web_page import web_page

    whole = _whole(prefix, epoch, samples, num_calib=num_calib, num_test=num_test, max_drop=max_drop)
    page = web_page(whole.network, whole.recipe, Path(prefix).name, whole.samples(num_shown))
    write_atomic(path, page)
    return Written(path, len(page), whole.path, comparison=whole.comparison)


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


class _Whole(NamedTuple):
    """A network in whole numbers, what it is made of, and where samples are."""

    network: "IntegerNetwork"
    recipe: Recipe
    path: Path
    comparison: Optional[Comparison]
    where: Path

    def samples(self, count: int) -> List[np.ndarray]:
        """Return images (H, W) as the network reads them."""
        loaded = load_samples(self.where, self.recipe, Preparation.of(self.recipe), "test", count)
        return [image[:, :width] for image, width in zip(loaded.images, loaded.widths)]


def _whole(prefix: Union[str, Path], epoch: Optional[Epoch], samples: Union[str, Path], **calibration: Any) -> _Whole:
    """Return the network of a checkpoint, calibrated if it is in floating point."""
    from ocr_lib.fixed.build import integer_network
    from ocr_lib.jobs.quantize_fixed import calibrated
    from ocr_lib.net.checkpoint import load_checkpoint, numpy_weights

    checkpoint = load_checkpoint(str(prefix), epoch)
    recipe, weights, comparison = checkpoint.recipe, numpy_weights(checkpoint), None
    if recipe.quantization is None:
        (recipe, weights), comparison = calibrated(checkpoint, Path(samples), **calibration)
    return _Whole(integer_network(recipe, weights), recipe, checkpoint.params_path, comparison, Path(samples))


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
