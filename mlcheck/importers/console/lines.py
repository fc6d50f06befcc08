"""One line to its numbers and what they mean. Lines that differ in numbers only have one shape, which is analysed once; of those that
differ in digits only (one form) even the places of the numbers are known."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlcheck.importers.console.ansi import without_digits
from mlcheck.importers.console.patterns import MARK, Pattern, table
from mlcheck.records import dataclass, field, replace
from mlcheck.store.labels import is_split

LONGEST = 4096
"""Characters of a line that may hold values."""
FORMS = 20_000
"""Forms that are remembered at once."""
VALUES = 500
"""Values of one line that are taken."""

NUMBER = re.compile(
    r"(?<![\w@.])([-+]?(?:\d{1,3}(?:,\d{3})+(?![\d,])|\d+)(?:\.\d*)?(?:[eE][-+]?\d+)?|[-+]?\.\d+(?:[eE][-+]?\d+)?"
    r"|[-+]?(?:nan|NaN|NAN|inf|Inf|INF|[Ii]nfinity)(?!\w))"
)
"""A number that is a word of its own: not the 1 of `Acc@1`, nor the digits of `fc2`."""

_WORD = r"[A-Za-z_][\w@./-]{0,49}"
_PAIR = re.compile(
    rf"(?<![\w@./-])(?P<key>{_WORD}(?: {_WORD}){{0,3}}(?:\([\w-]{{1,12}}\))?)[\"']?(?: \((?P<aside>[^()\0]{{1,20}})\))?"
    rf"(?:(?P<sign>\s{{0,8}}[:=]\s{{0,20}})[\"'\[]?(?:tensor\(\[?)?|\s{{1,12}})"
    rf"(?P<value>{MARK})(?P<unit>%|ms|us|µs|s|sec|it/s)?(?![\w:]|\.\d|{MARK}|-{MARK}-{MARK})"
    rf"(?:/(?P<over>{MARK})|(?!/{MARK}))(?:\s?\(\s{{0,4}}(?P<average>{MARK})\))?"
)
_DIGITS = re.compile(r"\d+")
_OF_A_SPLIT = frozenset({"acc", "accuracy", "f1", "auc", "iou", "miou", "dice", "map", "precision", "recall"})
"""What is measured on one split, where a line names several."""
_EPISODE = re.compile(rf"\bepisode[ :#=]{{0,3}}{MARK}", re.IGNORECASE)
TIME = re.compile(r"\d{4}[-/]\d\d[-/]\d\d[ T_]\d\d:\d\d:\d\d", re.ASCII)
TIME_WITHIN = 80
"""Characters at the beginning of a line in which its time stands."""
_SOURCES = (".py", ".cpp", ".cc", ".c", ".h", ".go")
"""Ends of names that stand before the number of a line: `train.py:146`."""
EPOCHS = frozenset({"epoch", "epochs", "e"})
STEPS = frozenset({"step", "steps", "iter", "iters", "iteration", "iterations", "round", "it", "batch", "update", "#"})
"""First columns of tables that count; spaCy's are `E` and `#`."""
_LEVEL = re.compile(r"^(?:INFO|WARNING|WARN|DEBUG|ERROR|CRITICAL|NOTICE)$")
_SCALE = {"ms": 1e-3, "us": 1e-6, "µs": 1e-6}


@dataclass(frozen=True, slots=True)
class Value:
    """Where a value stands in a line."""

    tag: str
    number: int
    """Index among the numbers of the line."""
    over: int = -1
    """Index of the number that it is divided by; -1: none."""
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What to take from all lines of one shape: indices among the numbers of the line, -1 for what is not there."""

    pattern: Pattern
    values: tuple[Value, ...]
    step: int = -1
    total: int = -1
    epoch: int = -1
    epochs: int = -1
    batch: int = -1
    batches: int = -1


@dataclass(frozen=True, slots=True)
class Form:
    """What to take from all lines of one key, at which characters."""

    plans: tuple[Plan, ...]
    """Best first: all but the last hold only below a header. Their indices are those of `numbers`."""
    numbers: tuple[slice, ...]
    """Of the numbers that some plan takes."""
    words: tuple[tuple[slice, str], ...]
    """Words with digits: a line that has others in their places is of another form."""
    time: int
    """Where `2024-01-31 12:00:00` begins; -1: nowhere."""
    section: str = ""
    """The split that a line without numbers names (`Running Validation...`): what follows is of it."""
    is_head: bool = False
    """It may be the head of a table."""


@dataclass(slots=True)
class Forms:
    """The forms that were met."""

    _plans: dict[str, tuple[Plan, ...]] = field(default_factory=dict)
    _forms: dict[str, Form] = field(default_factory=dict)

    def of(self, line: str, key: str) -> Form | None:
        """The form of a line, whose `key` has all digits made one (ansi.py); None for one that holds no values."""
        form = self._forms.get(key)
        if form is None:
            if len(self._forms) >= FORMS:
                self._forms.clear()
            form = self._forms[key] = self._form(line)
        for place, word in form.words:
            if line[place] != word:
                form = self._form(line)
                break
        return None if form is _NOTHING else form

    def _form(self, line: str) -> Form:
        if len(line) > LONGEST:
            return _NOTHING
        lower = line.lower()
        for word in table().near:
            if word in lower:
                break
        else:
            return _NOTHING
        pieces = NUMBER.split(line)
        if len(pieces) == 1:
            return _without_numbers(line)
        shape = MARK.join(pieces[::2])
        plans = self._plans.get(shape)
        if plans is None:
            if len(self._plans) >= FORMS:
                self._plans.clear()
            plans = self._plans[shape] = tuple(plans_of(shape))
        if not plans:
            # No pattern looks at digits within words, so that this holds for all lines of the key.
            return _NOTHING
        spans, words, at = [], [], 0
        for place, piece in enumerate(pieces):
            if place % 2:
                spans.append(slice(at, at + len(piece)))
            else:
                words += [(slice(at + m.start(), at + m.end()), m[0]) for m in _DIGITS.finditer(piece)]
            at += len(piece)
        used = sorted({index for plan in plans for index in _used(plan)})
        place_of = {index: place for place, index in enumerate(used)}
        time = TIME.search(line, 0, TIME_WITHIN)
        return Form(
            tuple(_moved(plan, place_of) for plan in plans),
            tuple(spans[index] for index in used),
            tuple(words),
            time.start() if time else -1,
        )


_NOTHING = Form((), (), (), -1)
MOST_WORDS = 4
"""Words of a line that names a split and nothing else."""


def _without_numbers(line: str) -> Form:
    words = words_of(line)
    if len(words) > 2 and words[0] in EPOCHS | STEPS:
        return Form((), (), (), -1, is_head=True)
    splits = set(splits_in(line)) if len(words) <= MOST_WORDS else set()
    return Form((), (), (), -1, section=splits.pop()) if len(splits) == 1 else _NOTHING


def words_of(text: str) -> list[str]:
    """Its words in lower case."""
    return re.findall(r"[a-z]+", text.lower())


def splits_in(text: str) -> list[str]:
    """The words of a text that name splits, as they do in tags."""
    return [word for word in words_of(text) if is_split(word)]


_COUNTERS = ("step", "total", "epoch", "epochs", "batch", "batches")


def _used(plan: Plan) -> Iterator[int]:
    yield from (place for name in _COUNTERS if (place := getattr(plan, name)) >= 0)
    for value in plan.values:
        yield value.number
        if value.over >= 0:
            yield value.over


def _moved(plan: Plan, places: Mapping[int, int]) -> Plan:
    values = tuple(
        replace(value, number=places[value.number], over=places.get(value.over, -1)) for value in plan.values
    )
    counters: dict[str, Any] = {name: places.get(getattr(plan, name), -1) for name in _COUNTERS}
    return replace(plan, values=values, **counters)


def plans_of(shape: str) -> Iterator[Plan]:
    """What may be taken from lines of a shape; a plan that holds only below a header is followed by one for the other case."""
    if MARK not in shape:
        return
    # LightGBM: `valid_1's auc: 0.9`. Numbers keep their order, which is all that is kept of places.
    shape = shape.replace("'s ", "/")
    for pattern in table().patterns:
        if pattern.need not in shape:
            continue
        plan = _plan(shape, pattern)
        if plan is not None:
            yield plan
            if not pattern.epoch_known:
                return


def _plan(shape: str, pattern: Pattern) -> Plan | None:
    found: dict[str, int] = {}
    section, rest = "", (0, len(shape))
    if pattern.match is not None:
        match = pattern.match.search(shape)
        if match is None:
            return None
        groups = match.re.groupindex
        rest = match.span("rest") if "rest" in groups else (match.end(), len(shape))
        section = match["section"] if "section" in groups else ""
        _note(match, shape, found)
    for other in pattern.also:
        match = other.search(shape)
        if match is not None:
            _note(match, shape, found)
    if pattern.kind == "header":
        return Plan(pattern, (), **found)
    if not found and pattern.match is None:
        return None
    values = tuple(_values(shape, rest, section, pattern, set(found.values())))
    return Plan(pattern, values, **found) if values else None


def _note(match: re.Match[str], shape: str, found: dict[str, int]) -> None:
    for name in match.re.groupindex:
        if name not in ("rest", "section") and match.start(name) >= 0:
            found.setdefault(name, shape.count(MARK, 0, match.start(name)))


def _values(shape: str, rest: tuple[int, int], section: str, pattern: Pattern, used: set[int]) -> Iterator[Value]:
    taken: dict[tuple[str, str], Value] = {}
    outside: list[str] = []
    behind, near = rest[0], ""
    for match in _PAIR.finditer(shape, *rest):
        key = _key(match["key"])
        over = match["over"] is not None
        spaced = match["sign"] is None
        outside.append(shape[behind : match.start()])
        behind = match.end()
        if key and _is_place(shape, match):
            # Nor does a function `train` name a split.
            continue
        # The split that was named last: `train: loss 0.5 acc 0.8 | valid: loss 0.6 acc 0.7`, `Train Loss: 0.5 Acc: 0.8 | Val Loss: …`.
        near = next(reversed(splits_in(f"{outside[-1]} {match['key']}")), near)
        if not key or over != (over and pattern.ratio) or not _is_wanted(key, spaced, pattern):
            outside.append(match["key"])
            continue
        group = "average" if pattern.average and match["average"] else "value"
        number = shape.count(MARK, 0, match.start(group))
        if number in used:
            continue
        divisor = shape.count(MARK, 0, match.start("over")) if over else -1
        unit = match["unit"] or (match["aside"] or "").strip()
        taken.setdefault((key, near), Value(key, number, divisor, _SCALE.get(unit, 1.0)))
        if len(taken) == VALUES:
            break
    outside.append(shape[behind : rest[1]])
    if not section and pattern.writer == "generic":
        section = _section(" ".join(outside))
    is_episode = pattern.writer == "generic" and _EPISODE.search(shape) is not None
    for tag, value in zip(_tags(list(taken), section, is_episode, pattern), taken.values(), strict=True):
        yield Value(tag, value.number, value.over, value.scale)


def _tags(keys: Sequence[tuple[str, str]], section: str, is_episode: bool, pattern: Pattern) -> Iterator[str]:
    """The tags of the keys of one line, each with the split that was named last before it."""
    often = Counter(key for key, _ in keys)
    has_loss = any(words_of(key)[-1:] == ["loss"] for key, _ in keys)
    several = len({near for _, near in keys if near}) > 1
    # `Validation Loss: 0.6, Accuracy: 80%`: all that the line tells is of one split.
    alone = has_loss and all(splits_in(key) for key, _ in keys if words_of(key)[-1:] == ["loss"])
    for key, near in keys:
        last = words_of(key)[-1:]
        is_near = not splits_in(key) and (often[key] > 1 or ((several or alone) and not _OF_A_SPLIT.isdisjoint(last)))
        tag = _tag(key, near if is_near else section, pattern)
        if has_loss and is_split(tag.lower()):
            # `Loss: 0.5, Train: 0.9, Val: 0.8, Test: 0.8` of PyTorch Geometric: beside a loss, a split by itself is what was scored on it.
            tag = f"{tag}_score"
        # What an episode scored is its return.
        yield f"episode/{tag}" if is_episode and last == ["score"] else tag


def _is_place(shape: str, match: re.Match[str]) -> bool:
    """Whether it is the place of a message in the source: `train.py:146]`, `__main__:train:120 - `."""
    if match["sign"] != ":":
        return False
    is_last = shape[match.end() :].lstrip()[:1] in ("-", "]", "|")
    return match["key"].lower().endswith(_SOURCES) or (is_last and shape[: match.start()].endswith(":"))


def _is_wanted(key: str, spaced: bool, pattern: Pattern) -> bool:
    if pattern.pairs == "spaced" or not (spaced or pattern.pairs == "only known"):
        return True
    name = without_digits(key.split()[-1].lower().rpartition("/")[2])
    is_known = name in table().known or name.rpartition("_")[2] in table().known
    return is_known if pattern.pairs == "only known" else pattern.pairs == "known" and name in table().known


def _key(text: str) -> str:
    """The name of a value without the words of the message around it; empty for what is no measurement."""
    words = text.split()
    for place in range(len(words) - 1, -1, -1):
        if _LEVEL.match(words[place]):
            words = words[place + 1 :]
            break
    while words and words[0].lower().strip("-./") in table().filler:
        words = words[1:]
    if not words or words[-1].lower() in table().ignored:
        return ""
    return " ".join(words).strip("-./ ")


def _tag(key: str, section: str, pattern: Pattern) -> str:
    """The key as a tag: `train loss` is `train/loss`, and a section stands before keys that name no split themselves."""
    key = pattern.rename.get(key, key)
    for beginning, prefix in pattern.prefixes:
        if key.startswith(beginning):
            return prefix + key[len(beginning) :]
    if pattern.prefix:
        return pattern.prefix + key
    first, _, others = key.partition(" ")
    if others and is_split(first.lower().rstrip(".")):
        return f"{first.rstrip('.')}/{others}"
    if not section:
        return key
    if key.startswith(f"{section}_"):
        return f"{section}/{key[len(section) + 1 :]}"
    return key if splits_in(key) else f"{section}/{key}"


def _section(text: str) -> str:
    """The split that the words around the values name, where it is one only."""
    words = {word.lower() for word in re.findall(r"(?<![\w/.-])[A-Za-z]+(?![\w/.-])", text)}
    found = [word for word in words if is_split(word)]
    return found[0] if len(found) == 1 else ""


def number(text: str) -> float:
    """A number as it is printed. Never raises for what NUMBER finds."""
    try:
        return float(text)
    except ValueError:
        return float(text.replace(",", ""))
