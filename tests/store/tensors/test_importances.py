"""The importance of features, dumped by hand."""

import numpy as np
import pytest

from mlcheck.store.tensors.collect import TensorCollector
from mlcheck.store.tensors.importances import MOST_FEATURES, named
from mlcheck.store.tensors.request import Request


@pytest.mark.parametrize(
    ("tag", "found"),
    [
        ("feature_importance/gain", ("gain", None)),
        ("feature_importances", ("gain", None)),
        ("model/feature_importances_", ("gain", None)),
        ("feature_importance/weight/age", ("weight", "age")),
        ("feature_importance/age", ("gain", "age")),
        ("Feature Importance/total_gain", ("total_gain", None)),
        ("importance", None),
        ("feature_importance_plot_width", None),
        ("layers.0.weight", None),
    ],
)
def test_names(tag: str, found: tuple[str, str | None] | None) -> None:
    assert named(tag) == found


def facts(collector: TensorCollector) -> dict[str, list[tuple[int, float]]]:
    return {
        one.tag: list(zip(one.steps.tolist(), one.columns["value"].tolist(), strict=True))
        for one in collector.series()
        if one.kind == "fact"
    }


def test_a_vector_has_a_value_for_each_feature() -> None:
    collector = TensorCollector(Request())
    track = collector.track("feature_importance/gain")
    assert track.needed, "its values are asked for, whatever the rules ask of tensors"
    for step in (0, 10):
        track.add(step, 5.0, np.array([1.0, step, 0.5]))
    assert facts(collector) == {
        "feature_importance/gain/f0": [(0, 1.0), (10, 1.0)],
        "feature_importance/gain/f1": [(0, 0.0), (10, 10.0)],
        "feature_importance/gain/f2": [(0, 0.5), (10, 0.5)],
    }


def test_one_value_for_each_feature() -> None:
    collector = TensorCollector(Request())
    for shape in ((), (1,), (1, 1)):
        collector.track(f"feature_importance/x{len(shape)}").add(3, 5.0, np.full(shape, 0.25))
    assert facts(collector) == {f"feature_importance/gain/x{rank}": [(3, 0.25)] for rank in (0, 1, 2)}


def test_what_is_no_list_of_features_is_none() -> None:
    collector = TensorCollector(Request())
    collector.track("feature_importances").add(0, 5.0, np.ones((3, 4)))
    collector.track("feature_importance/age").add(0, 5.0, np.ones(3))
    collector.track("feature_importance/gain").add(0, 5.0, np.ones(MOST_FEATURES + 1))
    assert facts(collector) == {}
