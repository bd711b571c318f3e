"""The images of a request: files of a form, a body that is one, or base64 in JSON."""

from typing import Any, Dict, List, NamedTuple, Optional, Union

import msgspec
from fastapi import HTTPException, Request
from python_multipart.exceptions import FormParserError
from starlette.datastructures import UploadFile
from starlette.types import Message, Receive

from ocr_lib.serve.settings import Limits

FIELD = "files"
_TAKEN = (
    f"a form (multipart/form-data) with files in the field `{FIELD}`, an image as the body, or JSON: "
    '{"images": [BASE64, ...]}'
)


class Upload(NamedTuple):
    """A file of an image, with the name that it came with."""

    name: Optional[str]
    data: bytes


class _Image(msgspec.Struct, forbid_unknown_fields=True):
    data: bytes
    name: Optional[str] = None


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    images: List[Union[bytes, _Image]]


_decoder = msgspec.json.Decoder(_Body)


async def uploads(request: Request, limits: Limits) -> List[Upload]:
    """Take the images out of a request.

    Raises
    ------
    fastapi.HTTPException
        413 if it is too large, 422 if it has too many images or none, or is not what its type says.
    """
    body = await _body(request, limits.body_bytes)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        found = await _of_form(request, body, limits.images)
    elif kind == "application/json":
        found = _of_json(body)
    else:
        found = [Upload(None, body)] if body else []
    if not found:
        raise HTTPException(422, f"no image: send {_TAKEN}")
    if len(found) > limits.images:
        raise HTTPException(422, f"{len(found)} images; a request may have {limits.images}")
    return found


async def _body(request: Request, most: int) -> bytes:
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told) > most:
        raise _too_large(most)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise _too_large(most)
    return bytes(body)


def _too_large(most: int) -> HTTPException:
    # What is still to come need not be waited for.
    return HTTPException(413, f"the request is larger than {most:,} bytes", {"Connection": "close"})


async def _of_form(request: Request, body: bytes, most: int) -> List[Upload]:
    try:
        form = await Request(request.scope, _replay(body)).form(max_files=most, max_fields=most)
    except FormParserError as error:
        raise HTTPException(400, f"a damaged form: {error}") from error
    try:
        found = []
        for field, value in form.multi_items():
            if field != FIELD or not isinstance(value, UploadFile):
                what = "file" if isinstance(value, UploadFile) else "text"
                raise HTTPException(422, f"the form has a {what} in the field {field!r}: images are files in `{FIELD}`")
            found.append(Upload(value.filename, await value.read()))
        return found
    finally:
        await form.close()


def _replay(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _of_json(body: bytes) -> List[Upload]:
    try:
        images = _decoder.decode(body).images
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise HTTPException(422, f'not {{"images": [BASE64, ...]}}: {error}') from error
    return [Upload(None, each) if isinstance(each, bytes) else Upload(each.name, each.data) for each in images]


_BASE64 = {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/*"}
_NAMED = {
    "type": "object",
    "properties": {"name": {"type": ["string", "null"]}, "data": _BASE64},
    "required": ["data"],
    "additionalProperties": False,
}
DESCRIPTION: Dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {FIELD: {"type": "array", "items": {"type": "string", "format": "binary"}}},
                    "required": [FIELD],
                }
            },
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"images": {"type": "array", "minItems": 1, "items": {"anyOf": [_BASE64, _NAMED]}}},
                    "required": ["images"],
                    "additionalProperties": False,
                }
            },
        },
    }
}
"""Of the body of a request, for OpenAPI."""
