"""What there is to know of samples, as one HTML page with pictures."""

from html import escape
from typing import Iterable, Mapping, Sequence

from ocr_lib.errors import OCRError
from ocr_lib.feed.inspection import RARE, Inspection, Sample, shown
from ocr_lib.images.pixels import Rendition
from ocr_lib.page import bar, head, number, page, picture, table, thumbnail

_MOST_LINES = 200
_MOST_SIZES = 20


def inspection_page(inspection: Inspection, title: str, left_out: Sequence[str], reasons: Sequence[str]) -> str:
    """Return an inspection as an HTML page, the worst first.

    Parameters
    ----------
    inspection : Inspection
    title : str
        What was inspected, as plain text.
    left_out : sequence of str
        What can't be used: a line each.
    reasons : sequence of str
        Why the recipe that was found is as it is: a line each.
    """
    sizes = sorted(inspection.sizes.items(), key=lambda pair: -pair[1])
    sections = [
        _lines(f"Left out ({len(left_out):,})", left_out),
        *(_pictures(finding.kind.capitalize(), finding.samples, finding.sentence) for finding in inspection.findings),
        _lines("Recipe", reasons),
        _pictures("Samples", inspection.examples),
        _counts("Lengths", "characters", {str(length): count for length, count in inspection.lengths.items()}),
        _counts("Sizes", "width x height", {f"{w} x {h}": count for (w, h), count in sizes[:_MOST_SIZES]}),
        _more(len(sizes) - _MOST_SIZES, "sizes"),
        _counts("Characters", "character", {shown(c): count for c, count in inspection.characters.items()}, RARE),
    ]
    images, sizes_and_texts = sum(inspection.sizes.values()), inspection.overview()[:2]
    return page(title, ". ".join([f"{images:,} images", *sizes_and_texts]), sections)


def _lines(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    items = "\n".join(f"<li>{escape(line)}</li>" for line in lines[:_MOST_LINES])
    return f"<h2>{title}</h2>\n<ul>\n{items}\n</ul>{_more(len(lines) - _MOST_LINES, 'lines')}"


def _more(count: int, what: str) -> str:
    return f"<p>and {count:,} other {what}</p>" if count > 0 else ""


def _pictures(title: str, samples: Iterable[Sample], sentence: str = "") -> str:
    said = f"<p>{escape(sentence)}</p>\n" if sentence else ""
    figures = "\n".join(map(_figure, samples))
    return f'<h2>{escape(title)}</h2>\n{said}<div class="samples">\n{figures}\n</div>'


def _figure(sample: Sample) -> str:
    try:
        image = picture(thumbnail(sample.dataset.read(sample.number, Rendition(channels=3))))
    except OCRError as error:  # changed since it was looked at
        image = f'<span class="nothing">{escape(str(error))}</span>'
    name, text = escape(sample.name), escape(sample.text)
    caption = f'<div class="text"><bdi>{text}</bdi></div><div class="name"><bdi>{name}</bdi></div>'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


def _counts(title: str, quantity: str, counts: Mapping[str, int], least: int = 0) -> str:
    """Return a table of how often each of several things is there; those that are rarer than `least` are marked."""
    most = max(counts.values())
    heads = [(quantity, ""), ("times", "number"), ("", "chart")]
    rows = [
        [head(what), number(f"<mark>{count:,}</mark>" if count < least else f"{count:,}"), bar(count / most)]
        for what, count in counts.items()
    ]
    return table(title, heads, rows)
