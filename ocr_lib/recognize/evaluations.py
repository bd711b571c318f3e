"""How well several data sets are read: a line for each, and one for the images of all."""

from dataclasses import dataclass
from typing import Any, Dict, List, Tuple

import numpy as np

from ocr_lib.recognize.evaluation import FIGURES, Evaluation, figures_as_json
from ocr_lib.recognize.metrics import rates

COLUMNS = {
    "exact_match": "exact match",
    "exact_match_alnum_ci": "letters, digits",
    "cer": "CER",
    "wer": "WER",
}
"""The figures of a table, and what it calls them."""


@dataclass(frozen=True)
class Evaluations:
    """Evaluations of data sets by one recognizer.

    Attributes
    ----------
    sets : list of (str, Evaluation)
        Each data set as it was named, and what was found.
    """

    sets: List[Tuple[str, Evaluation]]

    @property
    def figures(self) -> Dict[str, float]:
        """The figures of all images together, by their names in `FIGURES`."""
        measures = [measure for _, measure in FIGURES.values()]
        measured = rates(np.sum([found.scores for _, found in self.sets], axis=0), measures)
        return {name: measured[measure.name] for name, (_, measure) in FIGURES.items()}

    @property
    def count(self) -> int:
        """How many images were read."""
        return sum(found.count for _, found in self.sets)

    @property
    def skipped(self) -> int:
        """How many could not be."""
        return sum(found.skipped for _, found in self.sets)

    def rows(self) -> List[Tuple[str, int, int, Dict[str, float]]]:
        """Return the lines of a table: what they are of, images that were read and were not, figures."""
        lines = [(name, found.count, found.skipped, found.figures) for name, found in self.sets]
        return [*lines, ("all images", self.count, self.skipped, self.figures)]

    def as_json(self) -> Dict[str, Any]:
        """Return what JSON can say of it."""
        sets = [{"data": name, **found.as_json()} for name, found in self.sets]
        return {"sets": sets, "all": figures_as_json(self.figures, self.count, self.skipped)}

    def as_text(self) -> str:
        """Return a table for a terminal."""
        rows = self.rows()
        width = max(len(name) for name, *_ in rows)
        heads = "".join(f"{label:>17}" for label in COLUMNS.values())
        lines = [f"{'':{width}}{'images':>9}{'skipped':>9}{heads}"]
        for name, count, skipped, figures in rows:
            shown = "".join(f"{figures[column]:17.2%}" for column in COLUMNS)
            lines.append(f"{name:{width}}{count:9}{skipped:9}{shown}")
        return "\n".join(lines)
