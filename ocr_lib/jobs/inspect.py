"""A look at labelled images before training: all that ``lstm_ocr_inspect.py`` does."""

from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Union

import numpy as np

from ocr_lib.errors import OCRError
from ocr_lib.feed.data import HELD_OUT, DiskOptions, look
from ocr_lib.feed.disk import Subset, fitting
from ocr_lib.feed.inspection import Inspection
from ocr_lib.feed.inspection import inspect as inspect_samples
from ocr_lib.feed.inspection_html import inspection_page
from ocr_lib.feed.preview import augmentation_sheet
from ocr_lib.preparation import Preparation
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.settings import Settings, override
from ocr_lib.training.start import StartOptions, find_start


class Inspected(NamedTuple):
    """What there is to know of labelled images, and what training would make of them.

    Attributes
    ----------
    inspection : Inspection
    recipe : Recipe
        That they would be trained with.
    reasons : list of str
        Why, a line each.
    left_out : list of str
        What would not be trained on, and why: a line each.
    train : Subset
        What would be trained on.
    """

    inspection: Inspection
    recipe: Recipe
    reasons: List[str]
    left_out: List[str]
    train: Subset

    def as_text(self) -> str:
        """Return it as lines, the worst first behind what the samples are like."""
        count = sum(self.inspection.lengths.values())
        lines = [f"{count:,} samples", *self.inspection.overview(len(self.inspection.characters))]
        lines += [f"- {finding.message}" for finding in self.inspection.findings] or ["Nothing strange was found"]
        lines += [f"Recipe: {reason}" for reason in self.reasons]
        if self.left_out:
            lines += [f"{len(self.left_out):,} left out:", *(f"- {line}" for line in self.left_out)]
        return "\n".join(lines)

    def as_json(self) -> Dict[str, Any]:
        """Return it as an object for JSON."""
        inspection = self.inspection
        return {
            "samples": sum(inspection.lengths.values()),
            "left_out": self.left_out,
            "sizes": [[*size, count] for size, count in inspection.sizes.items()],
            "lengths": inspection.lengths,
            "characters": inspection.characters,
            "findings": [
                {"kind": finding.kind, "message": finding.message, "samples": [each.name for each in finding.samples]}
                for finding in inspection.findings
            ],
            "reasons": self.reasons,
        }

    def as_html(self, title: str) -> str:
        """Return it as a page that needs nothing else, with pictures."""
        return inspection_page(self.inspection, title, self.left_out, self.reasons)

    def augmented(self) -> np.ndarray:
        """Return a picture (H, W, 3) of what augmentation makes of a dozen of the images.

        Raises
        ------
        OCRError
            If no image would be trained on.
        """
        if not len(self.train.indices):
            raise OCRError("no image is left to be trained on")
        return augmentation_sheet(self.recipe, self.train)


def inspect(
    path: Union[str, Path],
    recipe: Union[str, Path, Recipe, None] = None,
    *,
    settings: Settings = (),
    val_data: Union[str, Path, None] = None,
    held_out: float = HELD_OUT,
    format: Optional[str] = None,  # noqa: A002
    label_pattern: Optional[str] = None,
    split: Optional[str] = None,
    num_proc: Optional[int] = None,
) -> Inspected:
    """Look at labelled images as training does, however many of them can't be used.

    Parameters
    ----------
    path : str or pathlib.Path
        A data set, as `ocr_lib.sets.dataset.open_dataset` takes it.
    recipe, settings, val_data, held_out, format, label_pattern, split, num_proc
        As for `ocr_lib.train`.

    Raises
    ------
    OCRError
        If there is no such data set, no image in it can be used, or there is no such recipe.
    """
    preset = str(recipe) if isinstance(recipe, Path) else recipe
    # Nothing is written, so what is at a prefix does not matter.
    start = find_start(StartOptions("ocr", preset, list(dict(settings).items()), overwrite=True, has_labels=True))
    validation = None if val_data is None else Path(val_data)
    options = DiskOptions(Path(path), validation, format, held_out, 1.0, label_pattern, split)
    seen = look(options, start.recipe, None if start.make_alphabet else start.recipe.text.alphabet, num_proc, 0)
    facts = seen.facts()
    start = start.finished(lambda: facts)
    found = override(start.recipe, {"text.direction": seen.direction})
    subsets = [fitting(survey, Preparation.of(found)) for survey in (seen.train, seen.validation)]
    left_out = [
        *seen.problems,
        *seen.train.faults,
        *seen.validation.faults,
        *(line for _, un in subsets for line in un),
    ]
    return Inspected(inspect_samples(seen, found), found, start.reasons, left_out, subsets[0][0])
