"""Run facts are drawn from what files state, never guessed."""

from pathlib import Path

import pytest

from mlcheck.store.facts import facts_from_yaml, run_facts
from mlcheck.store.series import Fact


def facts(**stated: str | float | bool) -> dict[str, str | float | bool]:
    return run_facts([Fact(key, value, "args/text_summary") for key, value in stated.items()], [])


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"max_steps": 500.0}, {"planned_steps": 500.0}),
        ({"max_steps": -1.0, "num_train_epochs": 3.0}, {"planned_epochs": 3.0}),
        ({"learning_rate": "3e-4"}, {"learning_rate": 3e-4}),
        ({"learning-rate": 0.1}, {"learning_rate": 0.1}),
        ({"optimizer/lr": 0.1}, {"learning_rate": 0.1}),
        ({"generator/lr": 0.1, "discriminator/lr": 0.2}, {}),
        ({"lr": 0.1, "learning_rate": 0.1}, {"learning_rate": 0.1}),
        ({"eval/batch_size": 8.0, "train/batch_size": 32.0}, {"batch_size": 32.0}),
        ({"max_grad_norm": 0.0}, {}),
        ({"gradient_clip_val": 1.0}, {"max_grad_norm": 1.0}),
        ({"warmup_steps": 0.0, "warmup_ratio": 0.1}, {"warmup": "0.1 of the run"}),
        ({"warmup_steps": 0.0, "warmup_ratio": 0.0}, {"warmup": "none"}),
        ({"warmup_steps": 100.0}, {"warmup": "100 steps"}),
        ({"lr_scheduler_type": "Linear"}, {"schedule": "linear"}),
        ({"lr_scheduler_type": "none"}, {}),
        ({"fp16": False, "bf16": True}, {"precision": "bf16"}),
        ({"fp16": False, "bf16": False}, {}),
        ({"precision": 16.0}, {"precision": "16"}),
        ({"load_best_model_at_end": True}, {"load_best": True}),
        ({"lora_r": 8.0}, {"frozen_or_lora": True}),
        ({"freeze": "None"}, {"frozen_or_lora": False}),
        ({"seed": 0.0}, {"seed": 0.0}),
        ({"patience": 10.0}, {}),
        ({"patience": 10.0, "close_mosaic": 10.0}, {"early_stop_patience": 10.0}),
        ({"num_classes": True}, {}),
        ({"num_classes": "ten"}, {}),
        ({"n_epochs": 10.0}, {}),
        ({}, {}),
    ],
)
def test_facts(stated: dict[str, str | float | bool], expected: dict[str, str | float | bool]) -> None:
    assert facts(**stated) == expected


def test_sources_that_contradict_each_other_make_a_fact_unknown() -> None:
    assert run_facts([Fact("lr", 0.1, "a"), Fact("lr", 0.2, "b")], []) == {}


def test_beside_holds_within_one_source_only() -> None:
    assert run_facts([Fact("patience", 9.0, "a"), Fact("close_mosaic", 10.0, "b")], []) == {}


def test_yaml(tmp_path: Path) -> None:
    path = tmp_path / "hparams.yaml"
    path.write_text("lr: 1e-3\nmodel: {name: resnet, layers: [1, 2]}\nseed: {desc: null, value: 7}\nflag: true\n")
    assert facts_from_yaml(path) == [
        Fact("lr", 1e-3, "hparams.yaml"),
        Fact("model/name", "resnet", "hparams.yaml"),
        Fact("seed", 7.0, "hparams.yaml"),
        Fact("flag", True, "hparams.yaml"),
    ]


@pytest.mark.parametrize(
    "text",
    ["", "- a\n- b\n", "a: [1\n", "a: !!python/object:os.system {}\n", "\x00", "x: " + "a" * 1_000_001],
    ids=["empty", "list", "broken", "object", "binary", "large"],
)
def test_yaml_that_says_nothing(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    assert facts_from_yaml(path) == []


def test_yaml_that_multiplies_itself_is_bounded(tmp_path: Path) -> None:
    lines = ["a0: &a0 {x: 1, y: 2}"]
    lines += [f"a{i}: &a{i} {{" + ", ".join(f"k{j}: *a{i - 1}" for j in range(9)) + "}" for i in range(1, 12)]
    path = tmp_path / "config.yaml"
    path.write_text("\n".join(lines))
    assert len(facts_from_yaml(path)) <= 2000
