"""Flip metrics of an update from counts: what was right before and is wrong now, and the other way.

                  new right        new wrong
    old right     both_right       negative_flips
    old wrong     positive_flips   both_wrong

Sources: Yan et al., Positive-Congruent Training, CVPR 2021 (NFR, Eq. 11); Cai et al. 2022 (flip impact); Bansal et al. 2019 and Srivastava
et al. 2020 (trust and error compatibility); Milani Fard et al. 2016 (churn, wins and losses).
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlcheck.records import dataclass

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CELLS = ("both_right", "negative_flips", "positive_flips", "both_wrong")

REASONS: Mapping[str, str] = {
    "relative_negative_flip_rate": "the old model is never right, or the new one is never wrong",
    "negative_flip_impact": "the new model makes no error",
    "positive_flip_impact": "the new model is never right",
    "backward_trust_compatibility": "the old model is never right",
    "backward_error_compatibility": "the new model makes no error",
    "old_error_retention": "the old model makes no error",
    "win_loss_ratio": "there is neither a win nor a loss",
}
"""Why a statistic has no value: its denominator is empty."""


@dataclass(frozen=True)
class FlipCounts:
    """Examples by whether each model is right; whole numbers, or sums of weights."""

    both_right: float
    negative_flips: float
    """The old model is right, the new one wrong."""
    positive_flips: float
    """The old model is wrong, the new one right."""
    both_wrong: float

    @property
    def examples(self) -> float:
        """All of them."""
        return self.both_right + self.negative_flips + self.positive_flips + self.both_wrong


def rates(counts: FlipCounts) -> tuple[dict[str, float], dict[str, str]]:
    """All statistics of the counts that have a value, and the reasons of those that have none. See `rates_of_sums`."""
    import numpy as np

    if counts.examples == 0:
        return {}, dict.fromkeys(rates_of_sums(np.ones((1, 4))), "there are no examples")
    sums = np.array([[counts.both_right, counts.negative_flips, counts.positive_flips, counts.both_wrong]])
    values = {name: float(column[0]) for name, column in rates_of_sums(sums).items()}
    return (
        {name: value for name, value in values.items() if not np.isnan(value)},
        {name: REASONS[name] for name, value in values.items() if np.isnan(value)},
    )


def rates_of_sums(sums: "NDArray[np.float64]") -> "dict[str, NDArray[np.float64]]":
    """Statistics of many tables at once. sums: shape (n, 4) in the order of CELLS. Each of shape (n,); NaN where the denominator is 0.

    With n11, n10, n01, n00 for the cells and N for their sum:

    - error_rate_old (n01 + n00) / N, error_rate_new (n10 + n00) / N
    - negative_flip_rate n10 / N, positive_flip_rate n01 / N
    - accuracy_change (n01 - n10) / N
    - relative_negative_flip_rate = negative_flip_rate / ((1 - error_rate_old) * error_rate_new), Yan et al., Eq. 11;
      1 where the new errors do not depend on whether the old model was right
    - negative_flip_impact n10 / (n10 + n00): of the new errors; positive_flip_impact n01 / (n11 + n01): of what is right now
    - backward_trust_compatibility n11 / (n11 + n10): of what was right before
    - backward_error_compatibility n00 / (n10 + n00): of the new errors
    - old_error_retention n00 / (n01 + n00): of the old errors (what Microsoft's BackwardCompatibilityML calls error compatibility)
    - win_loss_ratio n01 / n10, infinite where nothing is lost
    - avoidable_negative_flip_rate = negative_flip_rate - max(0, error_rate_new - error_rate_old)
    """
    import numpy as np

    both_right, negative, positive, both_wrong = (sums[..., place] for place in range(4))
    n = both_right + negative + positive + both_wrong
    with np.errstate(divide="ignore", invalid="ignore"):
        old_right, new_wrong = both_right + negative, negative + both_wrong
        return {
            "error_rate_old": (positive + both_wrong) / n,
            "error_rate_new": new_wrong / n,
            "negative_flip_rate": negative / n,
            "positive_flip_rate": positive / n,
            "accuracy_change": (positive - negative) / n,
            "relative_negative_flip_rate": _ratio(negative * n, old_right * new_wrong),
            "negative_flip_impact": _ratio(negative, new_wrong),
            "positive_flip_impact": _ratio(positive, both_right + positive),
            "backward_trust_compatibility": _ratio(both_right, old_right),
            "backward_error_compatibility": _ratio(both_wrong, new_wrong),
            "old_error_retention": _ratio(both_wrong, positive + both_wrong),
            "win_loss_ratio": np.where((negative == 0) & (positive == 0), np.nan, positive / negative),
            "avoidable_negative_flip_rate": negative / n - np.maximum(0.0, negative - positive) / n,
        }


def _ratio(numerator: "NDArray[np.float64]", denominator: "NDArray[np.float64]") -> "NDArray[np.float64]":
    import numpy as np

    return np.where(denominator > 0, numerator / denominator, np.nan)
