"""HTML pages that need nothing else: no network, no script, no other file."""

import base64
from html import escape
from typing import Iterable, Tuple

import numpy as np

from ocr_lib.cv import cv2

_THUMBNAIL = (800, 120)  # width and height

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
<p>{summary}</p>
{sections}
</main>
</body>
</html>
"""

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --paper: #fff; --faint: #6a7078; --line: #d9dde2; --bar: #4878b0;
  --wrong: #ffd2cc; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e6ea; --paper: #16181b; --faint: #969da6; --line: #363b42; --bar: #6f9fd8; --wrong: #7a2d24; }
}
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: auto; padding: 1.5rem; }
h1 { font-size: 1.5rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p, .name, .nothing { color: var(--faint); }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { font-weight: 600; }
tbody th { font-weight: 400; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.chart { width: 40%; vertical-align: middle; }
.bar { display: block; height: .7rem; background: var(--bar); border-radius: 2px; }
.text { font-family: ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.name { font-size: .85rem; overflow-wrap: anywhere; }
img { max-width: 100%; height: auto; background: #fff; display: block; margin: .2rem 0; }
.samples { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; max-width: 100%; }
mark { background: var(--wrong); color: inherit; }
"""


def page(title: str, summary: str, sections: Iterable[str]) -> str:
    """Return a page.

    Parameters
    ----------
    title, summary : str
        Plain text.
    sections : iterable of str
        Elements, one below the other; empty ones are left out.
    """
    return _PAGE.format(
        title=escape(title), style=_STYLE, summary=escape(summary), sections="\n".join(filter(None, sections))
    )


def table(title: str, heads: Iterable[Tuple[str, str]], rows: Iterable[Iterable[str]]) -> str:
    """Return a table under a heading of its own.

    Parameters
    ----------
    title : str
    heads : iterable of (str, str)
        What columns are called, and their classes.
    rows : iterable of iterable of str
        Cells, each an element.
    """
    titles = "".join(f'<th scope="col" class="{kind}">{name}</th>' if name else "<td></td>" for name, kind in heads)
    body = "\n".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    return f"<h2>{title}</h2>\n<table>\n<thead><tr>{titles}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def head(text: str) -> str:
    """Return the cell that a row begins with."""
    return f'<th scope="row">{escape(text)}</th>'


def number(text: str) -> str:
    """Return a cell with a number."""
    return f'<td class="number">{text}</td>'


def bar(share: float) -> str:
    """Return a cell with a bar that is as long as a share of 1."""
    return f'<td class="chart"><span class="bar" style="width: {min(share, 1):.2%}"></span></td>'


def picture(image: np.ndarray) -> str:
    """Return an image, (H, W) or (H, W, 3) uint8, as an element that has it inside."""
    height, width = image.shape[:2]
    data = base64.b64encode(png(image)).decode("ascii")
    return f'<img alt="" width="{width}" height="{height}" src="data:image/png;base64,{data}">'


def png(image: np.ndarray) -> bytes:
    """Return an image as a file."""
    _, data = cv2.imencode(".png", image)
    return data.tobytes()


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Return an image, made smaller if it is large."""
    height, width = image.shape[:2]
    scale = min(_THUMBNAIL[0] / width, _THUMBNAIL[1] / height)
    if scale >= 1:
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
