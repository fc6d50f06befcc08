"""Dumps of a model against those of its predecessor: read, measured by what they hold, judged by rules."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlcheck.comparing.report import report_of
from mlcheck.errors import NoRunError, UsageError
from mlcheck.records import dataclass, field, replace
from mlcheck.report import Note, Report, SourceStatus
from mlcheck.updates.base import Measure
from mlcheck.updates.prediction_settings import PredictionSettings
from mlcheck.updates.retrieval_settings import RetrievalSettings
from mlcheck.updates.rewrite_settings import RewriteSettings
from mlcheck.updates.table import PredictionTable, ReadSettings
from mlcheck.work import Progress, ScanOptions, select_rules

if TYPE_CHECKING:
    from mlcheck.engine.registry import Registry
    from mlcheck.engine.run import RunPart
    from mlcheck.engine.select import Selected


@dataclass(frozen=True)
class DumpOptions:
    """How dumps are read and held against each other."""

    read: ReadSettings = field(default_factory=ReadSettings)
    predictions: PredictionSettings = field(default_factory=PredictionSettings)
    retrieval: RetrievalSettings = field(default_factory=RetrievalSettings)
    rewrites: RewriteSettings = field(default_factory=RewriteSettings)
    seeds: Sequence[str] = ()
    """Dumps of models of the old recipe that differ in their seed only: paths or patterns."""
    paragon: str | None = None
    """Embeddings of the new model trained without a thought of compatibility."""
    mapped: str | None = None
    """The old gallery, taken into the new space by a learned map."""
    swapped: str | None = None
    """Rewrites of the same inputs with their entities renamed."""
    forced: str | None = None
    """The same model on the same examples under teacher forcing."""
    training: str | None = None
    """The training data of a rewriter, whose entities are those that it has seen."""
    vocabulary: Path | None = None
    """Words that a pointer network can generate."""


def are_dumps(paths: Sequence[str], options: DumpOptions) -> bool:
    """Whether the paths are dumps, and not runs. Raises UsageError where some are and others are not, or one is not there."""
    from mlcheck.updates.files import DELIMITED, JSON, PARQUET
    from mlcheck.updates.peek import is_dump

    for path in paths:
        if not Path(path).exists():
            raise NoRunError(f"{path}: no such file or directory")
    found = [is_dump(Path(path), tuple(options.read.columns)) for path in paths]
    if any(found):
        # A file beside a dump that is none by its columns is empty or damaged: what reads it says how.
        suffixes = (*PARQUET, *DELIMITED, *JSON)
        found = [one or Path(path).suffix.lower() in suffixes for path, one in zip(paths, found, strict=True)]
    if any(found) and not all(found):
        names = [[path for path, one in zip(paths, found, strict=True) if one is kind] for kind in (True, False)]
        raise UsageError(f"{', '.join(names[0])} holds predictions, {', '.join(names[1])} does not: give two of a kind")
    return bool(found) and all(found)


def compare_dumps(
    paths: Sequence[str], options: ScanOptions, dumps: DumpOptions, progress: Progress | None = None
) -> tuple[Report, "Registry"]:
    """Measure and judge dumps: one alone, the old and the new one, or all versions, the oldest first. Raises ComparisonError."""
    rules, selected = select_rules(options)
    tables = [_read(path, dumps, progress, number, len(paths)) for number, path in enumerate(paths)]
    measures = _once(_measured(tables, dumps))
    if not measures:
        raise UsageError(
            f"{' and '.join(paths)}: nothing that both hold can be compared (predictions, embeddings with labels, texts)"
            if len(paths) > 1
            else f"{paths[-1]}: nothing in it can be judged by itself; give the old model's dump before it"
        )
    selected = [one for one in selected if _is_about(one, measures) or options.select]
    path = Path(paths[-1]).as_posix()
    name = f"{path} against {Path(paths[-2]).as_posix()}" if len(paths) > 1 else path
    part = _judged(name, path, measures, selected, rules)
    sources = [SourceStatus(one.path, "predictions", "read", records=len(one.table), run=name) for one in tables]
    return report_of([part], selected, sources, list(_notes(tables)), measures), rules


def _is_about(one: "Selected", measures: Sequence[Measure]) -> bool:
    """Whether a rule judges what the dumps hold: rules of rewrites say nothing of labels."""
    from mlcheck.engine.rule import Rule

    measured = {measure.role for measure in measures}
    if not isinstance(one.rule, Rule):
        return False
    roles = [spec.role for spec in one.rule.inputs.values() if spec.role is not None and not spec.optional]
    return all(not measured.isdisjoint([role] if isinstance(role, str) else role) for role in roles)


def _read(path: str, dumps: DumpOptions, progress: Progress | None, number: int, of: int) -> PredictionTable:
    from mlcheck.updates.attention import is_attention_file, read_attention
    from mlcheck.updates.table import read_table

    if progress is not None:
        progress(number, of, path)
    if is_attention_file(Path(path)):
        return read_attention([(Path(path), path)])
    return read_table(Path(path), path, dumps.read)


def _measured(tables: Sequence[PredictionTable], dumps: DumpOptions) -> list[Measure]:
    """All that the dumps allow, by what both of them hold."""
    new = tables[-1]
    old = tables[-2] if len(tables) > 1 else None
    found: list[Measure] = []
    for part in (_predictions, _embeddings, _texts, _gates):
        found += part(old, new, tables, dumps)
    return found


def _predictions(
    old: PredictionTable | None, new: PredictionTable, tables: Sequence[PredictionTable], dumps: DumpOptions
) -> list[Measure]:
    from mlcheck.updates.forgetting import forgetting_applies, measure_forgetting
    from mlcheck.updates.predictions import applies, measure_predictions

    settings = dumps.predictions
    found: list[Measure] = []
    if old is not None and applies(old, settings) and applies(new, settings) and not _is_text(new):
        found += measure_predictions(old, new, settings, _others(dumps.seeds, dumps))
    return [*found, *(measure_forgetting(new, settings) if forgetting_applies(new) else ())]


def _embeddings(
    old: PredictionTable | None, new: PredictionTable, tables: Sequence[PredictionTable], dumps: DumpOptions
) -> list[Measure]:
    from mlcheck.updates.retrieval import applies, measure_retrieval

    if old is None or not (applies(old) and applies(new)):
        return []
    paragon, mapped = _other(dumps.paragon, dumps), _other(dumps.mapped, dumps)
    return measure_retrieval(old, new, dumps.retrieval, paragon, tables if len(tables) > 2 else (), mapped)


def _texts(
    old: PredictionTable | None, new: PredictionTable, tables: Sequence[PredictionTable], dumps: DumpOptions
) -> list[Measure]:
    from mlcheck.updates.rewrites import applies, measure_rewrites, measure_swap

    if not applies(new):
        return []
    settings = _rewrite_settings(dumps)
    found = measure_rewrites(new, settings, old if old is not None and applies(old) else None)
    swapped = _other(dumps.swapped, dumps)
    return [*found, *(measure_swap(new, swapped, settings) if swapped is not None else ())]


def _gates(
    old: PredictionTable | None, new: PredictionTable, tables: Sequence[PredictionTable], dumps: DumpOptions
) -> list[Measure]:
    from mlcheck.updates.gate import applies_gate, measure_gate

    if not applies_gate(new):
        return []
    before = old if old is not None and applies_gate(old) else None
    return measure_gate(new, _rewrite_settings(dumps), _other(dumps.forced, dumps), before)


def _is_text(table: PredictionTable) -> bool:
    return table.has("hypothesis")


def _rewrite_settings(dumps: DumpOptions) -> RewriteSettings:
    from mlcheck.updates.rewrite_settings import read_vocabulary
    from mlcheck.updates.rewrites import training_values

    settings = dumps.rewrites
    training = _other(dumps.training, dumps)
    if training is not None:
        settings = replace(settings, training_values=training_values(training))
    if dumps.vocabulary is not None:
        settings = replace(settings, vocabulary=read_vocabulary(dumps.vocabulary, str(dumps.vocabulary)))
    return settings


def _other(path: str | None, dumps: DumpOptions) -> PredictionTable | None:
    return None if path is None else _read(path, dumps, None, 0, 1)


def _others(paths: Sequence[str], dumps: DumpOptions) -> list[PredictionTable]:
    from mlcheck.importers.paths import expanded

    return [_read(one, dumps, None, 0, 1) for path in paths for one in expanded(path)]


def _once(measures: Sequence[Measure]) -> list[Measure]:
    """Each name once: dumps of labels and embeddings are joined for each of the two."""
    kept: dict[tuple[str, int], Measure] = {}
    for one in measures:
        kept.setdefault((one.name, one.step), one)
    return list(kept.values())


def _judged(
    name: str, path: str, measures: Sequence[Measure], selected: "Sequence[Selected]", rules: "Registry"
) -> "RunPart":
    import numpy as np

    from mlcheck.engine.run import judge_run
    from mlcheck.store.lane import lane
    from mlcheck.store.series import Regime, Run
    from mlcheck.updates.base import facts

    run = Run(name, path, lane(path), facts(measures), (), regime=Regime("unknown", "a comparison of dumps"))
    with np.errstate(all="ignore"):
        return judge_run(run, selected, rules.causes)


def _notes(tables: Sequence[PredictionTable]) -> list[Note]:
    """Which column was taken for what, where its name is another one."""
    found = []
    for table in tables:
        renamed = {name: own for name, own in table.aliases.items() if name != own}
        if renamed:
            words = ", ".join(f"{own} is the {name}" for name, own in sorted(renamed.items()))
            found.append(Note("columns", f"{table.path}: {words}"))
    return found
