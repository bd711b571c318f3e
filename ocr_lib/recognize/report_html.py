"""An evaluation as one HTML page that needs nothing else: no network, no script, no other file."""

from html import escape
from typing import Iterable, List, Tuple, Union

from rapidfuzz.distance import Levenshtein

from ocr_lib.page import bar, head, number, page, picture, table
from ocr_lib.recognize.evaluation import FIGURES, Evaluation, Group, Line, range_of, visible
from ocr_lib.recognize.evaluations import COLUMNS, Evaluations

_MOST_CONFUSIONS = 50


def html_report(found: Union[Evaluation, Evaluations], title: str) -> str:
    """Return an evaluation, or those of several data sets one below the other, as an HTML page.

    Parameters
    ----------
    found : Evaluation or Evaluations
    title : str
        What was evaluated, as plain text.
    """
    if isinstance(found, Evaluation):
        sections = _sections(found)
    else:
        sections = [_sets(found)]
        for name, evaluation in found.sets:
            sections += [f"<h1>{escape(name)}</h1>", *_sections(evaluation)]
    return page(title, f"{found.count} images read, {found.skipped} skipped", sections)


def _sections(evaluation: Evaluation) -> List[str]:
    return [
        _figures(evaluation),
        _groups("By length of the text", "characters", evaluation.by_length),
        _groups("By confidence", "confidence", evaluation.by_confidence),
        _confusions(evaluation),
        _worst(evaluation.worst),
    ]


def _sets(found: Evaluations) -> str:
    rows = [
        [head(name), *map(number, (str(count), str(skipped), *(f"{figures[column]:.2%}" for column in COLUMNS)))]
        for name, count, skipped, figures in found.rows()
    ]
    heads = ["images", "skipped", *COLUMNS.values()]
    return table("Data sets", [("data", ""), *((label, "number") for label in heads)], rows)


def _figures(evaluation: Evaluation) -> str:
    figures = [(label, evaluation.figures[name]) for name, (label, _) in FIGURES.items()]
    rows = [[head(label), number(f"{figure:.2%}"), bar(figure)] for label, figure in figures]
    return table("Figures", [("figure", ""), ("value", "number"), ("", "chart")], rows)


def _groups(title: str, quantity: str, groups: Iterable[Group]) -> str:
    rows = [
        [
            head(range_of(group)),
            number(str(group.count)),
            number(f"{group.cer:.2%}"),
            number(f"{group.exact_match:.2%}"),
            bar(group.exact_match),
        ]
        for group in groups
    ]
    heads = [(quantity, ""), ("images", "number"), ("CER", "number"), ("exact match", "number"), ("", "chart")]
    return table(title, heads, rows)


def _confusions(evaluation: Evaluation) -> str:
    shown = evaluation.confusions[:_MOST_CONFUSIONS]
    if not shown:
        return ""
    most = shown[0].count
    rows = [
        [_character(found.reference), _character(found.read), number(str(found.count)), bar(found.count / most)]
        for found in shown
    ]
    left_out = len(evaluation.confusions) - len(shown)
    note = f"<p>and {left_out} other kinds</p>" if left_out else ""
    return table("Errors", [("text", ""), ("read as", ""), ("times", "number"), ("", "chart")], rows) + note


def _worst(lines: List[Line]) -> str:
    if not lines:
        return ""
    rows = [
        [f"<td>{picture(line.image)}{_texts(line)}</td>", number(str(line.edits)), _confidence(line)] for line in lines
    ]
    return table("Worst lines", [("text, and as read", ""), ("edits", "number"), ("confidence", "number")], rows)


def _confidence(line: Line) -> str:
    return number(f"{line.confidence:.4f}")


def _character(character: str) -> str:
    kind = "text" if character else "nothing"
    return f'<td class="{kind}"><bdi>{escape(visible(character))}</bdi></td>'


def _texts(line: Line) -> str:
    blocks = Levenshtein.opcodes(line.reference, line.text)
    reference = [(line.reference[block.src_start : block.src_end], block.tag) for block in blocks]
    read = [(line.text[block.dest_start : block.dest_end], block.tag) for block in blocks]
    name = f'<div class="name"><bdi>{escape(line.name)}</bdi></div>'
    return name + "".join(f'<div class="text">{_marked(pieces)}</div>' for pieces in (reference, read))


def _marked(pieces: Iterable[Tuple[str, str]]) -> str:
    marked = "".join(escape(text) if tag == "equal" else f"<mark>{escape(text)}</mark>" for text, tag in pieces if text)
    return f"<bdi>{marked}</bdi>" if marked else '<span class="nothing">nothing</span>'
