"""The importance of features, dumped by hand."""

import numpy as np
import pytest

from mlcheck.store.roles import RoleOverride
from mlcheck.store.tensors.collect import TensorCollector
from mlcheck.store.tensors.importances import MOST_FEATURES
from mlcheck.store.tensors.request import Request


def facts(collector: TensorCollector) -> dict[str, list[tuple[int, float]]]:
    return {
        one.tag: list(zip(one.steps.tolist(), one.columns["value"].tolist(), strict=True))
        for one in collector.series()
        if one.kind == "fact"
    }


@pytest.mark.parametrize("tag", ["feature_importance/gain", "model/feature_importances_", "Feature Importance"])
def test_a_vector_has_a_value_for_each_feature(tag: str) -> None:
    collector = TensorCollector(Request())
    track = collector.track(tag)
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
        collector.track(f"feature_importance/weight/x{len(shape)}").add(3, 5.0, np.full(shape, 0.25))
    assert facts(collector) == {f"feature_importance/weight/x{rank}": [(3, 0.25)] for rank in (0, 1, 2)}


def test_the_word_of_the_user_counts() -> None:
    collector = TensorCollector(Request(overrides=(RoleOverride("imp/*", "feature_importance", {}),)))
    collector.track("imp/age").add(0, 5.0, np.array([0.75]))
    assert facts(collector) == {"feature_importance/gain/age": [(0, 0.75)]}


@pytest.mark.parametrize(
    ("tag", "shape"),
    [
        ("feature_importances", (3, 4)),
        ("feature_importance/age", (3,)),
        ("feature_importance/gain", (MOST_FEATURES + 1,)),
        ("importance", (3,)),
        ("feature_importance_plot", (3,)),
    ],
)
def test_what_is_no_list_of_features_is_none(tag: str, shape: tuple[int, ...]) -> None:
    collector = TensorCollector(Request())
    collector.track(tag).add(0, 5.0, np.ones(shape))
    assert facts(collector) == {}
