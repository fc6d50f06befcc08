"""JSON text that is harmless wherever it lands: a log of a CI job, a web page, a strict parser."""

import json
from typing import Any

from mlcheck.reporters.text import clean

# All of these stand inside strings only, where an escape means the same.
_IN_LOGS = (("##", "#\\u0023"), ("::", ":\\u003a"))
_IN_PAGES = (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"))


def dumps(value: Any, indent: int | None = None) -> str:
    """ASCII JSON with sorted keys; no line end. Raises ValueError for NaN and infinities."""
    text = for_logs(json.dumps(value, sort_keys=True, allow_nan=False, ensure_ascii=True, indent=indent))
    for raw, escaped in _IN_PAGES:
        text = text.replace(raw, escaped)
    return text


def for_logs(text: str) -> str:
    """JSON text that a CI runner takes no command from: some obey `##[…]` anywhere in a line. It reads back as the same values."""
    for raw, escaped in _IN_LOGS:
        text = text.replace(raw, escaped)
    return text


def scrubbed(value: Any) -> Any:
    """Plain values with lone surrogates shown as `\\udc80`: strict parsers refuse the whole text for one of them."""
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            return "".join(clean(c) if 0xD800 <= ord(c) <= 0xDFFF else c for c in value)
        return value
    if isinstance(value, list):
        return [scrubbed(item) for item in value]
    if isinstance(value, dict):
        return {scrubbed(key): scrubbed(item) for key, item in value.items()}
    return value
