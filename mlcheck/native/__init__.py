"""Compiled readers, where they could be built; the same work is done with numpy where not.

A caller imports its module inside the function that needs it:

    statistics = native.module("statistics")
    if statistics is None: ...
"""

import importlib
import os
from functools import cache
from types import ModuleType

SWITCH = "MLCHECK_NATIVE"
"""Set to 0 to do without them, for tests and to look for the cause of a fault."""


@cache
def module(name: str) -> ModuleType | None:
    """The compiled module of this name; None where it was not built, does not load here, or `MLCHECK_NATIVE` is 0."""
    if os.environ.get(SWITCH) == "0":
        return None
    try:
        return importlib.import_module(f"{__name__}.{name}")
    except ImportError:
        return None
