"""Numbers in file names: which of them is the step when files of one directory differ in it (`weights-07.h5`, `epoch=3-step=1200.h5`)."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from mlcheck.records import dataclass

_NUMBER = re.compile(r"\d+\.\d+|\d+")
_SUFFIX = re.compile(r"(\.weights)?\.(h5|hdf5|hdf|he5|h5py|keras)$", re.IGNORECASE)
_STEP_WORD = re.compile(
    r"(?:^|[^a-z])(?:global[_-]?step|steps?|iter(?:ation)?s?|it|batch|updates?)[ _=:.-]*$", re.IGNORECASE
)
_EPOCH_WORD = re.compile(r"(?:^|[^a-z])(?:epochs?|ep|e)[ _=:.-]*$", re.IGNORECASE)
_RUN_WORD = re.compile(
    r"(?:^|[^a-z])(?:seed|run|trial|exp(?:eriment)?|fold|rank|worker|version|v)[ _=:.-]*$", re.IGNORECASE
)


class Token(NamedTuple):
    """A number in a name."""

    text: str
    before: str
    """The text between it and the number before."""

    @property
    def is_whole(self) -> bool:
        """Whether it may be a step: `0.32` is a loss in the name."""
        return self.text.isdecimal() and len(self.text) <= 18


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A file name taken apart at its numbers."""

    text: str
    """With `#` in place of each number."""
    tokens: tuple[Token, ...]


def skeleton(name: str) -> Skeleton:
    """Take a file name apart; its suffix (`.weights.h5`) holds no number that counts."""
    body = _SUFFIX.sub("", name)
    tokens = []
    end = 0
    for found in _NUMBER.finditer(body):
        tokens.append(Token(found[0], body[end : found.start()]))
        end = found.end()
    return Skeleton(_NUMBER.sub("#", body).lower() + name[len(body) :].lower(), tuple(tokens))


class NamedStep(NamedTuple):
    """The step that a file's name gives."""

    step: int
    axis: str | None
    """step or epoch where the name says so."""


def step_of_name(name: str) -> NamedStep | None:
    """The step that a single name gives: a number after a word for one, else the only whole number; None where it is not told."""
    tokens = [token for token in skeleton(name).tokens if token.is_whole]
    for word, axis in ((_STEP_WORD, "step"), (_EPOCH_WORD, "epoch")):
        for token in tokens:
            if word.search(token.before):
                return NamedStep(int(token.text), axis)
    tokens = [token for token in tokens if not _RUN_WORD.search(token.before)]
    return NamedStep(int(tokens[0].text), None) if len(tokens) == 1 else None


def numbered_sets(names: Sequence[str]) -> list[dict[str, NamedStep]]:
    """The sets of at least two names that differ in a step, each with the step of every name in it."""
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    parts = {name: skeleton(name) for name in names}
    for name, part in parts.items():
        runs = tuple(token.text for token in part.tokens if _RUN_WORD.search(token.before))
        if part.tokens:
            alike.setdefault((part.text, runs), []).append(name)
    found = []
    for members in alike.values():
        steps = _steps({name: parts[name] for name in members}) if len(members) > 1 else None
        if steps is not None:
            found.append(steps)
    return found


def _steps(members: Mapping[str, Skeleton]) -> dict[str, NamedStep] | None:
    """By the number that tells the members apart: a step, an epoch, else the first whole one that differs."""
    columns = list(zip(*(part.tokens for part in members.values()), strict=True))
    candidates: list[tuple[int, int, str | None]] = []
    for index, column in enumerate(columns):
        values = {int(token.text) if token.is_whole else None for token in column}
        if None in values or len(values) < 2 or _RUN_WORD.search(column[0].before):
            continue
        axis = _axis(column[0].before)
        rank = {"step": 0, "epoch": 1}.get(axis or "", 2)
        # A number that several files share tells them apart less well than one that each has for itself.
        candidates.append((rank + (0 if len(values) == len(column) else 3), index, axis))
    if not candidates:
        return None
    _, index, axis = min(candidates, key=lambda one: one[:2])
    return {name: NamedStep(int(part.tokens[index].text), axis) for name, part in members.items()}


def _axis(before: str) -> str | None:
    if _STEP_WORD.search(before):
        return "step"
    return "epoch" if _EPOCH_WORD.search(before) else None
