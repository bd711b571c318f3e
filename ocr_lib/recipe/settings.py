"""Recipes from presets, from settings and from JSON, and back to JSON."""

from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Tuple, Type, TypeVar, Union

import msgspec

from ocr_lib.errors import OCRError, naming
from ocr_lib.files import check_free, write_atomic
from ocr_lib.recipe.quantization import QuantizationRecipe, parse_shorthand
from ocr_lib.recipe.recipe import Recipe
from ocr_lib.recipe.rendering import STYLES, RenderingRecipe

RECIPE = "-recipe.json"
PRESETS_DIR = Path(__file__).parents[1] / "presets"
_OPTIONAL: Dict[str, Type[msgspec.Struct]] = {"quantization": QuantizationRecipe, "rendering": RenderingRecipe}
S = TypeVar("S", bound=msgspec.Struct)
Settings = Union[Mapping[str, Any], Iterable[Tuple[str, Any]]]


def decode_json(data: bytes, struct: Type[S], source: str) -> S:
    """Read a struct from JSON.

    Raises
    ------
    OCRError
        Naming `source` and the key at fault.
    """
    try:
        return msgspec.json.decode(data, type=struct)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise OCRError(f"{source}: {error}") from error


def encode_json(struct: msgspec.Struct) -> bytes:
    """Write a struct as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(struct), indent=2) + b"\n"


def preset_names() -> List[str]:
    """Names that `load_preset` knows."""
    return sorted(path.stem for path in PRESETS_DIR.glob("*.json"))


def load_preset(name: Union[str, Path], settings: Settings = ()) -> Recipe:
    """Return a preset, or the recipe in a JSON file, with some keys changed.

    Parameters
    ----------
    name : str or pathlib.Path
        One of `preset_names`, or a path that ends in ``.json``.
    settings : dict, or iterable of (str, object)
        As `override` takes them.

    Raises
    ------
    OCRError
        If there is none, or as `override` does.
    """
    path = _preset_path(name)
    try:
        data = path.read_bytes()
    except OSError as error:
        known = ", ".join(preset_names())
        raise OCRError(f"preset {str(name)!r} is none of {known}, nor a recipe's JSON file") from error
    return override(decode_json(_with_style(data, str(path)), Recipe, str(path)), settings)


def _with_style(data: bytes, source: str) -> bytes:
    """Spell out the style that a recipe's JSON may name."""
    try:
        tree = msgspec.json.decode(data)
    except msgspec.MsgspecError:
        return data  # what is wrong with it is told where it is read as a recipe
    if not (isinstance(tree, dict) and isinstance(tree.get("rendering"), str)):
        return data
    with naming(source):
        return msgspec.json.encode({**tree, "rendering": _style(tree["rendering"])})


def _style(name: str) -> Dict[str, Any]:
    if name not in STYLES:
        raise OCRError(f"rendering: {name} is none of the styles {', '.join(STYLES)}")
    style: Dict[str, Any] = msgspec.to_builtins(STYLES[name])
    return style


def save_recipe(prefix: Union[str, Path], recipe: Recipe, overwrite: bool = False) -> Path:
    """Write the recipe of a checkpoint that MXNet's own ``do_checkpoint`` writes, so that it can be read.

    Parameters
    ----------
    prefix : str or pathlib.Path
        The checkpoint's.
    recipe : Recipe
        Of the network whose symbol is saved there.
    overwrite : bool
        Replace another recipe that is there.

    Returns
    -------
    pathlib.Path
        ``PREFIX-recipe.json``.

    Raises
    ------
    OCRError
        If another recipe is there, or it can't be written.
    """
    path = Path(f"{prefix}{RECIPE}")
    content = encode_json(recipe)
    if not (path.is_file() and path.read_bytes() == content):
        check_free(path, overwrite)
        write_atomic(path, content)
    return path


def stated_settings(recipe: Recipe) -> List[Tuple[str, Any]]:
    """Return all that a recipe states, as `override` takes it."""
    return list(_leaves(msgspec.to_builtins(recipe)))


def preset_settings(name: str) -> List[Tuple[str, Any]]:
    """Return what a preset that `load_preset` knows states, as `override` takes it; not what it leaves to defaults."""
    return list(_leaves(msgspec.json.decode(_preset_path(name).read_bytes())))


def override(recipe: Recipe, settings: Settings) -> Recipe:
    """Return `recipe` with some keys changed.

    Parameters
    ----------
    recipe : Recipe
    settings : dict, or iterable of (str, object)
        Dotted keys and values, as in ``("network.hidden", 64)``. A value may be given as JSON text, unless it is to be
        a text itself; ``quantization`` also as `ocr_lib.recipe.quantization.parse_shorthand` takes it, and
        ``rendering`` as the name of one of `ocr_lib.recipe.rendering.STYLES`.

    Raises
    ------
    OCRError
        If a key is unknown, a value has the wrong type, or the result is impossible.
    """
    tree = msgspec.to_builtins(recipe)
    for key, value in dict(settings).items():
        *parents, last = key.split(".")
        for part, struct in _OPTIONAL.items():
            if parents[:1] == [part]:
                tree[part] = tree[part] or msgspec.to_builtins(struct())
        node: Dict[str, Any] = tree
        for parent in parents:
            node = node.get(parent, {})
            if not isinstance(node, dict):
                raise OCRError(f"{key}: no such key in a recipe")
        if last not in node:
            close = [k for k, _ in _leaves(tree) if k.rsplit(".", 1)[-1] == last]
            raise OCRError(f"{key}: no such key in a recipe" + (f"; did you mean {close[0]}?" if close else ""))
        node[last] = _value(value, node[last])
        if key == "rendering" and isinstance(node[last], str):
            node[last] = _style(node[last])
        if key == "quantization" and isinstance(node[last], str):
            try:
                node[last] = msgspec.to_builtins(parse_shorthand(node[last]))
            except ValueError as error:
                raise OCRError(f"quantization: {error}") from error
    try:
        return msgspec.convert(tree, Recipe)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        raise OCRError(f"recipe: {error}") from error


def parse_setting(text: str) -> Tuple[str, str]:
    """Split ``key=value``, for `override`.

    Raises
    ------
    OCRError
        If there is no ``=``.
    """
    key, equals, value = text.partition("=")
    if not equals:
        raise OCRError(f"--set {text}: expected key=value, as in network.hidden=64")
    return key.strip(), value


def _value(given: Any, current: Any) -> Any:
    if not isinstance(given, str) or isinstance(current, str):
        return given
    try:
        return msgspec.json.decode(given)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return given


def _leaves(tree: Dict[str, Any], prefix: str = "") -> Iterator[Tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _preset_path(name: Union[str, Path]) -> Path:
    return Path(name) if str(name).endswith(".json") else PRESETS_DIR / f"{name}.json"
