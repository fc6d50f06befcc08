"""What a file holds over steps: tensors and scalars, and the data sets that each of their steps stands in."""

from collections.abc import Sequence

from mlcheck.importers.hdf5.tree import Leaf, Place, Repeat
from mlcheck.records import dataclass, field
from mlcheck.store.series import Floats, Hints, Ints

SourceKey = tuple[str, str | None, str | None, bool]
"""Tag, mode, worker, and whether it is a scalar."""


@dataclass(slots=True)
class Piece:
    """A data set's share of a source: one step of it, or its axis 0 over many."""

    leaf: Leaf
    step: int = 0
    wall_time: float = float("nan")
    steps: Ints | None = None
    """int64, shape (leaf.shape[0],): the steps of axis 0; None where the data set is one step."""
    wall_times: Floats | None = None
    outer: int | None = None
    """The epoch in which a step is counted."""
    is_snapshot: bool = False
    """Nothing names its step."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor at one step."""
        return self.leaf.shape if self.steps is None else self.leaf.shape[1:]

    @property
    def first_step(self) -> int:
        """Its first step in the order of the file."""
        return self.step if self.steps is None or not len(self.steps) else int(self.steps[0])


@dataclass(slots=True)
class Alike:
    """Steps of a source that stand in data sets like one of it, in groups that repeat its group."""

    leaf: Leaf
    steps: Ints
    """int64, shape (n,), in the order of the file."""
    offsets: Ints
    """int64, shape (n,): where their bytes begin."""
    groups: Sequence[Place]

    def pieces(self) -> list[Piece]:
        """One by one."""
        leaf = self.leaf
        repeats = [
            Repeat(path, [leaf], [offset], 0) for path, offset in zip(self.groups, self.offsets.tolist(), strict=True)
        ]
        leaves = [one for repeat in repeats for one in repeat.leaves()]
        return [Piece(one, step) for one, step in zip(leaves, self.steps.tolist(), strict=True)]


@dataclass(slots=True)
class Source:
    """One tensor or scalar over steps."""

    tag: str
    hints: Hints
    is_scalar: bool
    listed: list[Piece] = field(default_factory=list)
    """All but those that are alike."""
    alike: Alike | None = None

    @property
    def pieces(self) -> Sequence[Piece]:
        """All of its steps in their order, one by one: of many steps this takes its time."""
        if self.alike is None:
            return self.listed
        return sorted([*self.listed, *self.alike.pieces()], key=lambda piece: piece.first_step)

    @property
    def key(self) -> SourceKey:
        """What tells sources of one part from one another."""
        return (self.tag, self.hints.mode, self.hints.worker, self.is_scalar)

    @property
    def is_snapshot(self) -> bool:
        """Nothing names a step of it."""
        return self.alike is None and all(piece.is_snapshot for piece in self.listed)


@dataclass
class Layout:
    """What a file holds over steps."""

    sources: list[Source] = field(default_factory=list)
    lost: list[tuple[str, str]] = field(default_factory=list)
    """(object, reason): data of the run that are not read."""
    left_out: list[tuple[str, str]] = field(default_factory=list)
    """(object, reason): what is no tensor of the run."""
    lost_bytes: int = 0
    has_steps: bool = False
    """Something names the steps: words, attributes, a data set of steps, a history."""
    has_numbers: bool = False
    """Numbered groups or a shared data set of steps, which data sets have as well."""
    collections: set[str] = field(default_factory=set)
    """Collections that are groups of the file, but for those that only say that it is a checkpoint."""
    is_keras: bool = False
    is_cut: bool = False
    """Not all of the file was looked at."""

    @property
    def snapshots(self) -> int:
        """Data sets without a step."""
        return sum(sum([piece.is_snapshot for piece in source.listed]) for source in self.sources)

    @property
    def is_snapshot(self) -> bool:
        """Nothing in the file names a step."""
        return bool(self.sources) and all(source.is_snapshot for source in self.sources)
