"""Labels and the predictions of the same step, mode and worker, brought together whichever comes first."""

import re
from collections.abc import Iterator

from mlcheck.records import dataclass, field
from mlcheck.store.tensors.class_ids import NONE, ClassIds
from mlcheck.store.tensors.confusion import Pairs
from mlcheck.store.tensors.scratch import Ints

MOST_HELD = 16 * 2**20
"""Class ids that may wait for their other half, in all."""
_WORDS = re.compile(
    r"(?:^|(?<=[/._]))(?:labels?|targets?|ground_truth|y_true|predictions?|preds?|y_pred|logits|probabilities|probs|outputs?)"
    r"(?=$|[/._])",
    re.IGNORECASE,
)

Lane = tuple[str | None, str | None]
"""Mode and worker."""


class Room:
    """How many class ids may still wait."""

    def __init__(self, left: int = MOST_HELD) -> None:
        self.left = left
        self.refused: str | None = None
        """The tensor and step of the first for which there was none."""


class Waiting:
    """Class ids of one tensor that wait for their other half."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._by_step: dict[int, list[tuple[int, ClassIds]]] = {}

    def put(self, tag: str, step: int, row: int, ids: ClassIds) -> None:
        """Let them wait, where there is room."""
        if self._room.left < ids.ids.size:
            self._room.refused = self._room.refused or f"{tag}, step {step}"
            return
        self._room.left -= ids.ids.size
        self._by_step.setdefault(step, []).append((row, ids))

    def take(self, step: int, shape: tuple[int, ...]) -> tuple[int, ClassIds] | None:
        """The first that wait of this step and shape; they wait no more."""
        waiting = self._by_step.get(step, [])
        for place, (_, ids) in enumerate(waiting):
            if ids.shape == shape:
                self._room.left += ids.ids.size
                return waiting.pop(place)
        return None

    def all(self) -> Iterator[tuple[int, int, ClassIds]]:
        """(step, row, ids) of all that wait."""
        for step, waiting in self._by_step.items():
            yield from ((step, row, ids) for row, ids in waiting)

    def clear(self) -> None:
        """Let all go."""
        self._room.left += sum(ids.ids.size for _, _, ids in self.all())
        self._by_step = {}


@dataclass(eq=False)
class Predictions:
    """One tensor of predictions."""

    tag: str
    lane: Lane
    waiting: Waiting
    closed: bool = False
    """They are no classes."""


@dataclass(eq=False)
class Labels:
    """One tensor of labels: a row for each of its steps."""

    tag: str
    lane: Lane
    waiting: Waiting
    form: str | None = None
    """That of its first step with values: ids or one-hot."""
    steps: list[int] = field(default_factory=list)
    walls: list[float] = field(default_factory=list)
    counts: list[tuple[Ints, Ints]] = field(default_factory=list)
    """Classes and how often each occurs, by row."""
    classes: set[int] = field(default_factory=set)
    pairs: dict[int, Pairs] = field(default_factory=dict)
    """By row."""
    partner: Predictions | None = None
    """What it was first compared with; it is compared with nothing else."""
    alone: bool = False
    """There is nothing that it could be compared with."""
    closed: bool = False
    """They are no classes."""

    def close(self) -> None:
        """They are no classes: nothing is kept."""
        self.closed = self.alone = True
        self.waiting.clear()
        self.counts, self.pairs = [], {}

    def may_meet(self, one: Predictions) -> bool:
        """Whether it may be compared with these."""
        return not self.alone and self.partner in (None, one)

    def meet(self, row: int, ids: ClassIds, one: Predictions, guesses: ClassIds) -> str | None:
        """Compare the two halves of one row. What speaks against it, if anything does: then it is compared with nothing."""
        known = ids.ids[ids.ids != NONE]
        if guesses.classes is not None and len(known) and not 0 <= known.min() <= known.max() < guesses.classes:
            odd = known.min() if known.min() < 0 else known.max()
            self.alone, self.pairs = True, {}
            self.waiting.clear()
            return f"{self.tag}: label {odd} is none of the {guesses.classes} classes of {one.tag}: not compared"
        self.partner = one
        self.pairs[row] = Pairs.of(ids.ids, guesses.ids)
        return None


def alike(left: str, right: str) -> bool:
    """Whether two names differ only in the words for labels and predictions: `labels/age`, `predictions/age`."""
    return _stem(left) == _stem(right)


def _stem(tag: str) -> list[str]:
    return [word for word in re.split(r"[/._]", _WORDS.sub("", tag)) if word]
