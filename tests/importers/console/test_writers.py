"""The forms in which the popular writers print, from their documentation and source."""

from math import isnan
from pathlib import Path

import pytest

from tests.importers.console.logs import axes, facts, of, points, read, walls, write


def test_nanogpt(tmp_path: Path) -> None:
    text = (
        "tokens per iteration will be: 491,520\n"
        "number of parameters: 123.59M\n"
        "step 0: train loss 10.9885, val loss 10.9889\n"
        "iter 0: loss 10.9883, time 57183.32ms, mfu -100.00%\n"
        "iter 10: loss 9.5001, time 301.11ms, mfu 10.20%\n"
        "iter 20: loss 8.2502, time 299.50ms, mfu 10.25%\n"
        "step 20: train loss 8.1, val loss 8.3\n"
        "saving checkpoint to out\n"
    )
    found = of(tmp_path, text)
    assert found["loss"] == [(0, 10.9883), (10, 9.5001), (20, 8.2502)]
    assert dict(found["time"]) == pytest.approx({0: 57.18332, 10: 0.30111, 20: 0.2995})
    assert found["mfu"] == [(0, -100.0), (10, 10.2), (20, 10.25)]
    assert found["train/loss"] == [(0, 10.9885), (20, 8.1)]
    assert found["val/loss"] == [(0, 10.9889), (20, 8.3)]


KERAS = [("0.6931", "0.5000", "0.6800", "0.5100"), ("0.5", "0.7", "0.55", "0.65"), ("4.0e-01", "0.8", "nan", "0.7")]


def keras_lines(end: str, between: str) -> str:
    text = ""
    for number, (loss, accuracy, val_loss, val_accuracy) in enumerate(KERAS, 1):
        text += f"Epoch {number}/3\n"
        for batch in (1, 50, 99):
            text += f" {batch}/100 [==>....] - ETA: {batch}s - loss: 9.9{batch} - accuracy: 0.1{batch}{between}"
        text += f"100/100 [=======] - 3s 30ms/step - loss: {loss} - accuracy: {accuracy}{between}"
        text += (
            f"100/100 [=======] - 4s 35ms/step - loss: {loss} - accuracy: {accuracy} - val_loss: {val_loss}"
            f" - val_accuracy: {val_accuracy}{end}"
        )
    return text


@pytest.mark.parametrize("between", ["\n", "\r", "\b" * 60], ids=["lines", "carriage returns", "backspaces"])
def test_keras_progress_is_one_point_an_epoch(tmp_path: Path, between: str) -> None:
    found = of(tmp_path, keras_lines("\n", between))
    assert found["loss"] == [(1, 0.6931), (2, 0.5), (3, 0.4)]
    assert found["accuracy"] == [(1, 0.5), (2, 0.7), (3, 0.8)]
    assert found["val_accuracy"] == [(1, 0.51), (2, 0.65), (3, 0.7)]
    assert [step for step, _ in found["val_loss"]] == [1, 2, 3]
    assert isnan(found["val_loss"][2][1])
    assert set(found) == {"loss", "accuracy", "val_loss", "val_accuracy"}


def test_keras_counts_epochs_and_says_how_many(tmp_path: Path) -> None:
    imported = read(write(tmp_path, keras_lines("\n", "\r")))
    assert axes(imported) == {"epoch"}
    assert facts(imported)["epochs"].value == 3.0


def test_keras_3_in_colour(tmp_path: Path) -> None:
    text = ""
    for epoch in (1, 2, 3, 4):
        text += (
            f"Epoch {epoch}/4\n\r\x1b[1m  1/938\x1b[0m \x1b[37m━━━━\x1b[0m \x1b[1m2:30\x1b[0m 161ms/step - loss: 2.4"
        )
        text += (
            f"\r\x1b[1m938/938\x1b[0m \x1b[32m━━━━\x1b[0m\x1b[37m\x1b[0m \x1b[1m3s\x1b[0m 3ms/step - accuracy: 0.9{epoch}"
            f" - loss: 0.{9 - epoch}000 - val_loss: 0.5\n"
        )
    found = of(tmp_path, text)
    assert found["loss"] == [(1, 0.8), (2, 0.7), (3, 0.6), (4, 0.5)]
    assert found["accuracy"] == [(1, 0.91), (2, 0.92), (3, 0.93), (4, 0.94)]


def test_keras_verbose_2(tmp_path: Path) -> None:
    one = "".join(
        f"Epoch {n}/3\n100/100 - 3s - loss: 0.{n} - val_loss: 0.2{n} - 3s/epoch - 30ms/step\n" for n in (1, 2, 3)
    )
    old = "".join(f"Epoch {n}/3\n - 3s - loss: 0.{n} - val_loss: 0.2{n}\n" for n in (1, 2, 3))
    for text in (one, old):
        found = of(tmp_path, text)
        assert found == {"loss": [(1, 0.1), (2, 0.2), (3, 0.3)], "val_loss": [(1, 0.21), (2, 0.22), (3, 0.23)]}


@pytest.mark.parametrize(("last", "counts"), [(10, False), (60, True)], ids=["hardly begun", "more than half"])
def test_keras_killed_within_an_epoch(tmp_path: Path, last: int, counts: bool) -> None:
    text = keras_lines("\n", "\r") + f"Epoch 4/9\n{last}/100 [=>..] - ETA: 3s - loss: 0.3 - accuracy: 0.9\n"
    found = of(tmp_path, text)
    assert ((4, 0.3) in found["loss"]) is counts


def test_keras_nan_within_the_first_batches_is_not_lost(tmp_path: Path) -> None:
    text = keras_lines("\n", "\r") + "Epoch 4/9\n3/100 [>....] - ETA: 3s - loss: nan - accuracy: 0.9\n"
    step, value = of(tmp_path, text)["loss"][-1]
    assert step == 4
    assert isnan(value)


HF = [
    "{'loss': 2.3026, 'grad_norm': 1.25, 'learning_rate': 4.5e-05, 'epoch': 0.1}",
    "{'loss': 2.1, 'grad_norm': nan, 'learning_rate': 4e-05, 'epoch': 0.2}",
    "{'eval_loss': 2.05, 'eval_accuracy': 0.5, 'eval_runtime': 1.2, 'epoch': 0.2}",
    "{'loss': 1.9, 'grad_norm': 1.5, 'learning_rate': 3.5e-05, 'epoch': 0.3}",
    "{'train_runtime': 12.3, 'train_samples_per_second': 100.0, 'train_loss': 2.1, 'epoch': 0.3}",
]


def test_hf_trainer_without_steps_is_numbered(tmp_path: Path) -> None:
    path = write(tmp_path, "\n".join(["***** Running training *****", *HF, ""]))
    imported = read(path)
    found = points(imported)
    assert found["train/loss"] == [(1, 2.3026), (2, 2.1), (3, 1.9)]
    assert found["eval/loss"] == [(2, 2.05)]
    assert found["eval/accuracy"] == [(2, 0.5)]
    assert [step for step, value in found["train/grad_norm"] if isnan(value)] == [2]
    assert found["train/learning_rate"][0] == (1, 4.5e-05)
    assert "numbered" in (imported.status.reason or "")


def test_hf_trainer_in_transformers_5_prints_texts(tmp_path: Path) -> None:
    text = "".join(
        f"{{'loss': '2.{n}', 'grad_norm': '1.5', 'learning_rate': '4e-05', 'epoch': '0.{n}'}}\n" for n in (1, 2, 3)
    )
    assert of(tmp_path, text)["train/loss"] == [(1, 2.1), (2, 2.2), (3, 2.3)]


def test_hf_trainer_takes_its_steps_from_the_progress_bar(tmp_path: Path) -> None:
    text = "Map: 100%|█████| 77/77 [00:00<00:00, 900.00 examples/s]\n\r  0%|          | 0/60 [00:00<?, ?it/s]"
    for step, line in zip((20, 40, None, 60, 60), HF, strict=True):
        if step is None:
            text += "\r 50%|█████     | 1/2 [00:00<00:00]\r" + " " * 40 + "\r" + line + "\n"
        else:
            text += f"\r {step}%|███  | {step}/60 [00:10<00:30,  9.95it/s]\r" + " " * 40 + "\r" + line + "\n"
    path = write(tmp_path, text)
    found = points(read(path))
    assert found["train/loss"] == [(20, 2.3026), (40, 2.1), (60, 1.9)]
    assert found["eval/loss"] == [(40, 2.05)]
    assert facts(read(path))["max_steps"].value == 60.0


def test_fairseq(tmp_path: Path) -> None:
    text = (
        "2021-03-03 10:00:00 | INFO | fairseq.trainer | begin training epoch 1\n"
        "2021-03-03 10:00:10 | INFO | train_inner | epoch 001:    100 / 1102 loss=13.1, nll_loss=12.9, ppl=7648, wps=3000, ups=1.5,"
        " num_updates=100, lr=1.25e-05, gnorm=3.1, train_wall=34, wall=45\n"
        "2021-03-03 10:00:20 | INFO | train_inner | epoch 001:    200 / 1102 loss=11.2, nll_loss=10.9, ppl=2048, wps=3001, ups=1.5,"
        " num_updates=200, lr=2.5e-05, gnorm=2.1, train_wall=34, wall=55\n"
        "2021-03-03 10:01:00 | INFO | train | epoch 001 | loss 12.0 | nll_loss 11.8 | ppl 3650 | wps 3000 | num_updates 1102"
        " | lr 0.0001 | gnorm 2.5 | train_wall 340 | wall 400\n"
        "2021-03-03 10:01:05 | INFO | valid | epoch 001 | valid on 'valid' subset | loss 10.5 | nll_loss 10.1 | ppl 1097.5"
        " | wps 9000 | num_updates 1102 | best_loss 10.5\n"
    )
    path = write(tmp_path, text)
    found = points(read(path))
    assert found["train_inner/loss"] == [(100, 13.1), (200, 11.2)]
    assert found["train/loss"] == [(1102, 12.0)]
    assert found["valid/loss"] == [(1102, 10.5)]
    assert found["valid/ppl"] == [(1102, 1097.5)]
    assert found["train/lr"] == [(1102, 0.0001)]
    first = next(one for one in read(path).series if one.tag == "train_inner/loss")
    assert walls(first)[1] - walls(first)[0] == 10.0


def test_fairseq_before_its_sections_had_names(tmp_path: Path) -> None:
    text = "".join(
        f"| epoch 00{n} | loss 8.{n} | nll_loss 7.{n} | ppl 100.5 | wps 1000 | num_updates {n}00 | lr 0.0005 | gnorm 1.2\n"
        f"| epoch 00{n} | valid on 'valid' subset | loss 9.{n} | nll_loss 8.1 | ppl 59.8 | num_updates {n}00\n"
        for n in (1, 2)
    )
    found = of(tmp_path, text)
    assert found["train/loss"] == [(100, 8.1), (200, 8.2)]
    assert found["valid/loss"] == [(100, 9.1), (200, 9.2)]


def test_fairseq_in_json(tmp_path: Path) -> None:
    text = "".join(
        f'2021-03-03 10:00:00 | INFO | train_inner | {{"epoch": 1, "update": 0.{n}, "loss": "3.{n}", "ppl": "9.1",'
        f' "num_updates": "{n}00", "lr": "1e-05"}}\n'
        for n in (1, 2, 3)
    )
    text += '2021-03-03 10:00:00 | INFO | valid | {"epoch": 1, "valid_loss": "4.5", "valid_num_updates": "300"}\n'
    found = of(tmp_path, text)
    assert found["train_inner/loss"] == [(100, 3.1), (200, 3.2), (300, 3.3)]
    assert found["valid/loss"] == [(300, 4.5)]


def test_timm(tmp_path: Path) -> None:
    text = ""
    for epoch in (0, 1):
        for batch, loss in ((0, "6.95"), (50, "6.90"), (99, "6.85")):
            text += (
                f"Train: {epoch} [{batch:4d}/100 ({batch:3d}%)]  Loss: {loss} ({9.99})  Time: 0.506s, 2024.5/s  (0.512s, 2000.1/s)"
                f"  LR: 1.000e-0{epoch + 3}  Data: 0.010 (0.020)\n"
            )
        for batch in (0, 24, 48):
            text += f"Test: [{batch:4d}/48]  Time: 0.1 (0.2)  Loss:  1.23 (1.{epoch}{batch:02d})  Acc@1: 70 (7{epoch}.2)  Acc@5: 9 (91)\n"
    found = of(tmp_path, text)
    steps = [0, 50, 99, 100, 150, 199]
    assert found["train/Loss"] == list(zip(steps, [6.95, 6.9, 6.85] * 2, strict=True))
    assert found["train/LR"][0] == (0, 1e-3)
    assert found["train/LR"][-1] == (199, 1e-4)
    # The average over the evaluation, once, where its last line is.
    assert found["eval/Loss"] == [(99, 1.048), (199, 1.148)]
    assert found["eval/Acc@1"] == [(99, 70.2), (199, 71.2)]
    assert found["eval/Acc@5"] == [(99, 91.0), (199, 91.0)]


def test_pytorch_mnist_example(tmp_path: Path) -> None:
    text = ""
    for epoch in (1, 2):
        for seen, percent, loss in ((0, 0, "2.297471"), (640, 50, "1.5")):
            text += f"Train Epoch: {epoch} [{seen}/1280 ({percent}%)]\tLoss: {loss}\n"
        text += f"\nTest set: Average loss: 0.052{epoch}, Accuracy: 982{epoch}/10000 (98%)\n\n"
    found = of(tmp_path, text)
    assert found["train/Loss"] == [(0, 2.297471), (640, 1.5), (1280, 2.297471), (1920, 1.5)]
    assert found["test/Average loss"] == [(640, 0.0521), (1920, 0.0522)]
    assert found["test/Accuracy"] == [(640, 0.9821), (1920, 0.9822)]


def test_pytorch_imagenet_example(tmp_path: Path) -> None:
    text = ""
    for epoch in (0, 1):
        for batch in (0, 10):
            text += (
                f"Epoch: [{epoch}][  {batch}/20]\tTime  0.500 ( 1.2)\tData  0.01 ( 0.3)\tLoss 6.{batch}e+00 (7.0e+00)"
                f"\tAcc@1   0.39 (  0.15)\tAcc@5   0.78 (  0.5)\n"
            )
        for batch in (0, 10):
            text += f"Test: [ {batch}/12]\tTime  0.5 ( 1.2)\tLoss 5.0e+00 (5.{epoch}e+00)\tAcc@1   1.39 (  1.15)\n"
        text += f" *   Acc@1 1{epoch}.500 Acc@5 30.250\n"
    found = of(tmp_path, text)
    assert found["train/Loss"] == [(0, 6.0), (10, 6.1), (20, 6.0), (30, 6.1)]
    assert found["eval/Acc@1"] == [(10, 10.5), (30, 11.5)]
    assert found["eval/Acc@5"] == [(10, 30.25), (30, 30.25)]
    assert found["eval/Loss"] == [(10, 5.0), (30, 5.1)]


def test_torchvision_tutorial(tmp_path: Path) -> None:
    text = "".join(
        f"Epoch {n}/2\n----------\ntrain Loss: 0.{9 - n} Acc: 0.7{n}\nval Loss: 0.{8 - n} Acc: 0.8{n}\n\n"
        for n in (0, 1, 2)
    )
    found = of(tmp_path, text)
    assert found["train/Loss"] == [(0, 0.9), (1, 0.8), (2, 0.7)]
    assert found["val/Acc"] == [(0, 0.8), (1, 0.81), (2, 0.82)]


def test_mmengine(tmp_path: Path) -> None:
    text = ""
    for epoch in (1, 2):
        for batch in (50, 100):
            text += (
                f"2023/01/02 10:00:00 - mmengine - INFO - Epoch(train)  [{epoch}][{batch:3d}/100]  lr: 1.0000e-03  eta: 0:10:00"
                f"  time: 0.5  data_time: 0.1  memory: 500  loss: 0.{epoch}{batch}  loss_cls: 0.1\n"
            )
        text += f"2023/01/02 10:10:00 - mmengine - INFO - Epoch(val)  [{epoch}][10/10]    coco/bbox_mAP: 0.3{epoch}0\n"
    found = of(tmp_path, text)
    assert found["train/loss"] == [(50, 0.150), (100, 0.1100), (150, 0.250), (200, 0.2100)]
    assert found["val/coco/bbox_mAP"] == [(100, 0.31), (200, 0.32)]
    assert "train/eta" not in found


def test_megatron(tmp_path: Path) -> None:
    text = "".join(
        f" iteration {n:8d}/  500000 | consumed samples: {n * 256:12d} | elapsed time per iteration (ms): 500.1 |"
        f" learning rate: 1.5E-04 | global batch size:   256 | lm loss: {9 - n / 100:.6E} | loss scale: 1.0 | grad norm: 1.5 |"
        " number of skipped iterations:   0 |\n"
        for n in (100, 200, 300)
    )
    text += " validation loss at iteration 300 | lm loss value: 5.100000E+00 | lm loss PPL: 1.640000E+02 | \n"
    found = of(tmp_path, text)
    assert found["lm loss"] == [(100, 8.0), (200, 7.0), (300, 6.0)]
    assert found["grad norm"] == [(100, 1.5), (200, 1.5), (300, 1.5)]
    assert found["validation/lm loss"] == [(300, 5.1)]
    assert found["validation/lm loss ppl"] == [(300, 164.0)]


def test_detectron2(tmp_path: Path) -> None:
    text = "".join(
        f"[01/02 12:00:00 d2.utils.events]:  eta: 0:10:00  iter: {n}  total_loss: 1.{n}  loss_cls: 0.3  time: 0.5012"
        "  data_time: 0.0100  lr: 0.0002  max_mem: 3000M\n"
        for n in (19, 39, 59)
    )
    found = of(tmp_path, text)
    assert found["total_loss"] == [(19, 1.19), (39, 1.39), (59, 1.59)]
    assert found["lr"] == [(19, 0.0002), (39, 0.0002), (59, 0.0002)]


def test_pytorch_language_model_example(tmp_path: Path) -> None:
    text = ""
    for epoch in (1, 2):
        for batch in (200, 400):
            text += f"| epoch   {epoch} |   {batch}/ 500 batches | lr 20.00 | ms/batch 10.52 | loss  7.{batch} | ppl  2049.50\n"
        text += f"{'-' * 89}\n| end of epoch   {epoch} | time: 30.51s | valid loss  5.{epoch}0 | valid ppl   300.1{epoch}\n{'-' * 89}\n"
    text += "| end of epoch   3 | time: 30.51s | valid loss  5.30 | valid ppl   300.13\n"
    found = of(tmp_path, text)
    assert found["loss"] == [(200, 7.2), (400, 7.4), (700, 7.2), (900, 7.4)]
    assert found["valid/loss"] == [(400, 5.1), (900, 5.2), (900, 5.3)]


def test_lightning_progress_bar(tmp_path: Path) -> None:
    text = ""
    for epoch in range(3):
        for batch in (1, 400, 937):
            text += f"\rEpoch {epoch}:  {batch // 10}%|███▏   | {batch}/938 [00:04<00:06, 90.00it/s, loss=2.5, v_num=0]"
        text += f"\rEpoch {epoch}: 100%|█████| 938/938 [00:10<00:00, 90.00it/s, loss=0.{9 - epoch}, v_num=0, val_loss=0.5]\n"
    assert of(tmp_path, text) == {"loss": [(0, 0.9), (1, 0.8), (2, 0.7)], "val_loss": [(0, 0.5), (1, 0.5), (2, 0.5)]}


def test_xgboost(tmp_path: Path) -> None:
    """`evals` of `xgboost.train`: no word of a step, and names of measures that hold no `loss`."""
    text = (
        "[0]\ttrain-rmse:0.60625\teval-rmse:0.95801\n"
        "[1]\ttrain-rmse:0.37630\teval-rmse:0.94678\n"
        "[2]\ttrain-rmse:0.25233\teval-rmse:0.96044\n"
    )
    found = of(tmp_path, text)
    assert found["train-rmse"] == [(0, 0.60625), (1, 0.3763), (2, 0.25233)]
    assert found["eval-rmse"] == [(0, 0.95801), (1, 0.94678), (2, 0.96044)]


def test_lightgbm(tmp_path: Path) -> None:
    """`log_evaluation`: whose measure it is stands as a possessive."""
    text = (
        "[LightGBM] [Info] Total Bins 1530\n"
        "[10]\ttraining's multi_logloss: 0.91\tvalid_1's multi_logloss: 0.95\n"
        "[20]\ttraining's multi_logloss: 0.81\tvalid_1's multi_logloss: 0.85\n"
        "[30]\ttraining's multi_logloss: 0.71\tvalid_1's multi_logloss: 0.8\n"
    )
    found = of(tmp_path, text)
    assert found["training/multi_logloss"] == [(10, 0.91), (20, 0.81), (30, 0.71)]
    assert found["valid_1/multi_logloss"] == [(10, 0.95), (20, 0.85), (30, 0.8)]


def test_lightgbm_behind_what_a_logger_puts_before_it(tmp_path: Path) -> None:
    for before in ("[LightGBM] [Info] ", "2026-11-22 10:00:01,123 - INFO - "):
        text = "".join(f"{before}[{n}]\ttraining's auc: 0.9{n}\tvalid_0's auc: 0.8{n}\n" for n in range(1, 5))
        found = of(tmp_path, text)
        assert found["training/auc"] == [(n, pytest.approx(0.9 + n / 100)) for n in range(1, 5)]
        assert found["valid_0/auc"] == [(n, pytest.approx(0.8 + n / 100)) for n in range(1, 5)]


def test_catboost(tmp_path: Path) -> None:
    text = (
        "Learning rate set to 0.05\n"
        "0:\tlearn: 0.6621\ttest: 0.6710\tbest: 0.6710 (0)\ttotal: 5.2ms\tremaining: 5.2s\n"
        "1:\tlearn: 0.6321\ttest: 0.6510\tbest: 0.6510 (1)\ttotal: 9.2ms\tremaining: 5.1s\n"
        "2:\tlearn: 0.6021\ttest: 0.6310\tbest: 0.6310 (2)\ttotal: 15ms\tremaining: 5s\n"
    )
    found = of(tmp_path, text)
    assert found["learn/loss"] == [(0, 0.6621), (1, 0.6321), (2, 0.6021)]
    assert found["test/loss"] == [(0, 0.671), (1, 0.651), (2, 0.631)]


def test_iterations_that_are_called_it(tmp_path: Path) -> None:
    text = (
        "2026-11-21 15:46:22 INFO it: 4, loss: 1.68793, acc: 0.75\n"
        "2026-11-21 15:46:23 INFO it: 8, loss: 1.38699, acc: 0.789062\n"
        "2026-11-21 15:46:23 INFO it: 8, test_loss: 1.33215, test_acc: 0.7\n"
        "2026-11-21 15:46:24 INFO it: 12, loss: 1.1, acc: 0.8\n"
        "2026-11-21 15:46:24 INFO it: 16, loss: 0.9, acc: 0.81\n"
        "2026-11-21 15:46:24 INFO it: 16, test_loss: 1.2, test_acc: 0.72\n"
        "2026-11-21 15:46:25 INFO it: 24, test_loss: 1.1, test_acc: 0.74\n"
    )
    found = of(tmp_path, text)
    assert found["loss"] == [(4, 1.68793), (8, 1.38699), (12, 1.1), (16, 0.9)]
    assert found["test_loss"] == [(8, 1.33215), (16, 1.2), (24, 1.1)]


def test_flax_writes_the_step_in_brackets(tmp_path: Path) -> None:
    text = "".join(
        f"I0612 10:11:1{n}.12 140123 logging_writer.py:48] [{n}00] train_accuracy=0.{n}, train_loss=6.{n}\n"
        for n in (1, 2, 3)
    )
    assert of(tmp_path, text) == {
        "train_accuracy": [(100, 0.1), (200, 0.2), (300, 0.3)],
        "train_loss": [(100, 6.1), (200, 6.2), (300, 6.3)],
    }


def test_espnet(tmp_path: Path) -> None:
    begin = "[gpu01:0/1] 2023-03-01 10:01:11,123 (trainer:737) INFO: "
    text = "".join(
        f"{begin}{n}epoch:train:1-100batch: iter_time=0.002, acc=0.{n}, loss=88.{n}\n"
        f"{begin}{n}epoch results: [train] acc=0.{n}, loss=88.0, [valid] acc=0.{n}5, loss=90.{n}\n"
        for n in (1, 2, 3)
    )
    found = of(tmp_path, text)
    assert [value for _, value in found["valid/loss"]] == [90.1, 90.2, 90.3]
    assert [value for _, value in found["train/loss"]][::2] == [88.1, 88.2, 88.3]


def test_the_validation_score_of_scikit_learn(tmp_path: Path) -> None:
    text = "".join(f"Iteration {n}, loss = 0.{9 - n}\nValidation score: 0.{n}\n" for n in (1, 2, 3))
    assert of(tmp_path, text)["Validation/score"] == [(1, 0.1), (2, 0.2), (3, 0.3)]


def test_an_estimator_of_tensorflow_measures_beside_its_training(tmp_path: Path) -> None:
    train = "INFO:tensorflow:loss = {loss}, step = {step} (0.321 sec)\nINFO:tensorflow:global_step/sec: 310.2\n"
    measured = (
        "INFO:tensorflow:Saving dict for global step {step}: accuracy = {share}, global_step = {step}, loss = {loss}\n"
    )
    text = "".join(
        train.format(step=100 * n + 1, loss=2 - n / 10) + measured.format(step=100 * n + 50, share=n / 10, loss=9 - n)
        for n in (1, 2, 3)
    )
    found = of(tmp_path, text)
    assert found["loss"] == [(101, 1.9), (201, 1.8), (301, 1.7)]
    assert found["eval/loss"] == [(150, 8.0), (250, 7.0), (350, 6.0)]
    assert found["eval/accuracy"] == [(150, 0.1), (250, 0.2), (350, 0.3)]


def test_caffe(tmp_path: Path) -> None:
    head = "I0612 10:01:11.123456  1234 "
    text = "".join(
        f"{head}solver.cpp:337] Iteration {n}00, Testing net (#0)\n"
        f"{head}solver.cpp:404]     Test net output #0: accuracy = 0.{n}\n"
        f"{head}solver.cpp:404]     Test net output #1: loss = 3.{n} (* 1 = 3.{n} loss)\n"
        f"{head}solver.cpp:228] Iteration {n}00, loss = 2.{n}\n"
        f"{head}solver.cpp:244]     Train net output #0: loss = 2.{n} (* 1 = 2.{n} loss)\n"
        f"{head}sgd_solver.cpp:106] Iteration {n}00, lr = 0.01\n"
        for n in (1, 2, 3)
    )
    found = of(tmp_path, text)
    assert found["loss"] == [(100, 2.1), (200, 2.2), (300, 2.3)]
    assert [value for _, value in found["test/loss"]] == [3.1, 3.2, 3.3]
    assert [value for _, value in found["test/accuracy"]] == [0.1, 0.2, 0.3]
    assert [value for _, value in found["lr"]] == [0.01] * 3


def test_marian(tmp_path: Path) -> None:
    text = "".join(
        f"[2020-01-01 00:00:0{n}] Ep. 1 : Up. {n}00 : Sen. 5,000 : Cost 9.{n} * 1,234,567 @ 1,234 after 9,876,543 : "
        f"Time 10.05s : 12345.67 words/s : L.r. 1.0000e-04\n"
        f"[2020-01-01 00:01:0{n}] [valid] Ep. 1 : Up. {n}00 : cross-entropy : 180.{n} : new best\n"
        for n in (1, 2, 3)
    )
    found = of(tmp_path, text)
    assert found["train/loss"] == [(100, 9.1), (200, 9.2), (300, 9.3)]
    assert found["valid/cross-entropy"] == [(100, 180.1), (200, 180.2), (300, 180.3)]
    assert found["lr"] == [(100, 1e-4), (200, 1e-4), (300, 1e-4)]


def test_opennmt(tmp_path: Path) -> None:
    head = "[2024-05-01 10:01:00,123 INFO] "
    text = "".join(
        f"{head}Step {n}00/10000; acc: 5.{n}; ppl: 900.5; xent: 6.{n}; lr: 0.00012; 12000/11000 tok/s; 10 sec;\n"
        f"{head}Validation perplexity: 70{n}.5\n{head}Validation accuracy: 3{n}\n"
        for n in (1, 2, 3)
    )
    found = of(tmp_path, text)
    assert found["xent"] == [(100, 6.1), (200, 6.2), (300, 6.3)]
    assert found["Validation/perplexity"] == [(100, 701.5), (200, 702.5), (300, 703.5)]
    assert found["Validation/accuracy"] == [(100, 31.0), (200, 32.0), (300, 33.0)]


def test_llm_c(tmp_path: Path) -> None:
    text = "".join(f"s:{n}00 tel:4.{n}\ns:{n}01 trl:5.{n} lr:0.0006 norm:1.2\n" for n in (1, 2, 3))
    found = of(tmp_path, text)
    assert found["val/loss"] == [(100, 4.1), (200, 4.2), (300, 4.3)]
    assert found["train/loss"] == [(101, 5.1), (201, 5.2), (301, 5.3)]
    assert found["grad_norm"] == [(101, 1.2), (201, 1.2), (301, 1.2)]


def test_mlx(tmp_path: Path) -> None:
    text = "".join(
        f"Iter {n}0: Train loss 2.{n}, Learning Rate 1.000e-05, It/sec 1.23, Trained tokens 1000, Peak mem 12.345 GB\n"
        for n in (1, 2, 3)
    )
    assert of(tmp_path, text)["Learning Rate"] == [(10, 1e-5), (20, 1e-5), (30, 1e-5)]
