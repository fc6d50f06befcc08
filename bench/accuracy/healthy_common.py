"""What the healthy recipes share: how they are collected, mild variation by seed, and the proof that a run is healthy."""

import math
import random
from collections.abc import Callable
from pathlib import Path

from bench.accuracy.harness import Recipe, require

Build = Callable[[Path, int], None]


def into(found: list[Recipe]) -> Callable[..., Callable[[Build], Build]]:
    """A decorator that appends a recipe named after the function: `healthy-…`."""

    def healthy(half: str, logger: str, dumps: bool = False, framework: str = "torch") -> Callable[[Build], Build]:
        def keep(build: Build) -> Build:
            name = f"healthy-{build.__name__.replace('_', '-')}"
            found.append(
                Recipe(name, "healthy", half, build, scalars_only=not dumps, framework=framework, logger=logger)
            )
            return build

        return keep

    return healthy


def varied(seed: int, value: float, share: float = 0.25) -> float:
    """A hyperparameter up to this share (in the logarithm) from `value`, by the seed."""
    return value * math.exp(random.Random(f"{seed} {value}").uniform(-share, share))


def generalises(found: dict[str, float], slack: float = 0.2) -> None:
    """Require that the last validation loss is not much above the best and well below the first: no overfit, no collapse.

    `slack` is a share of what was gained from the first to the best. Raises NotAsPlannedError.
    """
    first, best, last = found["first_val_loss"], found["best_val_loss"], found["val_loss"]
    require(best < first - 0.1 * abs(first), f"the validation loss went only from {first:.4g} to {best:.4g}")
    require(last <= best + slack * (first - best), f"the validation loss ended at {last:.4g}, best {best:.4g}")
    require(
        last - best <= 0.35 * abs(best) + 0.02 * (first - best),
        f"the validation loss ended at {last:.4g}, best {best:.4g}: an overfit",
    )


def learned(found: dict[str, float], accuracy: float) -> None:
    """Require this validation accuracy, and `generalises`."""
    reached = found["val_accuracy"]
    require(reached >= accuracy, f"validation accuracy {reached:.3f}, asked for {accuracy:g}")
    generalises(found)
