"""The two readers of event files: on whole arrays, and compiled where it could be."""

import pytest

from mlcheck import native
from mlcheck.importers.array_events import ArrayReader
from mlcheck.importers.compiled_events import CompiledReader

compiled_only = pytest.mark.skipif(
    native.module("events") is None, reason="mlcheck/native/events.c is not compiled here"
)
READERS = [pytest.param(ArrayReader, id="numpy"), pytest.param(CompiledReader, id="native", marks=compiled_only)]
