"""What a run states about itself inside an event file: hyper-parameters as a plugin's payload or as text."""

import json
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any

from mlcheck.store.series import Fact

FACTS_KEPT = 2000
"""Facts of one file; a writer that dumps whole data frames into its hyper-parameters has more."""
LONGEST_TEXT = 1 << 20
"""Bytes of a text that is looked into."""
LONGEST_VALUE = 200
"""Characters of a value: longer ones are lists and documents, not settings."""
LONGEST_KEY = 400
"""Characters of a key with all that it is nested in."""
DEEPEST = 32
"""Levels of nesting that are followed."""

# HF: args, model_config; ML-Agents: Hyperparameters; test-tube: hparams; CleanRL: hyperparameters; torch adds
# /text_summary.
_TAG = re.compile(
    r"(?:.*/)?(?:args|model_config|config|hparams|hyper_?-?param(?:eter)?s)(?:/text_summary)?", re.IGNORECASE
)

Plain = str | float | bool


def is_fact_text(tag: str) -> bool:
    """Whether a text under this tag states settings, by the names that the popular writers use."""
    return len(tag) <= LONGEST_KEY and _TAG.fullmatch(tag) is not None


def facts_of_hparams(content: bytes, tag: str) -> list[Fact]:
    """The hyper-parameters in a payload of the hparams plugin, sorted by key; none where it is another part of the
    plugin's.
    """
    from google.protobuf.message import DecodeError
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    try:
        data = HParamsPluginData.FromString(content)
    except DecodeError:
        return []
    if data.WhichOneof("data") != "session_start_info":
        return []
    stated = data.session_start_info.hparams
    pairs = []
    for key in sorted(stated):
        kind = stated[key].WhichOneof("kind")
        if kind in ("bool_value", "number_value", "string_value"):
            pairs.append((key, getattr(stated[key], kind)))
    return _facts(pairs, tag)


def facts_of_text(text: bytes, tag: str) -> list[Fact]:
    """The settings in a text: JSON (bare, fenced or indented as Markdown code), a table of keys and values, or indented
    `key: value`.
    """
    if len(text) > LONGEST_TEXT:
        return []
    plain = text.decode("utf-8", "replace")
    for form in (_json, _table, _indented):
        pairs = form(plain)
        if pairs:
            return _facts(pairs, tag)
    return []


def _facts(pairs: Iterable[tuple[str, Any]], tag: str) -> list[Fact]:
    # Outer keys first: what is cut off is then the inside of some large table, not the learning rate.
    facts = []
    for key, value in sorted(pairs, key=lambda pair: pair[0].count("/")):
        plain = _plain(value)
        if plain is not None and key and len(key) <= LONGEST_KEY:
            facts.append(Fact(key, plain, tag))
        if len(facts) >= FACTS_KEPT:
            break
    return facts


def _plain(value: Any) -> Plain | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        try:
            number = float(value)
        except OverflowError:
            return None
        return number if math.isfinite(number) else None
    if isinstance(value, str) and len(value) <= LONGEST_VALUE:
        return value
    return None


def _json(text: str) -> list[tuple[str, Any]]:
    body = text.strip()
    if body.startswith("```"):
        body = re.sub(r"\A```\w*|```\Z", "", body).strip()
    if not body.startswith("{"):
        return []
    try:
        return list(_flat(json.loads(body), "", 0))
    except (ValueError, RecursionError):
        return []


def _flat(value: dict[str, Any], above: str, depth: int) -> Iterator[tuple[str, Any]]:
    for key, inner in value.items():
        if isinstance(inner, dict):
            if depth < DEEPEST:
                yield from _flat(inner, f"{above}{key}/", depth + 1)
        else:
            yield f"{above}{key}", inner


def _table(text: str) -> list[tuple[str, Any]]:
    # Markdown: a rule of dashes, then one row for each setting; outer bars are optional.
    rows = [line.strip() for line in text.splitlines()]
    rule = next((at for at, row in enumerate(rows) if re.fullmatch(r"\|?\s*:?-+:?\s*\|\s*:?-+:?\s*\|?", row)), None)
    if rule is None:
        return []
    pairs = []
    for row in rows[rule + 1 :]:
        body = row.removeprefix("|").removesuffix("|") if row.startswith("|") else row
        key, bar, value = body.partition("|")
        if bar and key.strip():
            pairs.append((key.strip(), printed_value(value)))
    return pairs


def _indented(text: str) -> list[tuple[str, Any]]:
    # ML-Agents: `\tkey:\tvalue`, deeper settings two blanks further in, under a key without value.
    pairs = []
    above: list[tuple[int, str]] = []
    for line in text.splitlines():
        match = re.match(r"(\s*)([\w./-]{1,100}):(?:\s+(.*))?$", line)
        if match is None:
            continue
        indent, key, value = len(match[1]), match[2], (match[3] or "").strip()
        while above and above[-1][0] >= indent:
            above.pop()
        if value:
            pairs.append(("/".join([*(name for _, name in above), key]), printed_value(value)))
        elif len(above) < DEEPEST:
            above.append((indent, key))
    return pairs


def printed_value(text: str) -> Plain | None:
    """A setting as Python prints it: true, false, a number or text; None for None and nothing."""
    body = text.strip()
    if body in ("", "None", "null"):
        return None
    if body.lower() in ("true", "false"):
        return body.lower() == "true"
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", body):
        return float(body)
    return body
