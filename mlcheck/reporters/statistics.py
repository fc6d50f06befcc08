"""Names of statistics as words, for captions; rules, JSON and CSV keep the names that the rule language has."""

import re
from collections.abc import Mapping

from mlcheck.reporters.text import clean

WORDS: Mapping[str, str] = {
    "abs_max": "greatest magnitude",
    "abs_mean": "mean magnitude",
    "changed": "share changed",
    "channel_constant": "constant channels",
    "channel_mean_max": "greatest mean of a channel",
    "channel_shift_max": "greatest shift of a channel",
    "channel_std_max": "greatest standard deviation of a channel",
    "channel_std_min": "least standard deviation of a channel",
    "channel_zero": "channels of zeros",
    "channels": "number of channels",
    "count": "number of values",
    "distinct": "number of different values",
    "due": "updates due",
    "equal_rows": "equal rows",
    "fan_in": "fan-in",
    "inf": "infinities",
    "l2": "Euclidean norm",
    "max": "greatest value",
    "mean": "mean",
    "min": "least value",
    "nan": "NaN values",
    "nonfinite": "NaN and infinities",
    "nonfinite_share": "share of NaN and infinities",
    "samples": "number of samples",
    "share_equal": "share equal",
    "std": "standard deviation",
    "units_outside": "share of units outside",
    "update_l2": "Euclidean norm of the update",
    "update_ratio": "update relative to the weight",
    "whole": "share of whole numbers",
    "zeros": "zeros",
}
"""Those whose name is no word, or says too little."""
_NAME = re.compile(r"[a-z_0-9]+")
_CALL = re.compile(r"([a-z_0-9]+)\(([^()]*)\)")


def in_words(statistic: str) -> str:
    """`mean magnitude` for `abs_mean`, `95 % quantile` for `quantile(0.95)`; others with spaces for underscores. Safe text."""
    call = _CALL.fullmatch(statistic)
    name, arguments = (call[1], call[2]) if call else (statistic, "")
    if name == "quantile":
        return _quantile(arguments)
    return WORDS.get(name) or clean(statistic.replace("_", " ") if _NAME.fullmatch(statistic) else statistic)


def _quantile(argument: str) -> str:
    try:
        share = float(argument)
    except ValueError:
        return "quantile"
    return "median" if share == 0.5 else f"{share * 100:g} % quantile"


def title_in_words(title: str, statistic: str) -> str:
    """A title such as `abs_mean of gradients` with its statistic in words; as it is where it does not begin with that."""
    begin = f"{statistic} of "
    return f"{in_words(statistic)} of {title.removeprefix(begin)}" if title.startswith(begin) else title
