"""Running lstm_ocr_eval.py on a network made by hand that reads marks."""

from tests.cli.infer_command import write

KEYS = [
    *("exact_match", "exact_match_ci", "exact_match_alnum_ci", "cer", "cer_line", "wer", "lcs", "count", "skipped"),
    *("confusions", "by_length", "by_confidence", "worst"),
]
# What the images show, and what their labels say.
LABELS = {"0089": "0089", "7": "1", "31415": "31475", "12": "12", "99": "999"}


def write_data(folder, labels=LABELS, alphabet="0123456789"):
    """Write images of marks with their labels."""
    lines = []
    for index, (shown, label) in enumerate(labels.items()):
        write(folder / f"{index}.png", shown, alphabet)
        lines.append(f"{index}.png\t{label}\n")
    (folder / "labels.tsv").write_text("".join(lines), encoding="utf-8")
    return folder
