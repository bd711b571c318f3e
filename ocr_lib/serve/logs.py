"""Logs in lines of JSON."""

import logging
from datetime import datetime, timezone
from typing import Any, Dict

import msgspec


class JsonFormatter(logging.Formatter):
    """Makes a record a line of JSON: what is logged is a message, or a dict of its own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        time = datetime.fromtimestamp(record.created, timezone.utc).isoformat(timespec="milliseconds")
        line: Dict[str, Any] = {"time": time, "level": record.levelname.lower()}
        line.update(record.msg if isinstance(record.msg, dict) else {"message": record.getMessage()})
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line).decode()


def log_as_json(level: int) -> None:
    """Let this package's messages from a level on, and warnings of others, be logged to stderr."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(handlers=[handler], force=True)
    ours = logging.getLogger("ocr_lib")
    ours.handlers, ours.propagate = [], True
    ours.setLevel(level)
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # requests that are wrong are logged by us
