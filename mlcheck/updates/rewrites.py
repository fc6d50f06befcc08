"""Rewriters and other models that write text, judged from a dump of their outputs, alone or against the old model's (updates.md §4)."""

from collections.abc import Sequence

from mlcheck.updates.base import ComparisonError, Measure
from mlcheck.updates.bleu import measure_bleu
from mlcheck.updates.decisions import measure_decisions
from mlcheck.updates.entities import measure_entities
from mlcheck.updates.entity_gaps import entity_values, measure_gaps
from mlcheck.updates.examples import Example, check_same_questions, first_of, read_examples
from mlcheck.updates.generation import measure_length, measure_repetition, measure_truncation
from mlcheck.updates.join import Joined, join
from mlcheck.updates.leaks import measure_leaks
from mlcheck.updates.rewrite_settings import RewriteSettings
from mlcheck.updates.table import PredictionTable, final_rows


def applies(dump: PredictionTable) -> bool:
    """Whether a dump holds outputs in words, and what they can be held against."""
    return dump.has("hypothesis") and any(dump.has(name) for name in ("source", "reference", "entities"))


def training_values(dump: PredictionTable) -> frozenset[str]:
    """The entities of a dump of the training data (column `entities`), for `RewriteSettings.training_values`. Raises ComparisonError."""
    if not dump.has("entities"):
        raise ComparisonError(f"{dump.path}: no column of entities (entities, gold_slots) to know what training held")
    if not dump.has("hypothesis"):
        # Training data are no outputs of a model.
        dump = _with_empty_hypotheses(dump)
    return entity_values(read_examples(dump))


def _with_empty_hypotheses(dump: PredictionTable) -> PredictionTable:
    import pyarrow as pa

    from mlcheck.records import replace

    column = pa.repeat(pa.scalar("", pa.string()), len(dump.table))
    return replace(dump, table=dump.table.append_column("hypothesis", column))


def measure_rewrites(
    one: PredictionTable, settings: RewriteSettings, old: PredictionTable | None = None
) -> list[Measure]:
    """All that is measured of one dump of texts, and against the old model's dump where there is one; each split on its own.

    With an old dump the first measure is the overlap of the two (role prediction_overlap).

    With an old dump only joined examples count for entities, decisions and BLEU. Raises ComparisonError for rows that make no sense, and
    where the dumps have different references or gold entities.
    """
    dump = final_rows(one)
    examples = read_examples(dump, settings.cluster)
    found: list[Measure] = []
    before: dict[str, dict[str, str]] | None = None
    if old is not None:
        both = join(old, one)
        found.append(both.overlap)
        before = _old_hypotheses(both, settings)
    reasons = _finish_reasons(dump)
    has_references = dump.has("reference")
    splits = sorted({example.split for example in examples})
    for split in splits:
        inside = [example for example in examples if example.split == split]
        suffix = f"/split={split}" if len(splits) > 1 else ""
        labels = {"split": split} if dump.has("split") else {}
        theirs = None if before is None else before.get(split, {})
        found += measure_entities(
            inside, settings, old=theirs, has_references=has_references, labels=labels, suffix=suffix
        )
        found += measure_gaps(inside, settings, has_references=has_references, labels=labels, suffix=suffix)
        if has_references:
            found += measure_decisions(inside, settings, old=theirs, labels=labels, suffix=suffix)
        found += measure_repetition(inside, settings, labels=labels, suffix=suffix)
        found += measure_length(inside, settings, labels=labels, suffix=suffix)
        ends = None if reasons is None else [reasons[example.split, example.example_id] for example in inside]
        found += measure_truncation(inside, ends, settings, labels=labels, suffix=suffix)
        found += measure_leaks(inside, settings, labels=labels, suffix=suffix)
        found += measure_bleu(inside, settings, old=theirs, labels=labels, suffix=suffix)
    return found


def _old_hypotheses(both: Joined, settings: RewriteSettings) -> dict[str, dict[str, str]]:
    """Split to id to hypothesis of the old model, for the joined examples."""
    mine = read_examples(both.new, settings.cluster)
    theirs = _aligned(_without_turns(both.old), mine)
    check_same_questions(both.old, both.new, zip(theirs, mine, strict=True))
    found: dict[str, dict[str, str]] = {}
    for before, now in zip(theirs, mine, strict=True):
        found.setdefault(now.split, {})[now.example_id] = before.hypothesis
    return found


def _aligned(other: PredictionTable, examples: Sequence[Example]) -> list[Example]:
    """The examples of the other side of a join in the order of these: a dump that states no split was joined by id alone."""
    if other.has("split") and len({one.example_id for one in examples}) < len(examples):
        by_key = {(one.split, one.example_id): one for one in read_examples(other)}
        return [by_key[one.split, one.example_id] for one in examples]
    by_id = {one.example_id: one for one in read_examples(other)}
    return [by_id[one.example_id] for one in examples]


def _without_turns(dump: PredictionTable) -> PredictionTable:
    """What only the new dump is asked for: the old model may have read other turns."""
    from mlcheck.records import replace

    dropped = [name for name in ("source", "speaker", "base_index") if dump.has(name)]
    return replace(dump, table=dump.table.drop_columns(dropped))


def _finish_reasons(dump: PredictionTable) -> dict[tuple[str, str], str | None] | None:
    if not dump.has("finish_reason"):
        return None
    columns = [dump.table.column(name).to_pylist() for name in ("example_id", "finish_reason")]
    splits = dump.table.column("split").to_pylist() if dump.has("split") else [None] * len(dump.table)
    return {
        ("eval" if split is None else str(split), str(example_id)): None if why is None else str(why)
        for split, example_id, why in zip(splits, *columns, strict=True)
    }


# Renamed entities


def measure_swap(one: PredictionTable, swapped: PredictionTable, settings: RewriteSettings) -> list[Measure]:
    """Facts of role rewrite_quality, group `swap`: the share of outputs that stay the same when the entities of the input are renamed.

    swapped: the same examples with other values, in the same order in `entities`; outputs are held against each other after the values of
    the first dump are renamed in its outputs. An invariance test of CheckList (Ribeiro et al. 2020). Raises ComparisonError where the
    entities of an example are not as many, or one value is renamed to two.
    """
    from mlcheck.updates.swap import pairs_of, swap_facts

    for dump in (one, swapped):
        if not dump.has("entities"):
            raise ComparisonError(
                f"{dump.path}: no column of entities (entities, gold_slots): what was renamed is not known"
            )
    both = join(one, swapped)
    ours = read_examples(both.old, settings.cluster)
    theirs = _aligned(both.new, ours)
    matched = list(zip(ours, theirs, strict=True))
    renamed = [(example, other, pairs_of(example, other)) for example, other in matched]
    _refuse(one, swapped, [example for example, _, pairs in renamed if pairs is None], len(renamed))
    facts = swap_facts([(example, other, pairs) for example, other, pairs in renamed if pairs], settings)
    headline = ("invariance", "examples")
    return [
        Measure(
            "rewrite_quality",
            "entity swap",
            facts.columns,
            facts.undefined,
            {"group": "swap"},
            0,
            tuple(name for name in headline if name in facts.columns),
        )
    ]


def _refuse(one: PredictionTable, other: PredictionTable, bad: Sequence[Example], rows: int) -> None:
    if bad:
        ids = sorted(example.example_id for example in bad)
        raise ComparisonError(
            f"{one.path} and {other.path}: in {len(ids):,} of {rows:,} joined rows the entities are not as many, or one value is renamed "
            f"to two: {first_of(ids)}; list the same entities in the same order in both dumps"
        )
