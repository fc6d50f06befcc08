"""The parts of sentences that all text reporters share.

What came from a file is safe text when it leaves here; it is not yet escaped for Markdown.
"""

from mlcheck.report import Best, Confidence, Evidence, Finding, Row
from mlcheck.reporters.statistics import in_words
from mlcheck.reporters.text import clean, duration, number, percent, plural
from mlcheck.reporters.view import RunView, below

# Labels that name a part of a model or of a run: (singular, plural).
_NOUNS = {
    "layer": ("layer", "layers"),
    "group": ("parameter group", "parameter groups"),
    "worker": ("worker", "workers"),
    "category": ("class", "classes"),
    "feature": ("feature", "features"),
    "source": ("file", "files"),
}
# What names a finding when it has no such label.
_SERIES = ("series", "series")


def place(axis: str, step: int) -> str:
    """`step 1,200`, `epoch 12`."""
    return f"{clean(axis)} {step:,}"


def best_value(best: Best) -> str:
    """`best val loss 0.412 at step 1,150`."""
    quantity = best.metric or best.role
    what = f"{best.split} {quantity}" if best.role == "loss" and best.split else best.series
    return f"best {clean(what)} {number(best.value)} at {place(best.axis, best.step)}"


def subject(finding: Finding) -> str:
    """What the finding is about: `layer encoder.3`, else its series."""
    if "group" in finding.labels and "category" in finding.labels:
        # A slice of the data: a column and its value.
        return f"{clean(finding.labels['group'])} {clean(finding.labels['category'])}"
    if "group" in finding.labels and finding.category == "embeddings":
        return clean(finding.labels["group"])
    for label, (noun, _) in _NOUNS.items():
        if label in finding.labels and not (label == "group" and _of_whole_run(finding)):
            return f"{noun} {clean(finding.labels[label])}"
    if finding.series:
        return clean(finding.series[0])
    # What was measured of two models or of two runs is no series of either.
    return " ".join(clean(finding.labels[label]) for label in ("split", "metric") if finding.labels.get(label))


def _of_whole_run(finding: Finding) -> bool:
    """Whether it is about a loss or a metric: a parameter group is then that of a learning rate, which is a witness only."""
    return bool(finding.evidence) and finding.evidence[0].role in ("loss", "metric", "error_metric")


def period(finding: Finding) -> str:
    """When: `from step 1,200 until the end`, `at step 7`, `3 times from step 5 to 90`; empty for a run rule."""
    if finding.onset is None:
        return ""
    axis = clean(finding.axis)
    if finding.episode_count > 1:
        times = f"{finding.episode_count:,} times from {place(axis, finding.onset)}"
        return f"{times} to {finding.last_step:,}" if finding.healed else f"{times} until the end"
    if not finding.healed and finding.points > 1:
        return f"from {place(axis, finding.onset)} until the end"
    if finding.last_step == finding.onset:
        return f"at {place(axis, finding.onset)}"
    return f"from {place(axis, finding.onset)} to {finding.last_step:,}"


def shown_path(view: RunView) -> str:
    """Where the run lies below the scanned path; its name where it is that path."""
    return clean(view.info.name if view.info.path == "." else view.info.path)


def extent(row: Row, view: RunView | None) -> str:
    """Where a row holds: `12 of 48 layers, first encoder.3 at step 1,200, until the end`."""
    lead = row.lead
    if len(row.findings) == 1:
        return ", ".join(part for part in (subject(lead), period(lead)) if part)
    label, noun = _varying(row)
    name = clean(lead.labels[label]) if label else subject(lead)
    parts = [f"{_share(row, view)} {noun}"]
    if lead.onset is None:
        parts.append(f"{'first' if lead.layer_order is not None else 'such as'} {name}" if name else "")
        return ", ".join(part for part in parts if part)
    at = place(lead.axis, lead.onset)
    parts.append(f"first {name} at {at}" if lead.layer_order is not None else f"such as {name} from {at}")
    staying = sum(not f.healed for f in row.findings)
    if staying == len(row.findings):
        parts.append("until the end")
    else:
        parts.append(f"{staying:,} until the end" if staying else "all healed")
    return ", ".join(parts)


def in_run(run: str, where: str) -> str:
    """`exp1: layer fc1`, where the run is named; either may be empty."""
    return ": ".join(part for part in (run, where) if part)


def _varying(row: Row) -> tuple[str | None, str]:
    if all("group" in f.labels and "category" in f.labels for f in row.findings):
        return "category", "slices"
    for label, (_, many) in _NOUNS.items():
        if all(label in f.labels and not (label == "group" and _of_whole_run(f)) for f in row.findings):
            return label, many
    return None, _SERIES[1]


def _share(row: Row, view: RunView | None) -> str:
    failed = len(row.findings)
    judged = 0
    if view is not None:
        judged = sum(o.count for o in view.outcomes if o.rule == row.lead.rule and o.outcome in ("passed", "failed"))
    return f"{failed:,} of {judged:,}" if judged > failed else f"{failed:,}"


def against_limit(finding: Finding) -> str:
    """`3.1e-09, limit 1e-07`; empty where the rule has no value."""
    if finding.value is None:
        return ""
    text = number(finding.value)
    if finding.measure:
        text = f"{clean(finding.measure)} {text}"
    return text if finding.limit is None else f"{text}, limit {number(finding.limit)}"


def cost(finding: Finding) -> str:
    """`88 % of the run, 5.4 h, came after it`; empty where nothing did, or where it healed."""
    if finding.cost is None or finding.cost.steps <= 0 or finding.healed:
        return ""
    hours = f", {duration(finding.cost.hours)}" if finding.cost.hours else ""
    if finding.onset is None and finding.cost.share >= 1:
        return f"the whole run{hours}"
    share = "the whole run" if finding.cost.share >= 1 else f"{percent(finding.cost.share)} of the run"
    return f"{share}{hours}{',' if hours else ''} came after it"


def doubts(finding: Finding) -> str:
    """Why severity or confidence are not what the rule says at first; empty where they are."""
    parts = [] if finding.confidence is Confidence.HIGH else [f"{finding.confidence.value} confidence"]
    return ", ".join(parts + [clean(reason) for reason in finding.reasons])


def explained(row: Row) -> list[str]:
    """The rows filed under a row, as `loss-not-decreasing`, `updates-too-small (12 layers)`."""
    texts = []
    for child in list(below(row))[1:]:
        # A consequence that is worse than what it is filed under says so: it may be what fails the build.
        parts = [child.lead.severity.value] if child.lead.severity.rank > row.lead.severity.rank else []
        parts += [f"{len(child.findings):,} {_varying(child)[1]}"] if len(child.findings) > 1 else []
        texts.append(clean(child.lead.name) + (f" ({', '.join(parts)})" if parts else ""))
    return texts


def evidence_caption(evidence: Evidence) -> str:
    """`mean magnitude of gradients/fc1, steps 0 to 9,999`."""
    what = clean(evidence.series, 60)
    if evidence.statistic != "value":
        what = f"{in_words(evidence.statistic)} of {what}"
    if not evidence.steps:
        return what
    return f"{what}, {stretch(evidence.axis, min(evidence.steps), max(evidence.steps))}"


def stretch(axis: str, first: int, last: int) -> str:
    """`steps 0 to 9,999`, `epoch 3`."""
    if first == last:
        return place(axis, first)
    unit = f"{axis}s" if axis in ("step", "epoch", "sample") else clean(axis)
    return f"{unit} {first:,} to {last:,}"


def run_size(view: RunView) -> list[str]:
    """`62 series`, `34,000 points`, `steps 0 to 9,999`, `6.2 h`, `TensorBoard`."""
    info = view.info
    parts = [plural(info.series, "series", "series"), plural(info.points, "point")] if info.series else []
    if info.first_step is not None and info.last_step is not None:
        parts.append(stretch(info.axis, info.first_step, info.last_step))
    if info.hours:
        parts.append(duration(info.hours))
    formats = {"tensorboard": "TensorBoard", "hdf5": "HDF5", "parquet": "Parquet"}
    parts += [", ".join(formats.get(f, clean(f)) for f in info.formats)] if info.formats else []
    return parts
