"""The first two lines about a run: what is wrong, since when and what that cost; and how much could be judged."""

from mlcheck.report import NOT_APPLICABLE, Finding, Severity
from mlcheck.reporters.text import clean, listing, plural, prose
from mlcheck.reporters.view import RunView, worst
from mlcheck.reporters.wording import best_value, cost, place


def verdict(view: RunView) -> str:
    """One or two sentences: `exp1: gradients vanish from step 1,200 of 10,000; 88 % of the run came after it. Best …`."""
    return " ".join(text for text in (judgement(view), best(view)) if text)


def judgement(view: RunView) -> str:
    """The first sentence of the verdict.

    A run is called healthy only when at least half of the rules that apply were checked, none of them failed or raised, and no
    data of it was lost.
    """
    name = clean(view.info.name)
    found = lead(view)
    if found is None and not view.judged:
        return f"{name}: nothing could be judged: {_why_unjudged(view)}."
    return f"{name}: {_quiet(view) if found is None else statement(found, view)}."


def lead(view: RunView) -> Finding | None:
    """What a run is called by: its first row that is, or explains, an error or a warning."""
    return next((row.lead for row in view.rows if worst(row) is not Severity.INFO), None)


def best(view: RunView) -> str:
    """The second sentence of the verdict, `Best val loss 0.412 at step 1,150.`; empty where there is none, or nothing was judged."""
    if view.info.best is None or (lead(view) is None and not view.judged):
        return ""
    text = best_value(view.info.best)
    return f"{text[0].upper()}{text[1:]}."


def statement(finding: Finding, view: RunView, with_cost: bool = True) -> str:
    """`gradients vanish from step 1,200 of 10,000; 88 % of the run came after it`: no run name, no full stop."""
    text = prose(finding.headline or finding.name.replace("-", " ")).rstrip(".")
    if finding.onset is None:
        return text
    if finding.onset == view.info.first_step and finding.axis == view.info.axis and not finding.healed:
        return f"{text} from the first {clean(finding.axis)} on"
    single = finding.last_step == finding.onset
    text += f" {'at' if single else 'from'} {place(finding.axis, finding.onset)}"
    last = _last_step(finding, view)
    if last is not None and last >= finding.last_step:
        text += f" of {last:,}"
    if finding.healed:
        return text if single else f"{text}; healed after {place(finding.axis, finding.last_step)}"
    return f"{text}; {cost(finding)}" if with_cost and cost(finding) else text


def _last_step(finding: Finding, view: RunView) -> int | None:
    if finding.axis == view.info.axis:
        return view.info.last_step
    own = [s.last_step for s in view.series if s.name in finding.series]
    return max(own) if own else None


def _quiet(view: RunView) -> str:
    """What to say of a run without an active error or warning."""
    known = sum(f.status != "active" for f in view.findings)
    coverage = view.info.coverage
    if view.errored:
        return f"no problem found, but {_crashed(view)}"
    if view.damaged:
        return f"no problem found in what could be read; {plural(len(view.damaged), 'file')} lost data"
    if known:
        return f"no new errors or warnings ({plural(known, 'known finding')} set aside)"
    if view.thin and not coverage.curve_judged:
        return f"no problem found, but no loss, validation or reward curve could be judged{_unknown(view)}"
    if view.thin:
        return (
            f"no problem found, but only {coverage.checked} of {plural(coverage.applicable, 'rule')} could be checked"
        )
    if view.compared:
        return "nothing is worse than in what it was compared with"
    return "no errors or warnings" if view.rows else "healthy"


def _unknown(view: RunView) -> str:
    """The scalars that may be such a curve: under names that nobody knows, or several losses of which none is the whole."""
    scalars = [one for one in view.series if one.kind == "scalar"]
    text = ""
    losses = [clean(one.name) for one in scalars if one.role == "loss" and "primary" not in one.labels]
    if len(losses) > 1:
        said = "is told to be the total: give their split or role under [roles] of mlcheck.toml"
        text += f"; of the losses {listing(losses, 2)} none {said}"
    names = [clean(one.name) for one in scalars if one.role == "other"]
    if names:
        text += f"; no role is known for {listing(names, 2)}"
        text += "" if len(losses) > 1 else ": give them one under [roles] of mlcheck.toml"
    return text


def _why_unjudged(view: RunView) -> str:
    info = view.info
    if info.series == 0:
        return "it holds no series"
    if view.errored:
        return _crashed(view)
    if info.coverage.applicable == 0 and all(o.kind == "regime" for o in view.outcomes):
        return f"no rule is for {clean(info.regime)} runs"
    missing = [prose(gap.what) for gap in view.missing]
    if missing:
        return f"no {listing(missing, 3)} logged"
    reasons = list(dict.fromkeys(prose(o.reason) for o in view.outcomes if o.outcome == "skipped" and o.reason))
    return listing(reasons, 2) if reasons else "no rule found what it needs"


def _crashed(view: RunView) -> str:
    return f"{plural(len(view.errored), 'rule')} failed to run ({listing([clean(r) for r in view.errored], 3)})"


FEW_GAPS = 3
"""Up to so many gaps are a short text."""
_HINTS = 80
"""Characters for the lines that a short text says to add, behind the first of them."""


def coverage(view: RunView, most: int = FEW_GAPS) -> str:
    """`Checked 5 of 8 rules that apply (supervised). Not checked: validation loss (none logged: log one with …).`

    At most `most` gaps are named. A short text says how to close the first, and others while that is no long line.
    """
    info = view.info
    applicable, checked = info.coverage.applicable, info.coverage.checked
    regime = f"{info.regime} regime" if info.regime == "unknown" else info.regime
    kind = "" if view.compared else f" ({clean(regime)})"
    if applicable == 0:
        return f"No rule applies ({clean(regime)})."
    tensors = next((len(gap.rules) for gap in info.coverage.gaps if gap.what == "tensors"), 0)
    beside = f" No tensors are dumped, for {plural(tensors, 'more rule')}." if tensors else ""
    if checked >= applicable:
        rules = f"all {applicable:,} rules that apply" if applicable > 1 else "the one rule that applies"
        return f"Checked {rules}{kind}.{beside}"
    text = f"Checked {checked:,} of {plural(applicable, 'rule')} that {'apply' if applicable > 1 else 'applies'}{kind}."
    holes = _gaps(view, most > FEW_GAPS) + _unjudged_rules(view)
    return f"{text} Not checked: {listing(holes, most)}.{beside}" if holes else f"{text}{beside}"


def _gaps(view: RunView, at_length: bool) -> list[str]:
    """What nobody logged; what one line would log is said together."""
    by_line: dict[tuple[str, str], list[str]] = {}
    for gap in view.missing:
        how, what = prose(gap.how).rstrip("."), prose(gap.what)
        by_line.setdefault((how, "" if how else what), []).append(what)
    texts, room = [], _HINTS
    for how, names in ((how, names) for (how, _), names in by_line.items()):
        said = how and (at_length or room == _HINTS or len(how) <= room)
        room -= len(how) if said else 0
        texts.append(f"{listing(names, len(names))} (none logged{f': {how}' if said else ''})")
    return texts


def _unjudged_rules(view: RunView) -> list[str]:
    """Rules that apply, were judged on nothing, and are not silent for want of an input (the gaps say that)."""
    in_gaps = {rule for gap in view.missing for rule in gap.rules}
    judged = {o.rule for o in view.outcomes if o.outcome in ("passed", "failed")}
    texts: dict[str, str] = {}
    for o in view.outcomes:
        if o.kind in NOT_APPLICABLE or o.rule in judged or o.rule in in_gaps:
            continue
        if o.outcome == "errored":
            texts[o.rule] = f"{clean(o.rule)} (failed to run: {prose(o.reason or 'unknown', 120)})"
        elif o.outcome == "skipped" and o.rule not in texts:
            texts[o.rule] = f"{clean(o.rule)} ({prose(o.reason or 'no reason given', 120)})"
    return list(texts.values())
