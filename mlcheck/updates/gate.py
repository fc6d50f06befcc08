"""A pointer network's copy gate, coverage and attention, from what it dumped for each output token (updates.md §4.4).

P(w) = p_gen * P_vocabulary(w) + (1 - p_gen) * sum of the attention on the source positions that hold w (See, Liu and Manning, Get To The
Point: Summarization with Pointer-Generator Networks, ACL 2017).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlcheck.records import replace
from mlcheck.updates.attention import measure_attention
from mlcheck.updates.base import Measure
from mlcheck.updates.clustered import Facts, put_estimates, put_share, ratio, share
from mlcheck.updates.join import join
from mlcheck.updates.rewrite_settings import RewriteSettings
from mlcheck.updates.table import PredictionTable, final_rows, steps_of
from mlcheck.updates.text import tokens
from mlcheck.updates.tokenwise import Tokenwise, by_split, check_same_lengths, clusters_of, in_order, tokenwise

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

COLUMNS = ("p_gen", "attn_entropy", "cov_loss", "attn_argmax")
FORCED_GATE, FORCED_COVERAGE = "p_gen_forced", "cov_loss_forced"
"""Columns of the same quantities under teacher forcing, where one dump holds both."""
FEWEST_STEPS = 3
_NO_FORCED = "no values under teacher forcing: a column `{}`, or a second dump (forced)"


def applies_gate(dump: PredictionTable) -> bool:
    """Whether a dump tells of gates, attention or coverage."""
    return any(dump.has(name) for name in COLUMNS)


def measure_gate(
    one: PredictionTable,
    settings: RewriteSettings,
    forced: PredictionTable | None = None,
    old: PredictionTable | None = None,
) -> list[Measure]:
    """Facts of role copy_gate; groups `gate`, `coverage`, `attention` of the final step, and `steps` over training steps.

    forced: a dump of the same model on the same examples under teacher forcing; without it the columns `p_gen_forced` and
    `cov_loss_forced`. old: the dump of another model. Raises ComparisonError for values that make no sense.
    """
    found: list[Measure] = []
    whole = in_order(one)
    dump = final_rows(whole)
    if forced is not None:
        both = join(dump, forced)
        dump = in_order(_with_forced(both.old, both.new))
    for suffix, labels, part in by_split(dump):
        columns = {name: _column(part, name) for name in (*COLUMNS, FORCED_GATE, FORCED_COVERAGE)}
        check_same_lengths(part, {name: columns[name] for name in COLUMNS})
        clusters = clusters_of(part, settings.cluster)
        gate, coverage = columns["p_gen"], columns["cov_loss"]
        if gate is not None:
            facts = _gate_facts(part, gate, columns[FORCED_GATE], clusters, settings)
            found.append(
                _measure("gate", suffix, labels, facts, ("p_gen_mean", "gate_closed", "gate_open", "exposure_gap"))
            )
        if coverage is not None:
            facts = _coverage_facts(coverage, columns[FORCED_COVERAGE], clusters, settings)
            found.append(_measure("coverage", suffix, labels, facts, ("coverage_loss", "coverage_ratio")))
        facts = measure_attention(part, columns["attn_entropy"], columns["attn_argmax"], clusters, settings)
        if facts.columns:
            shown = ("degenerate", "collapsed", "diffuse", "stuck")
            found.append(_measure("attention", suffix, labels, facts, shown))
    if old is not None:
        found = _with_old(found, measure_gate(old, settings))
    return [*found, *_over_steps(whole)]


def _column(dump: PredictionTable, name: str) -> Tokenwise | None:
    return tokenwise(dump, name, 0.0, 1.0 if name in ("p_gen", FORCED_GATE) else float("inf"))


def _with_forced(dump: PredictionTable, forced: PredictionTable) -> PredictionTable:
    """The columns of the teacher-forced dump beside those of the same examples; both in one order."""
    table = dump.table
    for name, column in ((FORCED_GATE, "p_gen"), (FORCED_COVERAGE, "cov_loss")):
        if forced.has(column):
            if name in table.column_names:
                table = table.drop_columns([name])
            table = table.append_column(name, forced.table.column(column))
    return replace(dump, table=table)


def _measure(group: str, suffix: str, labels: Mapping[str, str], facts: Facts, shown: tuple[str, ...]) -> Measure:
    headline = tuple(name for name in shown if name in facts.columns)
    return Measure(
        "copy_gate", f"{group}{suffix}", facts.columns, facts.undefined, {**labels, "group": group}, 0, headline
    )


def _with_old(ours: list[Measure], theirs: list[Measure]) -> list[Measure]:
    """Each statistic of the old model beside the new one's, as `<name>_old`."""
    before = {one.name: one for one in theirs if one.labels["group"] != "steps"}
    return [
        replace(
            one, columns={**one.columns, **{f"{key}_old": value for key, value in before[one.name].columns.items()}}
        )
        if one.name in before
        else one
        for one in ours
    ]


# The gate


def _gate_facts(
    dump: PredictionTable, gate: Tokenwise, forced: Tokenwise | None, clusters: "Ints", settings: RewriteSettings
) -> Facts:
    import numpy as np
    from scipy.stats import entropy

    facts = Facts()
    steps = gate.lengths.astype(float)
    facts.put_all({"examples": int((gate.lengths > 0).sum()), "tokens": len(gate.values)})
    facts.put("confidence", settings.confidence)
    facts.put("p_gen_mean", float(gate.values.mean()))
    facts.put("gate_entropy", float(entropy(np.stack([gate.values, 1 - gate.values]), base=2).mean()))
    for name, beyond in (
        ("gate_closed", gate.values < settings.gate_low),
        ("gate_open", gate.values > settings.gate_high),
    ):
        put_share(facts, name, gate.sums(beyond), steps, clusters, settings.confidence)
    _put_copied(facts, dump)
    _put_exposure(facts, gate, forced, clusters, settings)
    _put_need(facts, dump, gate, clusters, settings)
    return facts


def _put_copied(facts: Facts, dump: PredictionTable) -> None:
    """Share of the output tokens that were copied, where the dump says which."""
    copied = tokenwise(dump, "copied", 0.0, 1.0)
    value = float("nan") if copied is None else float(copied.values.mean())
    facts.put("copied_tokens", value, "no column `copied`")


def _put_exposure(
    facts: Facts, gate: Tokenwise, forced: Tokenwise | None, clusters: "Ints", settings: RewriteSettings
) -> None:
    """Mean p_gen under teacher forcing minus that of free running."""
    import numpy as np

    why = _NO_FORCED.format(FORCED_GATE)
    none = np.zeros(len(gate.lengths))
    columns = [gate.sums(gate.values), gate.lengths.astype(float)]
    columns += [none, none] if forced is None else [forced.sums(forced.values), forced.lengths.astype(float)]

    def gaps(sums: "Floats") -> "dict[str, Floats]":
        free, told = ratio(sums.T[0], sums.T[1]), ratio(sums.T[2], sums.T[3])
        return {"p_gen_forced": told, "exposure_gap": told - free}

    put_estimates(facts, columns, clusters, gaps, settings, {"p_gen_forced": why, "exposure_gap": why})


def _put_need(
    facts: Facts, dump: PredictionTable, gate: Tokenwise, clusters: "Ints", settings: RewriteSettings
) -> None:
    """How much must be copied: the share of reference tokens that the source holds and the vocabulary does not, against mean(1 - p_gen)."""
    import numpy as np

    counts = _needed(dump, settings) if dump.has("source", "reference") else np.zeros((len(dump.table), 3))
    whole, inside, _ = counts.sum(axis=0)
    no_texts = "no columns `source` and `reference`, or no reference in them"
    facts.put("copy_possible", share(float(inside), float(whole)), no_texts)
    why = no_texts
    if whole and settings.vocabulary is None:
        counts[:] = 0
        why = "the words that the model can generate are not known: give its vocabulary"

    def gaps(sums: "Floats") -> "dict[str, Floats]":
        need, observed = ratio(sums.T[2], sums.T[0]), 1 - ratio(sums.T[3], sums.T[4])
        return {"copy_need": need, "copy_gap": observed - need}

    columns = [*counts.T, gate.sums(gate.values), gate.lengths.astype(float)]
    facts.put("copy_observed", 1 - facts.columns["p_gen_mean"])
    put_estimates(facts, columns, clusters, gaps, settings, {"copy_need": why, "copy_gap": why})


def _needed(dump: PredictionTable, settings: RewriteSettings) -> "Floats":
    """Shape (n, 3): tokens of the first reference, those of them in the source, those of these that the vocabulary lacks."""
    import numpy as np

    vocabulary = settings.vocabulary or frozenset()
    found = np.zeros((len(dump.table), 3))
    sources, references = (dump.table.column(name).to_pylist() for name in ("source", "reference"))
    for row, (source, reference) in enumerate(zip(sources, references, strict=True)):
        first = reference[0] if isinstance(reference, list) and reference else reference
        if not isinstance(first, str):
            continue
        context = set(tokens(" ".join(str(turn) for turn in source) if isinstance(source, list) else str(source or "")))
        words = tokens(first)
        copyable = [word for word in words if word in context]
        found[row] = len(words), len(copyable), sum(word not in vocabulary for word in copyable)
    return found


# Coverage


def _coverage_facts(
    coverage: Tokenwise, forced: Tokenwise | None, clusters: "Ints", settings: RewriteSettings
) -> Facts:
    """coverage_loss: mean over examples of the mean over their tokens of sum_i min(a_ti, c_ti); coverage_ratio: over that under teacher
    forcing on the references, whose repetition is that of the task."""
    import numpy as np

    facts = Facts()
    zero = np.zeros(len(coverage.lengths))
    pairs = [_example_means(coverage), (zero, zero) if forced is None else _example_means(forced)]
    facts.put_all({"examples": int((coverage.lengths > 0).sum()), "confidence": settings.confidence})

    def ratios(sums: "Floats") -> "dict[str, Floats]":
        free, told = ratio(sums.T[0], sums.T[1]), ratio(sums.T[2], sums.T[3])
        return {"coverage_loss": free, "coverage_loss_forced": told, "coverage_ratio": ratio(free, np.nan_to_num(told))}

    no_forced = _NO_FORCED.format(FORCED_COVERAGE)
    if forced is not None:
        no_forced = "the coverage loss under teacher forcing is 0"
    why = {"coverage_loss_forced": no_forced, "coverage_ratio": no_forced}
    put_estimates(facts, [column for pair in pairs for column in pair], clusters, ratios, settings, why)
    return facts


def _example_means(one: Tokenwise) -> "tuple[Floats, Floats]":
    """The mean of each example, 0 where it has no token; and whether it has one."""
    import numpy as np

    there = (one.lengths > 0).astype(float)
    return np.nan_to_num(ratio(one.sums(one.values), one.lengths.astype(float))), there


# Over training steps


def _over_steps(dump: PredictionTable) -> list[Measure]:
    """Mean gate and mean coverage loss at each training step of the dump, group `steps`: rows of one series."""
    import pyarrow.compute as pc

    steps = steps_of(dump)
    if len(steps) < 2:
        return []
    found: dict[str, list[Measure]] = {}
    for step in steps:
        at = replace(dump, table=dump.table.filter(pc.equal(dump.table.column("step"), step)))
        for suffix, labels, part in by_split(at):
            facts = Facts()
            gate, coverage = _column(part, "p_gen"), _column(part, "cov_loss")
            if gate is not None:
                facts.put("p_gen_mean", float(gate.values.mean()))
            if coverage is not None:
                total, there = (float(one.sum()) for one in _example_means(coverage))
                facts.put("coverage_loss", share(total, there))
            if facts.columns:
                group = {**labels, "group": "steps"}
                name = f"gate over steps{suffix}"
                found.setdefault(name, []).append(Measure("copy_gate", name, facts.columns, {}, group, step))
    return [one for rows in found.values() for one in _with_slope(rows)]


def _with_slope(rows: list[Measure]) -> list[Measure]:
    """The rows of one series; the last has the slope of the mean gate a thousand steps (Theil-Sen), from three steps on."""
    from scipy.stats import theilslopes

    points = [(one.step, one.columns["p_gen_mean"]) for one in rows if "p_gen_mean" in one.columns]
    last = rows[-1]
    if len(points) < FEWEST_STEPS:
        return [*rows[:-1], replace(last, undefined={"p_gen_slope": f"{len(points)} of {FEWEST_STEPS} training steps"})]
    slope = 1000 * float(theilslopes([value for _, value in points], [step for step, _ in points]).slope)
    return [*rows[:-1], replace(last, columns={**last.columns, "p_gen_slope": slope})]
