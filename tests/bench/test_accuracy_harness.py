"""The harness of the labelled bench: labels beside runs, what is trained again, what is left after a failure."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bench.accuracy import harness
from bench.accuracy.harness import NotAsPlannedError, Recipe, require, train

BUILT: list[int] = []


def write_a_row(run: Path, seed: int) -> None:
    BUILT.append(seed)
    (run / "log.jsonl").write_text(json.dumps({"step": 0, "train/loss": 1.0}))


def does_not_learn(run: Path, seed: int) -> None:
    write_a_row(run, seed)
    require(False, "accuracy 0.1, asked for 0.9")


RECIPE = Recipe("a-fault", "learning-rate-too-high", "development", write_a_row, ("loss-divergence",), since=3)


@pytest.fixture(autouse=True)
def _no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "begin", lambda seed: None)
    BUILT.clear()


def test_label_lies_beside_the_run_and_says_what_was_planted(tmp_path: Path) -> None:
    run = train(RECIPE, 2, tmp_path)
    assert run == tmp_path / "development" / "a-fault" / "2"
    assert [one.name for one in run.iterdir()] == ["log.jsonl"]
    label = json.loads((run.parent / "2.label.json").read_text())
    del label["code"]
    assert label == {
        "recipe": "a-fault",
        "kind": "learning-rate-too-high",
        "half": "development",
        "seed": 2,
        "expects": ["loss-divergence"],
        "since": 3,
        "layer": None,
        "scalars_only": True,
        "framework": "torch",
        "logger": "",
    }


def test_trained_once_for_the_same_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(RECIPE, 0, tmp_path)
    train(RECIPE, 0, tmp_path)
    train(RECIPE, 1, tmp_path)
    assert BUILT == [0, 1]
    monkeypatch.setattr(harness, "code_hash", lambda recipe: "other")
    train(RECIPE, 0, tmp_path)
    assert BUILT == [0, 1, 0]


def test_nothing_is_left_of_what_did_not_turn_out_as_planned(tmp_path: Path) -> None:
    train(RECIPE, 0, tmp_path)
    label = tmp_path / "development" / "a-fault" / "0.label.json"
    label.write_text("{}")
    with pytest.raises(NotAsPlannedError, match=r"accuracy 0\.1"):
        train(replace(RECIPE, build=does_not_learn), 0, tmp_path)
    assert not label.exists()
    assert not (label.parent / "0").exists()


def test_hash_goes_by_what_a_module_imports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(harness, "HERE", tmp_path)
    (tmp_path / "one.py").write_text("from bench.accuracy import two\nfrom bench.accuracy.harness import Recipe\n")
    (tmp_path / "two.py").write_text("from bench.accuracy.three import x\n")
    for name in ("three", "four", "harness"):
        (tmp_path / f"{name}.py").write_text("")
    found = harness._with_imports.__wrapped__(tmp_path / "one.py")
    assert {path.name for path in found} == {"one.py", "two.py", "three.py"}


@pytest.mark.parametrize(
    ("kind", "expects", "half", "says"),
    [("healthy", ("overfit",), "development", "names none"), ("overfit", (), "development", "names the rules")],
)
def test_a_fault_names_rules_and_a_healthy_run_does_not(
    kind: str, expects: tuple[str, ...], half: str, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        Recipe("x", kind, half, write_a_row, expects)


def test_a_recipe_is_in_one_of_two_halves() -> None:
    with pytest.raises(ValueError, match="'both' is none of development, seen, held-out"):
        Recipe("x", "healthy", "both", write_a_row)
