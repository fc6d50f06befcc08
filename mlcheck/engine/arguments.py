"""The statistics that inputs ask for, as keys: `stat: quantile(share)` is asked for as `quantile(0.95)`."""

from collections.abc import Hashable, Mapping, MutableMapping, Sequence

from mlcheck.engine.rule import Statistic
from mlcheck.lang.evaluate import Evaluator
from mlcheck.lang.lets import make_lets
from mlcheck.lang.values import Column, Scope, Value

Params = Mapping[str, float | bool | str]


def statistic_key(statistic: Statistic, params: Params) -> str:
    """The column that holds a statistic: its name, with its arguments put in as numbers: `quantile(0.95)`."""
    if not statistic.arguments:
        return statistic.name
    evaluator = Evaluator(make_lets({}), _Parameters(params))
    values = [evaluator.evaluate(argument) for argument in statistic.arguments]
    # Twelve digits: 16.99999 is not 17, and 1 - 0.05 is 0.95.
    return f"{statistic.name}({','.join(f'{_number(value):.12g}' for value in values)})"


def _number(value: Value) -> float:
    assert not isinstance(value, Column)
    return float(value)


class _Parameters:
    """The names in an argument: the parameters of the rule and nothing else."""

    def __init__(self, params: Params) -> None:
        self.params = params

    def lookup(self, name: str) -> Value:
        """See `lang.values.Scope`; text is NaN."""
        value = self.params[name]
        return float("nan") if isinstance(value, str) else value

    def over(self, names: frozenset[str], label: str) -> Sequence[Scope]:
        """No series, so no members."""
        return ()

    def group(self, names: frozenset[str], label: str) -> Hashable | None:
        """Nothing is shared."""
        return None

    def is_common(self, name: str) -> bool:
        """Parameters are."""
        return True

    @property
    def shared(self) -> MutableMapping[Hashable, Value]:
        """Nothing is shared."""
        return {}
