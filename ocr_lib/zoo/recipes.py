"""By which recipes the models were trained."""

import json

import msgspec

from ocr_lib.recipe.recipe import Recipe
from ocr_lib.zoo.models import FOLDER


def model_recipe(name: str) -> Recipe:
    """Return the recipe of a model, which its card has."""
    card = json.loads((FOLDER / f"{name}.json").read_bytes())
    return msgspec.convert({"name": name, **card["recipe"]}, Recipe)
