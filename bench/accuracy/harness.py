"""What a recipe is, which there are, and how one becomes a labelled run directory.

A run lies in ROOT/HALF/RECIPE/SEED, its label beside it in ROOT/HALF/RECIPE/SEED.label.json, where no scan of the run directory reads it.
"""

import ast
import hashlib
import importlib
import json
import os
import pkgutil
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, wraps
from pathlib import Path
from typing import Any

HALVES = ("development", "seen", "held-out")
HERE = Path(__file__).resolve().parent
PACKAGE = "bench.accuracy"


class NotAsPlannedError(RuntimeError):
    """A training did not turn out as its recipe says: healthy and not better than chance, or faulty and not harmed."""


@dataclass(frozen=True)
class Recipe:
    """One kind of training, to be run with several seeds."""

    name: str
    """Unique; also the name of its directory."""
    kind: str
    """`healthy`, or the fault that is planted, such as `learning-rate-too-high`."""
    half: str
    """`development`: rules may be tuned on it; `held-out`: looked at only at the end. Assigned before anything is scanned. `seen` was held
    out until the first look at it, and is development data since."""
    build: Callable[[Path, int], None]
    """Trains with this seed and writes one run directory (which is there and empty). Raises NotAsPlannedError."""
    expects: tuple[str, ...] = ()
    """Names of rules that name the planted fault; empty for healthy ones."""
    since: int | None = None
    """Step, on the axis of what is logged, at which the fault was planted; None when it holds from the start or is not one step."""
    layer: str | None = None
    """Where it was planted, as the names of tensors have it."""
    scalars_only: bool = True
    """Whether no tensors are dumped."""
    framework: str = "torch"
    """What trains: torch, keras, xgboost, lightgbm or sklearn."""
    logger: str = ""
    """What writes, in a few words: `tensorboard`, `csv`, `jsonl`, `hdf5` …"""

    def __post_init__(self) -> None:
        if self.half not in HALVES:
            raise ValueError(f"recipe {self.name}: half {self.half!r} is none of {', '.join(HALVES)}")
        if (self.kind == "healthy") != (not self.expects):
            raise ValueError(f"recipe {self.name}: a fault names the rules that it expects, a healthy run names none")


def require(holds: bool, what: str) -> None:
    """Raise NotAsPlannedError unless a training turned out as planned; `what` says with figures what was found."""
    if not holds:
        raise NotAsPlannedError(what)


@cache
def recipes() -> tuple[Recipe, ...]:
    """All recipes: `RECIPES` of the modules healthy*.py, faults*.py and programs*.py. Raises ValueError where two have one name."""
    found: list[Recipe] = []
    for module in sorted(one.name for one in pkgutil.iter_modules([str(HERE)])):
        if module.startswith(("healthy", "faults", "programs")):
            found += getattr(importlib.import_module(f"{PACKAGE}.{module}"), "RECIPES", ())
    names = [one.name for one in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"recipes of one name: {', '.join(twice)}")
    return tuple(found)


def train(recipe: Recipe, seed: int, root: Path) -> Path:
    """The run directory of a recipe and a seed, trained unless it is there already and made by the same code.

    Raises NotAsPlannedError, and whatever the training raises; neither directory nor label is left then.
    """
    run = root / recipe.half / recipe.name / str(seed)
    label = run.with_name(f"{seed}.label.json")
    made_by = code_hash(recipe)
    if _is_current(label, made_by) and run.is_dir():
        return run
    label.unlink(missing_ok=True)
    shutil.rmtree(run, ignore_errors=True)
    run.mkdir(parents=True)
    begin(seed)
    try:
        recipe.build(run, seed)
    except BaseException:
        shutil.rmtree(run, ignore_errors=True)
        raise
    label.write_text(json.dumps(_label(recipe, seed, made_by), indent=1) + "\n", encoding="utf-8")
    return run


def begin(seed: int) -> None:
    """One thread, and every global generator at this seed."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import numpy
    import torch

    torch.set_num_threads(1)
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)


Program = Callable[[Path, int, bool], None]
"""Trains into a run directory with a seed; True: without the fault."""


@dataclass(frozen=True)
class Pairs:
    """Decorators that make recipes of the programs of one author."""

    prefix: str
    """Of their names: `field-…-faulty`, `field-…-fixed`, `field-odd-…`."""
    half: str

    def into(self, found: list[Recipe]) -> Callable[..., Callable[[Program], Program]]:
        """A decorator that appends both versions of a program."""

        def pair(
            fault: str,
            expects: Sequence[str],
            logger: str,
            *,
            dumps: bool = False,
            framework: str = "torch",
            **where: Any,
        ) -> Callable[[Program], Program]:
            def keep(program: Program) -> Program:
                name = f"{self.prefix}-{program.__name__.replace('_', '-')}"
                about: dict[str, Any] = {"scalars_only": not dumps, "framework": framework, "logger": logger}
                rules = tuple(dict.fromkeys(expects))
                faulty, fixed = _version(program, False), _version(program, True)
                found.append(Recipe(f"{name}-faulty", fault, self.half, faulty, rules, **where, **about))
                found.append(Recipe(f"{name}-fixed", "healthy", self.half, fixed, **about))
                return program

            return keep

        return pair

    def odd_into(self, found: list[Recipe]) -> Callable[..., Any]:
        """A decorator that appends one healthy recipe, which looks odd."""

        def odd(logger: str, *, dumps: bool = False, framework: str = "torch") -> Any:
            def keep(build: Callable[[Path, int], None]) -> Callable[[Path, int], None]:
                name = f"{self.prefix}-odd-{build.__name__.replace('_', '-')}"
                about: dict[str, Any] = {"scalars_only": not dumps, "framework": framework, "logger": logger}
                found.append(Recipe(name, "healthy", self.half, build, **about))
                return build

            return keep

        return odd


def _version(program: Program, fixed: bool) -> Callable[[Path, int], None]:
    """One version; it belongs to the module of the program."""

    @wraps(program)
    def build(run: Path, seed: int) -> None:
        program(run, seed, fixed)

    return build


def code_hash(recipe: Recipe) -> str:
    """A hash of the module that a recipe's `build` stands in and of all modules of this package that it imports."""
    module = importlib.import_module(recipe.build.__module__)
    digest = hashlib.sha256()
    for path in sorted(_with_imports(Path(module.__file__ or ""))):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@cache
def _with_imports(path: Path) -> frozenset[Path]:
    """A file and those of this package that it imports, and they in turn; without the harness, which trains nothing."""
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        one = waiting.pop()
        if one in found or one in (HERE / "harness.py", HERE / "__init__.py"):
            continue
        found.add(one)
        waiting += [HERE / f"{name}.py" for name in _imported(one) if (HERE / f"{name}.py").exists()]
    return frozenset(found)


def _imported(path: Path) -> list[str]:
    """Names of modules of this package that a file imports."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}."):
            names.append((node.module or "").removeprefix(f"{PACKAGE}."))
    return names


def _is_current(label: Path, made_by: str) -> bool:
    try:
        return bool(json.loads(label.read_text(encoding="utf-8"))["code"] == made_by)
    except (OSError, ValueError, KeyError):
        return False


def _label(recipe: Recipe, seed: int, made_by: str) -> dict[str, Any]:
    return {
        "recipe": recipe.name,
        "kind": recipe.kind,
        "half": recipe.half,
        "seed": seed,
        "expects": list(recipe.expects),
        "since": recipe.since,
        "layer": recipe.layer,
        "scalars_only": recipe.scalars_only,
        "framework": recipe.framework,
        "logger": recipe.logger,
        "code": made_by,
    }
