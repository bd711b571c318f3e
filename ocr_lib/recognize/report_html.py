"""An evaluation as one HTML page that needs nothing else: no network, no script, no other file."""

import base64
from html import escape
from typing import Iterable, List, Tuple

import numpy as np
from rapidfuzz.distance import Levenshtein

from ocr_lib.cv import cv2
from ocr_lib.recognize.evaluation import FIGURES, Evaluation, Group, Line, range_of, visible

_MOST_CONFUSIONS = 50

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
mark { background: var(--wrong); color: inherit; }
"""


def html_report(evaluation: Evaluation, title: str) -> str:
    """Return an evaluation as an HTML page.

    Parameters
    ----------
    evaluation : Evaluation
    title : str
        What was evaluated, as plain text.
    """
    sections = [
        _figures(evaluation),
        _groups("By length of the text", "characters", evaluation.by_length),
        _groups("By confidence", "confidence", evaluation.by_confidence),
        _confusions(evaluation),
        _worst(evaluation.worst),
    ]
    return _PAGE.format(
        title=escape(title),
        style=_STYLE,
        summary=f"{evaluation.count} images read, {evaluation.skipped} skipped",
        sections="\n".join(filter(None, sections)),
    )


def _figures(evaluation: Evaluation) -> str:
    figures = [(label, evaluation.figures[name]) for name, (label, _) in FIGURES.items()]
    rows = [[_head(label), _number(f"{figure:.2%}"), _bar(figure)] for label, figure in figures]
    return _table("Figures", [("figure", ""), ("value", "number"), ("", "chart")], rows)


def _groups(title: str, quantity: str, groups: Iterable[Group]) -> str:
    rows = [
        [
            _head(range_of(group)),
            _number(str(group.count)),
            _number(f"{group.cer:.2%}"),
            _number(f"{group.exact_match:.2%}"),
            _bar(group.exact_match),
        ]
        for group in groups
    ]
    heads = [(quantity, ""), ("images", "number"), ("CER", "number"), ("exact match", "number"), ("", "chart")]
    return _table(title, heads, rows)


def _confusions(evaluation: Evaluation) -> str:
    shown = evaluation.confusions[:_MOST_CONFUSIONS]
    if not shown:
        return ""
    most = shown[0].count
    rows = [
        [_character(found.reference), _character(found.read), _number(str(found.count)), _bar(found.count / most)]
        for found in shown
    ]
    left_out = len(evaluation.confusions) - len(shown)
    note = f"<p>and {left_out} other kinds</p>" if left_out else ""
    return _table("Errors", [("text", ""), ("read as", ""), ("times", "number"), ("", "chart")], rows) + note


def _worst(lines: List[Line]) -> str:
    if not lines:
        return ""
    rows = [[f"<td>{_image(line)}{_texts(line)}</td>", _number(str(line.edits)), _confidence(line)] for line in lines]
    return _table("Worst lines", [("text, and as read", ""), ("edits", "number"), ("confidence", "number")], rows)


def _table(title: str, heads: Iterable[Tuple[str, str]], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f'<th scope="col" class="{kind}">{name}</th>' if name else "<td></td>" for name, kind in heads)
    body = "\n".join(f"<tr>{''.join(cells)}</tr>" for cells in rows)
    return f"<h2>{title}</h2>\n<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _head(text: str) -> str:
    return f'<th scope="row">{escape(text)}</th>'


def _number(text: str) -> str:
    return f'<td class="number">{text}</td>'


def _confidence(line: Line) -> str:
    return _number(f"{line.confidence:.4f}")


def _bar(share: float) -> str:
    return f'<td class="chart"><span class="bar" style="width: {min(share, 1):.2%}"></span></td>'


def _character(character: str) -> str:
    kind = "text" if character else "nothing"
    return f'<td class="{kind}"><bdi>{escape(visible(character))}</bdi></td>'


def _image(line: Line) -> str:
    data = base64.b64encode(_png(line.image)).decode("ascii")
    height, width = line.image.shape[:2]
    return f'<img alt="" width="{width}" height="{height}" src="data:image/png;base64,{data}">'


def _png(image: np.ndarray) -> bytes:
    _, data = cv2.imencode(".png", image)
    return data.tobytes()


def _texts(line: Line) -> str:
    blocks = Levenshtein.opcodes(line.reference, line.text)
    reference = [(line.reference[block.src_start : block.src_end], block.tag) for block in blocks]
    read = [(line.text[block.dest_start : block.dest_end], block.tag) for block in blocks]
    name = f'<div class="name"><bdi>{escape(line.name)}</bdi></div>'
    return name + "".join(f'<div class="text">{_marked(pieces)}</div>' for pieces in (reference, read))


def _marked(pieces: Iterable[Tuple[str, str]]) -> str:
    marked = "".join(escape(text) if tag == "equal" else f"<mark>{escape(text)}</mark>" for text, tag in pieces if text)
    return f"<bdi>{marked}</bdi>" if marked else '<span class="nothing">nothing</span>'
