"""The store's data: runs, and series over steps, as whole numpy columns in record order."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mlcheck.records import dataclass, field
from mlcheck.report import SourceStatus

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Kind = Literal["scalar", "tensor", "fact"]


@dataclass(frozen=True, slots=True)
class Hints:
    """What an importer knows of a series beyond its tag. Roles decide what becomes of it (language.md fix 13)."""

    collection: str | None = None
    """`weights`, `gradients`, …, where the file says so."""
    mode: str | None = None
    """train, val or test, where the file says so (an attribute, never a guess from the tag)."""
    worker: str | None = None
    order: int | None = None
    """Order of first appearance in the file: the order of layers for importers that keep it."""
    plugin: str | None = None
    """TensorBoard's plugin name: scalars, histograms, hparams, text …"""
    axis: str | None = None
    """What its steps count, where the file says so: step, epoch, sample or time."""
    origin: str | None = None
    """Path of its file, for formats whose files may repeat what another one holds (store/duplicates.py); set by the store."""
    shape: tuple[int, ...] | None = None
    """Shape of the tensor at its first step."""
    dtype: str | None = None
    """numpy's name of its data type, or `bfloat16`."""
    data_format: str | None = None
    """channels_last or channels_first, where the file says so."""
    function: str | None = None
    """Activation function whose output it is, where the file says so: relu, tanh, sigmoid."""
    labels: tuple[tuple[str, str], ...] = ()
    """Labels of a derived fact: `(("feature", "f0"), ("group", "gain"))`."""
    undefined: tuple[tuple[str, str], ...] = ()
    """Statistics of a derived fact that have no value, with the reason: `(("relative", "the old model is never right"),)`."""


@dataclass(frozen=True, slots=True)
class Fact:
    """A run fact as a file stated it, before the closed list of facts is drawn from it."""

    key: str
    """As the file has it, `per_device_train_batch_size`, nested keys joined with `/`."""
    value: str | float | bool
    source: str
    """Where it stands: `hparams`, `args/text_summary`, `hparams.yaml`."""


@dataclass(frozen=True, eq=False)
class RawSeries:
    """One tag of one file as an importer gives it: no role yet, all rows in record order."""

    tag: str
    kind: Kind
    """scalar, tensor, or fact for what an importer derives itself (class counts, trees): then `hints.collection` is the role."""
    steps: Ints
    """int64, shape (n,)."""
    wall_times: Floats
    """float64 seconds since the epoch, shape (n,); NaN where unknown."""
    columns: Mapping[str, Floats]
    """float64, shape (n,): `value` for a scalar, one column per statistic for a tensor."""
    hints: Hints = Hints()
    approximate: bool = False
    """The statistics come from histogram buckets."""


@dataclass(frozen=True, eq=False)
class Imported:
    """What an importer made of one file."""

    status: SourceStatus
    series: tuple[RawSeries, ...] = ()
    facts: tuple[Fact, ...] = ()
    first_wall_time: float = float("nan")
    """Wall time of the first record (of any kind): restarts are ordered by it."""
    session_starts: tuple[int, ...] = ()
    """Steps of `session_log START` records (TensorFlow 1)."""
    plugins: tuple[tuple[str, str], ...] = ()
    """Tag and plugin of what gave no series: a plugin may be named with a tag's first value only, and the file may be read on."""


@dataclass(frozen=True, eq=False)
class Series:
    """One named quantity of a run over steps, with its role and labels; rows in record order.

    `labels` holds split, layer, metric, worker, param, group, primary, freq, axis, better, certainty, act, order and the like
    (language.md fix 10); a label that does not apply is absent.
    """

    name: str
    """Unique in its run: the tag, with the directory of its part before it (`train/epoch_loss`)."""
    tag: str
    part: str
    """Directory relative to the run's, `/`-separated; empty for the run's own."""
    kind: Kind
    role: str
    labels: Mapping[str, str]
    reason: str
    """Why it has this role."""
    steps: Ints
    wall_times: Floats
    columns: Mapping[str, Floats]
    segments: Ints
    """int64, shape (k,): the rows at which a stretch of record order begins; `segments[0] == 0`. A file boundary or a step that
    goes back begins a new one."""
    hints: Hints = Hints()
    approximate: bool = False

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def axis(self) -> str:
        """What its steps count: step, epoch, sample or time."""
        return self.labels.get("axis", "step")

    @property
    def live(self) -> "Series":
        """The rows that count: a later segment wins from its first step on; within a segment every row of a step is kept.

        This is what TensorBoard shows after a restart (it purges events that a restart overwrote). Steps of the result never go
        back. With one segment it is the series itself.
        """
        # Kept, it would hold on to itself until Python looks for garbage.
        return self if len(self.segments) <= 1 else self._live

    @cached_property
    def _live(self) -> "Series":
        keep = np.ones(len(self), dtype=bool)
        limit = np.iinfo(np.int64).max
        bounds = [*self.segments.tolist(), len(self)]
        for start, stop in zip(reversed(bounds[:-1]), reversed(bounds[1:]), strict=True):
            part = self.steps[start:stop]
            keep[start:stop] = part < limit
            if len(part):
                limit = min(limit, int(part[0]))
        return Series(
            name=self.name,
            tag=self.tag,
            part=self.part,
            kind=self.kind,
            role=self.role,
            labels=self.labels,
            reason=self.reason,
            steps=self.steps[keep],
            wall_times=self.wall_times[keep],
            columns={name: column[keep] for name, column in self.columns.items()},
            segments=np.zeros(1, dtype=np.int64),
            hints=self.hints,
            approximate=self.approximate,
        )


@dataclass(frozen=True, eq=False)
class Regime:
    """What kind of training a run is, and why it is taken for that."""

    name: str
    """supervised, finetune, pretrain, rl, rlhf, gan, diffusion, contrastive, tree, unknown; smoke for very short ones."""
    reason: str


@dataclass(frozen=True, eq=False)
class Run:
    """One training job: its series, its sources and what is known of it."""

    name: str
    path: str
    lane: str
    series: Sequence[Series]
    """Logged series, in order of first appearance, then fact series (kind `fact`: clock, restart, source, hparam)."""
    sources: Sequence[SourceStatus]
    facts: Mapping[str, str | float | bool] = field(default_factory=dict)
    """The closed list of run facts that are known (design.md §2)."""
    raw_facts: Sequence[Fact] = ()
    regime: Regime = field(default_factory=lambda: Regime("unknown", "nothing is known of it"))

    def by_name(self, name: str) -> Series:
        """The series of that name; KeyError when there is none."""
        for one in self.series:
            if one.name == name:
                return one
        raise KeyError(name)
