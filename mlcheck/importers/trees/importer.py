"""Model dumps of XGBoost and LightGBM that lie in a run: the trees' depth by round, the importance of features.

A dump tells something of the run beside it and is no run by itself, unless the user names it.
"""

import json
import re
from itertools import chain
from pathlib import Path

import numpy as np

from mlcheck.importers.base import unreadable
from mlcheck.importers.trees import lightgbm, xgboost
from mlcheck.importers.trees.dump import DAMAGE, Dump
from mlcheck.importers.trees.forest import Malformed, deepest, importance_series, size_series
from mlcheck.report import SourceStatus
from mlcheck.store.series import Fact, Hints, Imported

LARGEST = 64 << 20
"""Bytes of a dump; JSON takes ten times as much once it is read."""
LOOK = 4096
"""Bytes that tell what a file is."""

_XGBOOST_MODEL = re.compile(rb'\s*\{\s*"(?:learner"\s*:\s*\{|version"\s*:\s*\[\s*\d)')
_XGBOOST_TREES = re.compile(rb'\s*\[\s*\{\s*"(?:nodeid"\s*:\s*0\b|leaf"\s*:|children"\s*:\s*\[)')
_XGBOOST_TEXT = re.compile(rb"\s*(?:booster\[0\]:?|0:\[[^\n]+\] yes=\d+,no=\d+)")
_LIGHTGBM_JSON = re.compile(rb'"name"\s*:\s*"tree"|"(?:tree_info|num_tree_per_iteration|average_output)"\s*:')
_LIGHTGBM_TEXT = re.compile(rb"tree\r?\nversion=v\d")
_SUFFIXES = frozenset({".json", ".txt", ".model", ".dump", ".raw", ".lgb", ".xgb", ""})


class TreeModelImporter:
    """Reads dumps of tree models."""

    format = "tree-model"

    def claims(self, path: Path, head: bytes) -> bool:
        """Never: a model alone is no run."""
        return False

    def accompanies(self, path: Path, head: bytes) -> bool:
        """By its first bytes."""
        return _kind(path, head) is not None

    def why_not(self, path: Path, head: bytes) -> str | None:
        """Why a dump without a run beside it is left alone."""
        if _kind(path, head) is None:
            return None
        return "a tree model without a run beside it; name the file to look at it"

    def would_read(self, path: Path, head: bytes) -> bool:
        """A dump that is named is judged as the run that it came from."""
        return _kind(path, head) is not None

    def read(self, path: Path, shown: str) -> Imported:
        """The trees as facts by round; records are trees. Raises OSError when the file cannot be opened."""
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        size = path.stat().st_size
        if len(content) > LARGEST:
            return unreadable(shown, self.format, f"larger than {LARGEST >> 20} MB: not read", size)
        kind = _kind_of(content[:LOOK])
        try:
            if kind is None:
                raise Malformed("neither XGBoost's nor LightGBM's form")
            dump = _taken_apart(content, kind)
        except json.JSONDecodeError as error:
            reason = f"no JSON at line {error.lineno:,}, column {error.colno:,}: {error.msg}"
            return unreadable(shown, self.format, reason, size)
        except RecursionError:
            return unreadable(shown, self.format, "nested deeper than can be read", size)
        except Malformed as error:
            return unreadable(shown, self.format, f"a damaged tree model: {error}", size)
        except DAMAGE as error:
            return unreadable(shown, self.format, f"a damaged tree model: {_told(error)}", size)
        return _imported(dump, path, shown, size)


def _told(error: BaseException) -> str:
    text = str(error.args[0] if error.args else "") or type(error).__name__
    return f"it has no {text[:60]!r}" if isinstance(error, KeyError) else text[:120]


def _kind(path: Path, head: bytes) -> str | None:
    if path.suffix.lower() not in _SUFFIXES or head.strip()[:1] not in (b"{", b"[", b"t", b"b", b"0"):
        return None
    kind = _kind_of(head)
    if kind is None and head.lstrip()[:1] == b"{":
        # The names that tell may stand further behind.
        try:
            with path.open("rb") as file:
                kind = _kind_of(file.read(LOOK))
        except OSError:
            return None
    return kind


def _kind_of(head: bytes) -> str | None:
    """What a file is, by its first bytes (at most LOOK of them, at least 64)."""
    if _XGBOOST_MODEL.match(head):
        return "model"
    if _XGBOOST_TREES.match(head):
        return "trees"
    if _XGBOOST_TEXT.match(head):
        return "text"
    if _LIGHTGBM_TEXT.match(head):
        return "lightgbm-text"
    return "lightgbm" if head.lstrip()[:1] == b"{" and _LIGHTGBM_JSON.search(head) else None


def _taken_apart(content: bytes, kind: str) -> Dump:
    if kind in ("text", "lightgbm-text"):
        lines = content.decode("utf-8", "replace").splitlines()
        return xgboost.of_text(lines) if kind == "text" else lightgbm.of_text(lines)
    data = json.loads(content)
    if kind == "trees":
        return xgboost.of_trees(data)
    return xgboost.of_model(data) if kind == "model" else lightgbm.of_json(data)


def _imported(dump: Dump, path: Path, shown: str, size: int) -> Imported:
    trees = list(chain.from_iterable(dump.rounds))
    facts = tuple(Fact(key, value, path.name) for key, value in dump.facts.items())
    status = SourceStatus(shown, TreeModelImporter.format, "read", len(trees), bytes=size)
    if not trees:
        return Imported(SourceStatus(shown, TreeModelImporter.format, "read", reason="no trees", bytes=size), (), facts)
    rounds = np.arange(len(dump.rounds), dtype=np.int64)
    sizes = [deepest([tree.size for tree in one]) for one in dump.rounds]
    depth = size_series(rounds, np.full(len(rounds), np.nan), sizes, Hints(collection="tree"))
    importances = importance_series(len(rounds) - 1, trees, dump.features, dump.groups)
    return Imported(status, (depth, *importances), facts)
