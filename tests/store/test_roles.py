"""Tags get the roles and labels of the table of cases; hints and overrides win over names."""

import csv
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcheck.store import roles
from mlcheck.store.roles import RoleOverride, assign, known_roles
from mlcheck.store.series import Hints

CASES = list(
    csv.DictReader(
        Path(__file__).with_name("roles_cases.tsv").read_text(encoding="utf-8").splitlines(),
        delimiter="\t",
        quoting=csv.QUOTE_NONE,
    )
)


@pytest.mark.parametrize("case", CASES, ids=[f"{c['part']}/{c['tag']} {c['kind']}" for c in CASES])
def test_case(case: dict[str, str]) -> None:
    given_to = assign(case["tag"], case["part"] or "", case["kind"] or "scalar")
    assert given_to.role == case["role"], given_to.reason
    for pair in filter(None, (case["labels"] or "").split(";")):
        key, _, value = pair.partition("=")
        assert given_to.labels.get(key, "-") == value, given_to


def test_every_role_used_is_in_the_closed_list() -> None:
    assert {case["role"] for case in CASES} <= set(known_roles())


def test_shared_cases_are_all_here() -> None:
    shared = Path(__file__).parents[3] / "shared" / "roles-cases.tsv"
    if not shared.exists():
        pytest.skip("the shared table of cases is not on this machine")
    rows = csv.DictReader(shared.read_text(encoding="utf-8").splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    ours = {(case["tag"], case["role"]) for case in CASES}
    assert [row["tag"] for row in rows if (row["tag"], row["role"]) not in ours] == []


def test_mode_of_the_file_wins_over_the_tag() -> None:
    assert assign("train/loss", hints=Hints(mode="EVAL".lower())).labels["split"] == "val"


def test_mode_gives_no_split_to_a_learning_rate() -> None:
    assert "split" not in assign("lr", hints=Hints(mode="train")).labels


def test_collection_decides_for_tensors() -> None:
    found = assign("Net_conv1.weight", kind="tensor", hints=Hints(collection="gradients"))
    assert (found.role, found.labels["layer"], found.labels["param"]) == ("gradient", "Net_conv1", "weight")


@pytest.mark.parametrize("collection", [None, "weights"])
@pytest.mark.parametrize(
    "tag",
    [
        "params/fc1.weight.grad",
        "weights/fc1.weight_grad",
        "fc1.weight.grad",
        "params.fc1.weight.grad",
        "params.fc1.weight|grad",
        "fc1.weight@grad",
        "fc1.weight grad",
        "grad|fc1.weight",
    ],
)
def test_a_gradient_that_stands_among_the_weights(tag: str, collection: str | None) -> None:
    """Its layer is that of the weight, so that the two meet."""
    found = assign(tag, kind="tensor", hints=Hints(collection=collection))
    assert (found.role, found.labels["layer"], found.labels["param"]) == ("gradient", "fc1", "weight")


@pytest.mark.parametrize("layer", ["out", "outputs", "logits", "predictions_dense", "features", "dense"])
@pytest.mark.parametrize(("prefix", "collection"), [("weights/sequential/", "weights"), ("model/", None), ("", None)])
def test_the_parameters_of_a_layer_whatever_it_is_called(layer: str, prefix: str, collection: str | None) -> None:
    found = assign(f"{prefix}{layer}/kernel", "", "tensor", Hints(collection=collection))
    assert (found.role, found.labels["param"]) == ("weight", "weight")
    assert found.labels["layer"].endswith(layer)


def test_collection_of_biases() -> None:
    found = assign("fc1", kind="tensor", hints=Hints(collection="biases"))
    assert (found.role, found.labels["param"]) == ("weight", "bias")


def test_worker_from_hint_and_from_directory() -> None:
    assert assign("loss", "rank_3").labels["worker"] == "3"
    assert assign("loss", "rank_3", hints=Hints(worker="w0")).labels["worker"] == "w0"


def test_override_wins_and_says_so() -> None:
    override = RoleOverride("my_*", "metric", {"better": "lower"})
    found = assign("my_val_thing", overrides=[override])
    assert found.role == "metric"
    assert found.labels["better"] == "lower"
    assert found.labels["split"] == "val"
    assert "my_*" in found.reason
    assert assign("other_thing", overrides=[override]).role == "other"


def test_override_by_directory() -> None:
    assert assign("x", "train", overrides=[RoleOverride("train/x", "loss")]).role == "loss"


def test_results_are_not_shared() -> None:
    assign("loss").labels["split"] = "broken"
    assert assign("loss").labels["split"] == "train"


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.sampled_from(["scalar", "tensor"]))
def test_any_text_has_a_known_role(tag: str, kind: str) -> None:
    assert assign(tag, kind=kind).role in known_roles()


def test_no_pattern_tells_long_numbers_apart() -> None:
    """What _LONG_NUMBER relies on."""
    table = roles._table()
    for pattern in (*table.scalars, *table.tensors):
        for _, regex in pattern.conditions:
            assert not re.search(r"\d{4}|\\d\{|\[[^\]]*\d[^\]]*\]\{", regex.pattern), regex.pattern


def test_tags_that_differ_in_long_numbers_keep_their_own_labels() -> None:
    found = [assign(f"val/expert_{number}_loss") for number in (7, 1234, 99999)]
    assert {one.role for one in found} == {"loss_component"}
    assert [one.labels["metric"] for one in found] == ["expert_7_loss", "expert_1234_loss", "expert_99999_loss"]
    assert "1234" in found[1].reason


def test_twenty_thousand_experts_are_looked_up_once() -> None:
    """Those of four digits or more: the patterns are tried for one of them."""
    before = roles._winner_of_alike.cache_info().misses
    for number in range(1_000, 21_000):
        assign(f"train/expert_{number}_loss")
    assert roles._winner_of_alike.cache_info().misses - before <= 1


def test_hostile_length_is_cheap() -> None:
    assert assign("loss_" * 100_000).role == "other"
