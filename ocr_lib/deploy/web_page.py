"""Networks in whole numbers as one file of HTML, which reads images in a browser without any server.

The page is that of the service. In place of the service the C reader answers it, compiled to WebAssembly, with what
the package does before and after it in JavaScript: all in ``deploy/web``. No MXNet needed.
"""

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any, Dict, Sequence

import cv2
import numpy as np

from ocr_lib.deploy.c_model import CModel
from ocr_lib.deploy.c_source import macros_of
from ocr_lib.direction import facts_of
from ocr_lib.errors import OCRError
from ocr_lib.fixed.network import IntegerNetwork
from ocr_lib.geometry import least_size
from ocr_lib.preparation import MAX_WIDTH, Preparation
from ocr_lib.recipe.recipe import Recipe

_ENGINE = Path(__file__).with_name("web")
_PAGE = Path(__file__).parents[1] / "serve" / "page"
_SCRIPTS = ("pixels.js", "pattern.js", "ctc.js", "bidi.js", "engine.js")
_POLICY = (
    "default-src 'none'; script-src 'wasm-unsafe-eval' {scripts}; style-src {style}; img-src data: blob:; "
    "connect-src data:; base-uri 'none'; form-action 'none'"
)


def web_page(network: IntegerNetwork, recipe: Recipe, name: str, images: Sequence[np.ndarray]) -> bytes:
    """Return a page that reads images with a network.

    Parameters
    ----------
    network : IntegerNetwork
    recipe : Recipe
    name : str
        Of the model, as the page shows it.
    images : sequence of numpy.ndarray
        (H, W) uint8 each, for the page to offer.

    Returns
    -------
    bytes
        HTML in UTF-8.

    Raises
    ------
    OCRError
        If the network is larger than the engine has room for, or as `model_bytes` does.
    """
    model = CModel(network, recipe)
    _check_room({**macros_of(model, network, recipe, MAX_WIDTH, is_fast=False), "OCR_MODEL_BYTES": len(model.data)})
    bundle = {
        "name": name,
        "engine": _base64((_ENGINE / f"reader{model.sum_bits}.wasm").read_bytes()),
        "sum_bits": model.sum_bits,
        "model": _base64(model.data),
        "alphabet": list(recipe.text.alphabet),
        "bidi": facts_of(recipe.text.alphabet)._asdict() if recipe.text.direction == "rtl" else None,
        "image": _wanted(recipe),
        "samples": [{"name": f"sample-{n}.png", "url": _data_url(image)} for n, image in enumerate(images, 1)],
    }
    # No text of the bundle may end the script that it stands in.
    constants = f"const bundle = {json.dumps(bundle)};\n".replace("<", "\\u003c")
    engine = constants + "".join((_ENGINE / script).read_text("utf-8") for script in _SCRIPTS)
    page, style = ((_PAGE / part).read_text("utf-8") for part in ("page.js", "page.css"))
    policy = _POLICY.format(scripts=f"{_hash(engine)} {_hash(page)}", style=_hash(style))
    html = (_PAGE / "index.html").read_text("utf-8")
    for place, content in (
        (
            '<meta charset="utf-8">',
            f'<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="{policy}">',
        ),
        ('<link rel="stylesheet" href="page.css">', f"<style>{style}</style>"),
        ('<script src="engine.js"></script>', f"<script>{engine}</script>"),
        ('<script src="page.js"></script>', f"<script>{page}</script>"),
    ):
        assert place in html
        html = html.replace(place, content)
    return html.encode()


def _wanted(recipe: Recipe) -> Dict[str, Any]:
    """Return what pixels.js makes of an image."""
    wanted = Preparation.of(recipe)
    width, height = wanted.size
    return {
        "width": width,
        "height": height,
        "least_width": least_size(wanted.shrinkage),
        "most_width": MAX_WIDTH,
        "resize": wanted.resize,
        "invert": wanted.invert,
        "rotate": wanted.rotate,
        "frame": wanted.frame,
        "crop": wanted.crop,
        "ground": wanted.ground,
    }


def _check_room(needed: Dict[str, int]) -> None:
    """Refuse a network that needs more of something than the engine was compiled for."""
    for macro, room in re.findall(r"#define (OCR_\w+) (\d+)", (_ENGINE / "model.h").read_text("utf-8")):
        if needed[macro] > int(room):
            raise OCRError(
                f"the network is too large for the page: {macro} is {needed[macro]:,} where {int(room):,} fit"
            )


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _data_url(image: np.ndarray) -> str:
    return f"data:image/png;base64,{_base64(cv2.imencode('.png', image)[1].tobytes())}"


def _hash(content: str) -> str:
    """Return how a policy names what stands in a page, once it is allowed."""
    return f"'sha256-{_base64(hashlib.sha256(content.encode()).digest())}'"
