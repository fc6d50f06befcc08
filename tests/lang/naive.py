"""The rule language once more: plain Python, one point at a time, written from language.md and not from mlcheck.lang.

It refuses (TooClose) what depends on the last bit of a float, such as a comparison of nearly equal numbers, since sums
may be formed in another order.
"""

import ast
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

NAN = math.nan


class TooClose(Exception):
    """The answer hangs on rounding."""


@dataclass(eq=False)
class Place:
    """Steps of a series."""

    steps: list[int]
    walls: list[float]
    first: int
    last: int


@dataclass(eq=False)
class Row:
    """A series."""

    values: list
    place: Place
    better: str | None = None
    boolean: bool = False


def exact(number: float) -> bool:
    """Whether a number has few binary digits, so that arithmetic on it gave no rounding."""
    return not math.isfinite(number) or (abs(number) < 1e6 and number * 1024 == math.floor(number * 1024))


def is_boolean(value) -> bool:
    return value.boolean if isinstance(value, Row) else isinstance(value, bool)


def guard(a: float, b: float) -> None:
    near = math.isfinite(a) and math.isfinite(b) and abs(a - b) <= 1e-7 * max(1.0, abs(a), abs(b))
    if near and not (a == b and exact(a) and exact(b)):
        raise TooClose
    if (math.isfinite(a) and abs(a) > 1e12) or (math.isfinite(b) and abs(b) > 1e12):
        raise TooClose


def truth(value) -> bool:
    if isinstance(value, bool):
        return value
    guard(value, 0.0)
    return not math.isnan(value) and value != 0


def whole_number(number: float) -> int:
    guard(number - math.floor(number), 0.5)
    return round(number)


def carry(row: Row, place: Place) -> Row:
    if row.place is place:
        return row
    steps = row.place.steps
    outside = False if row.boolean else NAN
    gaps = sorted(b - a for a, b in itertools.pairwise(steps) if b > a)
    spacing = 0.0 if not gaps else (gaps[(len(gaps) - 1) // 2] + gaps[len(gaps) // 2]) / 2
    values = []
    for step in place.steps:
        found = outside
        if steps and steps[0] <= step <= steps[-1] + spacing:
            for value, at in zip(row.values, steps, strict=True):
                if at <= step:
                    found = value
        values.append(found)
    return Row(values, place, row.better, row.boolean)


def meet(a: Place, b: Place) -> Place:
    if a is b or not a.steps or not b.steps:
        return a
    low, high = max(a.steps[0], b.steps[0]), min(a.steps[-1], b.steps[-1])
    in_a, in_b = sum(low <= s <= high for s in a.steps), sum(low <= s <= high for s in b.steps)
    return b if in_a > in_b else a


def each(operation: Callable, *values, boolean: bool = False):
    """Apply at each point: align pairwise from left to right, broadcast scalars."""
    place = None
    done: list = []
    for value in values:
        if isinstance(value, Row):
            new = value.place if place is None else meet(place, value.place)
            done = [carry(v, new) if isinstance(v, Row) else v for v in done]
            place, value = new, carry(value, new)
        done.append(value)
    if place is None:
        return operation(*done)
    points = range(len(place.steps))
    values = [operation(*[v.values[i] if isinstance(v, Row) else v for v in done]) for i in points]
    return Row(values, place, boolean=boolean)


def divide(a: float, b: float) -> float:
    guard(b, 0.0)
    if b == 0:
        return NAN if a == 0 or math.isnan(a) else math.copysign(math.inf, a) * math.copysign(1.0, b)
    return a / b


def compare(op: type, a: float, b: float) -> bool:
    guard(a, b)
    table = {ast.Lt: a < b, ast.LtE: a <= b, ast.Gt: a > b, ast.GtE: a >= b, ast.Eq: a == b, ast.NotEq: a != b}
    return table[op]


def middle(values: list[float], share: float = 0.5) -> float:
    ordered = sorted(values)
    position = (len(ordered) - 1) * share
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def aggregate(name: str, values: list[float]) -> float:
    if name == "count":
        return float(len(values))
    if name == "sum":
        return math.fsum(values)
    if not values or (name == "std" and len(values) < 2):
        return NAN
    match name:
        case "first" | "last":
            return values[0 if name == "first" else -1]
        case "min" | "max":
            return min(values) if name == "min" else max(values)
        case "mean":
            return math.fsum(values) / len(values)
        case "median":
            return middle(values)
        case "std":
            mean = math.fsum(values) / len(values)
            return math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (len(values) - 1))
    raise AssertionError(name)


def noise(values: list[float]) -> float:
    if len(values) < 5:
        return NAN
    differences = [b - a for a, b in itertools.pairwise(values)]
    centre = middle(differences)
    return 1.4826 * middle([abs(d - centre) for d in differences]) / math.sqrt(2)


def finite(values: list) -> list[float]:
    return [float(v) for v in values if math.isfinite(v)]


def back(row: Row, i: int, name: str, arguments: list[float]) -> float:
    """Look-back, rolling and so-far functions at point i."""
    values, steps = row.values, row.place.steps
    if name in ("prev", "diff"):
        k = whole_number(arguments[0]) if name == "prev" else 1
        before = float(values[i - k]) if k <= i else NAN
        return before if name == "prev" else values[i] - before
    if name == "lag":
        found = NAN
        for value, step in zip(values, steps, strict=True):
            if step <= steps[i] - arguments[0]:
                found = float(value)
        return found
    if name == "lowest_so_far":
        return min(finite(values[: i + 1]), default=NAN)
    if name == "cumulative_sum":
        return math.fsum(finite(values[: i + 1]))
    n = whole_number(min(max(arguments[0], 1), len(values)))
    if name == "rolling_quantile":
        i -= i % max(1, n // 20)
    inside = finite(values[max(0, i - n + 1) : i + 1])
    if len(inside) * 2 < n:
        return NAN
    if name == "rolling_quantile":
        return middle(inside, arguments[1])
    return aggregate(name.removeprefix("rolling_"), inside)


LOOK_BACK = {"prev", "diff", "lag", "lowest_so_far", "cumulative_sum"}
LOOK_BACK |= {"rolling_mean", "rolling_median", "rolling_max", "rolling_quantile"}
POINT: dict[str, Callable] = {
    "abs": lambda x: abs(float(x)),
    "log10": lambda x: NAN if math.isnan(x) or (guard(x, 0.0) or x <= 0) else math.log10(x),
    "sqrt": lambda x: NAN if math.isnan(x) or x < 0 else math.sqrt(x),
    "minimum": lambda a, b: NAN if math.isnan(a) or math.isnan(b) else float(min(a, b)),
    "maximum": lambda a, b: NAN if math.isnan(a) or math.isnan(b) else float(max(a, b)),
    "isfinite": lambda x: math.isfinite(x),
    "where": lambda c, a, b: a if truth(c) else b,
    "only": lambda x, c: float(x) if truth(c) else NAN,
}


def progress(place: Place, i: int) -> float:
    return 0.0 if place.first == place.last else (place.steps[i] - place.first) / (place.last - place.first)


def held(x, c):
    both = each(lambda value, condition: (float(value), truth(condition)), x, c)
    if not isinstance(both, Row):
        return both[0] if both[1] else NAN
    found, values = NAN, []
    for value, condition in both.values:
        found = value if condition else found
        values.append(found)
    return Row(values, both.place)


def points_since(c):
    if not isinstance(c, Row):
        return NAN
    since, values = NAN, []
    for condition in c.values:
        since = 0.0 if truth(condition) else since + 1
        values.append(since)
    return Row(values, c.place)


class Interpreter:
    """Evaluates a tree for a scope: values by name, and member interpreters for among."""

    def __init__(self, values: dict, members: "list[Interpreter]") -> None:
        self.values = values
        self.members = members

    def run(self, node: ast.expr):
        match node:
            case ast.Constant(value=number):
                return float(number)
            case ast.Name(id=name):
                return {"nan": NAN, "inf": math.inf}.get(name, self.values.get(name))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return each(lambda c: not truth(c), self.run(operand), boolean=True)
            case ast.UnaryOp(op=op, operand=operand):
                sign = -1.0 if isinstance(op, ast.USub) else 1.0
                return each(lambda x: sign * x, self.run(operand))
            case ast.BinOp(left=left, op=op, right=right):
                table = {ast.Add: lambda a, b: 0.0 + a + b, ast.Sub: lambda a, b: 0.0 + a - b}
                table |= {ast.Mult: lambda a, b: 1.0 * a * b, ast.Div: divide}
                return each(table[type(op)], self.run(left), self.run(right))
            case ast.Compare(left=left, ops=ops, comparators=rest):
                sides = [self.run(side) for side in (left, *rest)]
                pairs = zip(ops, sides, sides[1:], strict=False)
                parts = [each(lambda a, b, op=op: compare(type(op), a, b), a, b, boolean=True) for op, a, b in pairs]
                return self.fold(all, parts)
            case ast.BoolOp(op=op, values=values):
                return self.fold(all if isinstance(op, ast.And) else any, [self.run(value) for value in values])
            case ast.Call(func=ast.Name(id=name), args=arguments):
                if name == "among":
                    return self.among(*arguments)
                return self.call(name, [self.run(argument) for argument in arguments])
        raise AssertionError(ast.dump(node))

    def fold(self, join: Callable, parts: list):
        result = each(truth, parts[0], boolean=True)
        for part in parts[1:]:
            result = each(lambda a, b: join([truth(a), truth(b)]), result, part, boolean=True)
        return result

    def call(self, name: str, arguments: list):
        x = arguments[0]
        if name in POINT:
            if name == "where" and not all(is_boolean(v) for v in arguments[1:]):
                arguments[1:] = [each(float, v) for v in arguments[1:]]
            boolean = name == "isfinite" or (name == "where" and is_boolean(arguments[1]))
            return each(POINT[name], *arguments, boolean=boolean)
        if name == "held":
            return held(*arguments)
        if name == "points_since":
            return points_since(x)
        if name in ("step", "wall_time", "progress"):
            if not isinstance(x, Row):
                return NAN
            places = {"step": lambda i: float(x.place.steps[i]), "wall_time": lambda i: x.place.walls[i]}
            places["progress"] = lambda i: progress(x.place, i)
            return Row([places[name](i) for i in range(len(x.values))], x.place)
        if name == "cost":
            if not isinstance(x, Row):
                return x
            return x if x.better == "lower" else Row([-float(v) for v in x.values], x.place, "lower")
        if name in LOOK_BACK:
            if not isinstance(x, Row):
                return NAN if name == "diff" else x
            rest = arguments[1:] or [1.0]
            if any(math.isnan(n) for n in rest):
                return Row([NAN] * len(x.values), x.place)
            if any(math.isinf(n) for n in rest):
                raise TooClose  # covered by plain tests
            return Row([back(x, i, name, rest) for i in range(len(x.values))], x.place)
        return self.whole(name, x, *arguments[1:])

    def whole(self, name: str, x, q: float = NAN):
        if not isinstance(x, Row):
            if name == "count":
                return float(math.isfinite(x))
            if name in ("std", "noise"):
                return NAN
            return 0.0 if name == "sum" and math.isnan(x) else x
        values = finite(x.values)
        if name == "noise":
            return noise(values)
        if name == "quantile":
            return middle(values, q) if values and not math.isnan(q) else NAN
        return aggregate(name, values)

    def among(self, argument: ast.expr, label: ast.expr, name: ast.Name, *rest: ast.expr):
        number = self.run(rest[0]) if rest else 0.0
        found = [member.run(argument) for member in self.members]
        if not found or math.isnan(number):
            return NAN
        rows = [Row([float(v) for v in r.values], r.place) for r in found if isinstance(r, Row)]
        if not rows:
            return self.reduce(name.id, [float(v) for v in found], number)
        place = rows[0].place
        for row in rows:
            place = row.place if len(row.place.steps) < len(place.steps) else place
        columns = []
        for value in found:
            if isinstance(value, Row):
                columns.append(carry(Row([float(v) for v in value.values], value.place), place).values)
            else:
                columns.append([float(value)] * len(place.steps))
        return Row([self.reduce(name.id, list(step), number) for step in zip(*columns, strict=True)], place)

    def reduce(self, name: str, values: list[float], number: float) -> float:
        values = [v for v in values if not math.isnan(v)]
        if name != "count" and not values:
            return NAN
        if any(math.isinf(v) for v in values) and name not in ("count", "first", "last", "min", "max"):
            raise TooClose  # covered by plain tests
        if name == "largest":
            return math.fsum(sorted(values, reverse=True)[: whole_number(min(max(number, 0), len(self.members)))])
        return aggregate(name, values)
