"""Lines as people print them, each in a form of their own, and what is no log at all."""

from math import nan
from pathlib import Path

import pytest

from mlcheck.store.roles import assign
from tests.importers.console.logs import claims, of, write

GENERIC = {
    "Epoch [{e}/3], Step [{s}/600], Loss: {v}": ("Loss", True),
    "epoch={e} step={s} loss={v}": ("loss", True),
    "INFO:root:Epoch: {e} | Iter: {s}/600 | Train Loss: {v} | lr 1e-04": ("Train/Loss", True),
    "[Epoch {e}] [Batch {s}/600] [D loss: {v}]": ("D loss", True),
    "2024-01-01 10:00:00,123 - INFO - epoch {e}, step {s}: train loss {v}": ("train/loss", True),
    '{{"epoch": {e}, "step": {s}, "loss": {v}}}': ("loss", True),
    "Epoch {e} - loss: {v} - done": ("loss", False),
    "Epoch {e}: train_loss={v}, val_loss=0.5": ("train_loss", False),
    "[train] epoch {e} loss {v}": ("train/loss", False),
    "Epoch {e} [val] loss: {v}": ("val/loss", False),
    "Finished epoch {e} with loss: {v}": ("loss", False),
    "Pass {e}/3 | ll: 0.3 | ll_oot: 0.4 | acc: {v}": ("acc", False),
    "ts=2026-11-22T09:45:27Z level=info epoch={e} l1_eur_train={v} l1_eur_val=0.5": ("l1_eur_train", False),
    "[rank0]: epoch {e} loss: tensor({v}, device='cuda:0', grad_fn=<MeanBackward0>)": ("loss", False),
}


@pytest.mark.parametrize(("form", "tag", "steps"), [(form, *rest) for form, rest in GENERIC.items()])
def test_lines_of_anybody(tmp_path: Path, form: str, tag: str, steps: bool) -> None:
    wanted, text = [], ""
    for epoch in (1, 2, 3):
        for step in (300, 600) if steps else (0,):
            value = round(3 - epoch / 2 + step / 1000, 4)
            text += form.format(e=epoch, s=step, v=value) + "\n"
            wanted.append((600 * (epoch - 1) + step if steps else epoch, value))
    if '"step"' in form or form.startswith("epoch="):
        # No length of an epoch is printed: the largest step stands for it.
        assert [step for step, _ in wanted] == [300, 600, 900, 1200, 1500, 1800]
    found = of(tmp_path, text)
    assert found[tag] == wanted


def test_a_date_is_no_value(tmp_path: Path) -> None:
    text = "".join(f"ts=2026-11-22T09:45:2{n}Z epoch={n} loss={3 - n / 4}\n" for n in range(1, 6))
    assert set(of(tmp_path, text)) == {"loss"}


def test_lightgbm_with_names_of_sets(tmp_path: Path) -> None:
    text = "".join(f"[LightGBM] [Info] [{n}]\tassay's l2: {9 / n}\tassay_blind's l2: {9.5 / n}\n" for n in range(1, 6))
    assert claims(write(tmp_path, text))
    assert set(of(tmp_path, text)) == {"assay/l2", "assay_blind/l2"}


def test_steps_that_go_on_by_themselves_are_kept(tmp_path: Path) -> None:
    text = "".join(f"epoch: {1 + n // 5} step: {n * 100} loss: 0.{n}\n" for n in range(1, 10))
    assert [step for step, _ in of(tmp_path, text)["loss"]] == [n * 100 for n in range(1, 10)]


def test_a_key_of_which_there_are_less_than_three_is_no_series(tmp_path: Path) -> None:
    text = "".join(f"step {n}: loss=0.{n}\n" for n in (1, 2, 3)) + "step 3: took=5.1\n"
    assert set(of(tmp_path, text)) == {"loss"}


def test_numbers_as_people_print_them(tmp_path: Path) -> None:
    values = ["1,234.5", "-0.5", "+3", "1e-05", "nan", "-inf", ".25"]
    text = "".join(f"step {n}: loss={value}\n" for n, value in enumerate(values))
    found = [value for _, value in of(tmp_path, text)["loss"]]
    assert found == pytest.approx([1234.5, -0.5, 3.0, 1e-05, nan, float("-inf"), 0.25], nan_ok=True)


@pytest.mark.parametrize(
    ("tag", "role", "split"),
    [
        ("train/loss", "loss", "train"),
        ("val/loss", "loss", "val"),
        ("eval/Loss", "loss", "val"),
        ("train/Loss", "loss", "train"),
        ("valid/loss", "loss", "val"),
        ("test/Average loss", "loss", "test"),
        ("eval/Acc@1", "metric", "val"),
        ("train/LR", "lr", None),
        ("train/grad_norm", "grad_norm", None),
        ("lm loss", "loss", "train"),
        ("validation/lm loss", "loss", "val"),
        ("Val/Acc", "metric", "val"),
    ],
)
def test_the_store_knows_the_tags(tag: str, role: str, split: str | None) -> None:
    found = assign(tag, "", "scalar")
    assert (found.role, found.labels.get("split")) == (role, split)


NO_LOGS = {
    "README.txt": "Usage\n  step 1: install torch==2.1\n  step 2: run with lr=0.1\n  step 3: expect loss=0.3\n",
    "requirements.txt": "torch==2.1.0\nnumpy>=1.26\ntqdm==4.66\n",
    "args.txt": "epochs: 100\nlr: 0.1\nbatch_size: 32\nloss: ce\nsteps: 1000\n",
    "code.txt": 'for epoch in range(10):\n    loss = step(0.1)\n    print(f"epoch {epoch} loss={loss:.4f}")\n' * 5,
    "notes.txt": "the batch of 3 steps took loss 0.5 of my time\n" * 10,
    "sizes.txt": "step=3 width=10 height=20\nstep=4 width=10 height=21\nstep=5 width=11 height=21\n",
    "labels.txt": "0 cat 0.1\n1 dog 0.2\n2 cow 0.3\n",
    "server.log": "2024-01-01 10:00:00 GET /step/3 200 12ms\n" * 20,
    "one.log": "step 1: loss=0.5\nstep 2: loss=0.4\n",
    "binary.out": "\x7fELF\x02\x01\x01\x00\x00step 1: loss=1\nstep 2: loss=2\nstep 3: loss=3\n",
}


@pytest.mark.parametrize("name", NO_LOGS)
def test_what_is_no_log_of_a_training(tmp_path: Path, name: str) -> None:
    assert not claims(write(tmp_path, NO_LOGS[name], name))


@pytest.mark.parametrize(
    "name", ["train.log", "nohup.out", "slurm-123.out", "job.o123.txt", "stdout", "log.txt", "x.err", "slurm-9_1"]
)
def test_names_of_logs(tmp_path: Path, name: str) -> None:
    text = "".join(f"step {n}: loss=0.{n}\n" for n in (1, 2, 3))
    assert claims(write(tmp_path, text, name))
    assert not claims(write(tmp_path, text, "train.py"))
    assert not claims(write(tmp_path, text, "README.md"))


def test_keys_of_two_splits_in_one_line(tmp_path: Path) -> None:
    text = "".join(
        f"Epoch {n} - train: loss=0.{9 - n} acc=0.{n} | valid: loss=0.{8 - n} acc=0.{n}5 lr=0.1\n" for n in (1, 2, 3)
    )
    found = of(tmp_path, text)
    assert found["train/loss"] == [(1, 0.8), (2, 0.7), (3, 0.6)]
    assert found["valid/acc"] == [(1, 0.15), (2, 0.25), (3, 0.35)]
    assert found["lr"] == [(1, 0.1), (2, 0.1), (3, 0.1)]


def test_keys_behind_the_loss_of_a_split(tmp_path: Path) -> None:
    text = "".join(
        f"Epoch {n}: Train Loss: 0.{9 - n} Acc: 0.{n} Val Loss: 0.{8 - n} Acc: 0.{n}5 Time: 3s\n" for n in (1, 2, 3)
    )
    found = of(tmp_path, text)
    assert found["Train/Loss"] == [(1, 0.8), (2, 0.7), (3, 0.6)]
    assert found["val/Acc"] == [(1, 0.15), (2, 0.25), (3, 0.35)]
    assert found["train/Acc"] == [(1, 0.1), (2, 0.2), (3, 0.3)]
    assert found["Time"] == [(1, 3.0), (2, 3.0), (3, 3.0)]


def test_a_dictionary_that_begins_with_the_epoch_is_not_that_of_a_trainer(tmp_path: Path) -> None:
    text = "".join(f"{{'epoch': {n}, 'train_loss': 0.{9 - n}, 'val_loss': 0.5}}\n" for n in (1, 2, 3))
    assert of(tmp_path, text)["train_loss"] == [(1, 0.8), (2, 0.7), (3, 0.6)]


def test_the_score_of_an_episode_is_its_return(tmp_path: Path) -> None:
    text = "".join(f"Episode {n}0/500, Score: {n}, Average Score: {n}.5\n" for n in (1, 2, 3))
    found = of(tmp_path, text)
    assert found["episode/Score"] == [(10, 1.0), (20, 2.0), (30, 3.0)]
    assert {assign(tag).role for tag in found} == {"episode_reward"}


def test_a_split_beside_a_loss_is_what_was_scored_on_it(tmp_path: Path) -> None:
    text = "".join(f"Epoch: 00{n}, Loss: 1.{n}, Train: 0.{n}, Val: 0.{n}1, Test: 0.{n}2\n" for n in (1, 2, 3))
    found = of(tmp_path, text)
    assert found["Val_score"] == [(1, 0.11), (2, 0.21), (3, 0.31)]
    assert {assign(tag).role for tag in ("Train_score", "Val_score", "Test_score")} == {"metric"}


@pytest.mark.parametrize(
    "head", ["I0612 10:01:11 140123 train.py:146] ", "2026-11-22 05:00:00.1 | INFO     | __main__:train:120 - "]
)
def test_the_place_of_a_message_in_the_source_is_no_value(tmp_path: Path, head: str) -> None:
    text = "".join(f"{head}epoch:  {n}, train_loss: 0.{n}\n" for n in (1, 2, 3))
    assert set(of(tmp_path, text)) == {"train_loss"}


def test_an_epoch_named_behind_the_head_of_a_message(tmp_path: Path) -> None:
    text = "".join(
        f"2021-02-01 10:00:11,123 - INFO - allennlp.training.trainer - Epoch {n}/3\naccuracy: 0.{n}, loss: 0.{9 - n}\n"
        for n in (0, 1, 2)
    )
    assert of(tmp_path, text)["loss"] == [(0, 0.9), (1, 0.8), (2, 0.7)]


def test_a_line_below_one_that_names_the_epoch_is_of_it(tmp_path: Path) -> None:
    text = "".join(
        f"Epoch {n}/3, Train Loss: 2.{n}\nValidation Loss: 3.{n}, Accuracy: 5{n}%\nSaved to best.pt\n"
        for n in (1, 2, 3)
    )
    found = of(tmp_path, text)
    assert found["Train/Loss"] == [(1, 2.1), (2, 2.2), (3, 2.3)]
    assert found["Validation/Loss"] == [(1, 3.1), (2, 3.2), (3, 3.3)]
    assert found["validation/Accuracy"] == [(1, 51.0), (2, 52.0), (3, 53.0)]


def test_lines_before_any_that_names_a_step_or_an_epoch_are_of_none(tmp_path: Path) -> None:
    text = "".join(f"loss 0.{n}\n" for n in (7, 8, 9)) + "".join(f"step {n} loss 1.{n}\n" for n in (1, 2, 3))
    assert of(tmp_path, text)["loss"] == [(1, 1.1), (2, 1.2), (3, 1.3)]


def test_an_accuracy_beside_losses_of_several_kinds_keeps_its_name(tmp_path: Path) -> None:
    text = "".join(f"epoch {n} loss 0.{n} val_loss 1.{n} acc 0.9{n}\n" for n in (1, 2, 3))
    assert set(of(tmp_path, text)) == {"loss", "val_loss", "acc"}


def test_times_of_twelve_hours(tmp_path: Path) -> None:
    text = "".join(f"05/01 10:00:0{n} AM epoch {n} lr 2.5e-02\n05/01 10:00:09 PM train_acc 9{n}.5\n" for n in (1, 2, 3))
    assert of(tmp_path, text)["train_acc"] == [(1, 91.5), (2, 92.5), (3, 93.5)]


@pytest.mark.parametrize(
    ("values", "name"), [((2.3, 1.2, 0.9), "/loss"), ((0.3, 0.5, 0.6), "_score"), ((0.5, 0.3, float("nan")), "/loss")]
)
def test_what_is_called_by_its_split_alone(tmp_path: Path, values: tuple[float, ...], name: str) -> None:
    text = "".join(f"epoch {n} train={value} dev={value}\n" for n, value in enumerate(values, 1))
    assert set(of(tmp_path, text)) == {f"train{name}", f"dev{name}"}


def test_short_words_of_splits_alone(tmp_path: Path) -> None:
    text = "".join(f">> ep {n:03d} | tr 2.{n} | va 3.{n} | acc 5{n}.0%\n" for n in (1, 2, 3))
    assert of(tmp_path, text) == {
        "train/loss": [(1, 2.1), (2, 2.2), (3, 2.3)],
        "val/loss": [(1, 3.1), (2, 3.2), (3, 3.3)],
        "acc": [(1, 51.0), (2, 52.0), (3, 53.0)],
    }


def test_short_and_long_words_of_one_split_keep_their_names(tmp_path: Path) -> None:
    text = "".join(f"ep {n} acc=0.5 tr=2.{n} val=3.{n} va=4.{n}\n" for n in (1, 2, 3))
    assert set(of(tmp_path, text)) == {"acc", "tr", "val", "va"}


def test_an_unknown_name_beside_its_validation(tmp_path: Path) -> None:
    text = "".join(f"epoch {n} zeta=2.{n} val_zeta=3.{n}\n" for n in range(1, 9))
    assert set(of(tmp_path, text)) == {"zeta", "val_zeta"}
    assert not claims(write(tmp_path, text.replace("val_zeta", "theta")))


def test_a_line_that_begins_with_it(tmp_path: Path) -> None:
    text = "".join(f"it {n}  xent=2.{n}  lr=5.00e-02\n" for n in (10, 20, 30, 40))
    assert of(tmp_path, text)["xent"] == [(10, 2.10), (20, 2.20), (30, 2.30), (40, 2.40)]
