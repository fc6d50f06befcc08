"""Which directories are parts of one run: splits, kinds of data, and what TensorBoard's writers open beside a file (language.md fix 30)."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlcheck.importers.base import RunDirectory

Claimed = Mapping[Path, Sequence[tuple[Path, str]]]
"""Directory to its claimed files, with their formats."""

SPLIT_PART = re.compile(
    r"(train|train_inner|training|learn|fit|val|valid|validation|dev|eval|evaluation|test|testing)|eval_.+",
    re.IGNORECASE,
)
"""Directories that hold one split of a run (formats.md §1.14)."""

CONTAINER_PART = re.compile(
    r"tb|tf|tensorboard(_logs?)?|events?|summar(y|ies)|logs?|tensors|dumps|checkpoints|weights|gradients|hist(ogram)?s?",
    re.IGNORECASE,
)
"""Directories that hold one kind of data of a run; they join where there is something beside them to join with."""

HPARAMS_PART = re.compile(r"\d{9,11}\.\d+(\.\d+)?")
"""torch's `add_hparams` opens `<float timestamp>/` (formats.md §1.10)."""


def event_directories(claimed: Claimed) -> dict[Path, Path]:
    """See `tables.places.event_directories`: nothing is joined where there is no table."""
    if not any(sort == "table" for files in claimed.values() for _, sort in files):
        return {}
    from mlcheck.importers.tables import places

    return places.event_directories(claimed)


class Parts:
    """Which run each directory of a walk belongs to."""

    def __init__(self, top: Path, claimed: Claimed, owned: Mapping[Path, RunDirectory]) -> None:
        """`owned`: directories that are one run in themselves. Nothing above `top` is looked at."""
        self.top = top
        self.claimed = claimed
        self.owned = owned
        self.joined = event_directories(claimed)
        """Directories that belong to the run of one further up, as if their files lay there."""

    def root(self, directory: Path) -> Path:
        """The directory of the run that a directory with run files belongs to; never above the scanned path."""
        for above in (directory, *directory.parents) if self.owned else ():
            if above in self.owned:
                return above
        while directory in self.joined or (directory != self.top and self._is_part(directory)):
            directory = self.joined.get(directory, directory.parent)
        return directory

    def _is_part(self, directory: Path) -> bool:
        name, parent = directory.name, directory.parent
        if SPLIT_PART.fullmatch(name):
            return not self._is_counted(directory)
        if CONTAINER_PART.fullmatch(name):
            return self._has_company(directory)
        if parent not in self.claimed:
            return False
        return bool(HPARAMS_PART.fullmatch(name)) or self._is_opened_by_torch(directory)

    def _is_counted(self, directory: Path) -> bool:
        """Ultralytics names its runs train, train2, train3: there `train` is a run, no split."""
        counted = re.compile(re.escape(directory.name) + r"[-_]?\d+")
        below = {
            one.relative_to(directory.parent).parts[0]
            for one in self.claimed
            if one != directory.parent and one.is_relative_to(directory.parent)
        }
        return any(counted.fullmatch(name) for name in below)

    def _has_company(self, directory: Path) -> bool:
        """Whether the parent holds run files itself, or another part beside this one."""
        parent = directory.parent
        if parent in self.claimed:
            return True
        below = {
            one.relative_to(parent).parts[0] for one in self.claimed if one.is_relative_to(parent) and one != parent
        }
        below.discard(directory.name)
        return bool(below) and all(CONTAINER_PART.fullmatch(name) or SPLIT_PART.fullmatch(name) for name in below)

    def _is_opened_by_torch(self, directory: Path) -> bool:
        """Whether torch's SummaryWriter opened it beside the parent's file.

        `add_scalars('Loss', {'train': …})` writes the tag `Loss` into the sub-directory `Loss_train`; `add_hparams` with a name
        of its own writes the hyperparameters and each metric once.
        """
        files = self.claimed.get(directory)
        if not files:
            return False
        from mlcheck.importers.tensorboard import peek

        inside = [peek(path) for path, _ in files]
        tags = [tag for one in inside for tag in one.tags]
        if tags and all(directory.name.startswith(tag.replace("/", "_") + "_") for tag in tags):
            return True
        return any(one.has_hparams for one in inside) and all(one.points <= 1 for one in inside)

    def begins_with_its_tags(self, directory: Path, name: str) -> bool:
        """Whether `name`, the directory's, is that of a curve of torch's `add_scalars`: `Loss_val` with the tag `Loss`."""
        if "_" not in name or directory not in self.claimed:
            return False
        from mlcheck.importers.tensorboard import peek

        tags = [tag for path, sort in self.claimed[directory] if sort == "tensorboard" for tag in peek(path).tags]
        return bool(tags) and all(name.startswith(tag.replace("/", "_") + "_") for tag in tags)
