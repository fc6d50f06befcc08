"""What is printed over several lines: epochs with a heading, tables with a head, boxes; from the writers' documentation and source."""

from pathlib import Path

import pytest

from tests.importers.console.logs import axes, claims, of, read, write


def epochs(*forms: str) -> str:
    return "".join(form.format(n=n, loss=2 / n, share=0.5 + n / 100) for n in (1, 2, 3) for form in forms)


@pytest.mark.parametrize(
    "heading",
    [
        "Epoch {n}/3\n", "Epoch {n}\n-----\n", "-- Epoch {n}\n", "======== Epoch {n} / 3 ========\n", "Epoch: 0{n} | Time: 0m 3s\n",
        "EPOCH {n} of 3:\n",
    ],
)  # fmt: skip
def test_values_below_a_heading_are_of_its_epoch(tmp_path: Path, heading: str) -> None:
    text = epochs(
        heading, "\tTrain Loss: {loss:.4f} | Train Acc: {share:.2f}\n\t Val. Loss: {loss:.2f} |  Val. Acc: 0.5\n"
    )
    found = of(tmp_path, text)
    assert found["Train/Loss"] == [(1, 2.0), (2, 1.0), (3, 0.6667)]
    assert found["Train/Acc"] == [(1, 0.51), (2, 0.52), (3, 0.53)]
    assert found["Val/Loss"] == [(1, 2.0), (2, 1.0), (3, 0.67)]
    assert axes(read(tmp_path / "train.log")) == {"epoch"}


def test_a_line_that_names_a_split_says_what_follows_is_of(tmp_path: Path) -> None:
    text = epochs(
        "======== Epoch {n} / 3 ========\nTraining...\n",
        "  Average training loss: {loss:.2f}\n  Training epoch took: 0:00:50\n\nRunning Validation...\n  Accuracy: {share}\n",
    )
    found = of(tmp_path, text)
    assert found["validation/Accuracy"] == [(1, 0.51), (2, 0.52), (3, 0.53)]
    assert found["Average training loss"] == [(1, 2.0), (2, 1.0), (3, 0.67)]


def test_the_quickstart_of_pytorch(tmp_path: Path) -> None:
    text = epochs(
        "Epoch {n}\n-------------------------------\nloss: {loss:.4f}  [   64/60000]\nloss: 0.9  [ 6464/60000]\n",
        "Test Error: \n Accuracy: 6{n}.0%, Avg loss: {loss:.2f} \n\n",
    )
    found = of(tmp_path, text)
    assert found["loss"][:3] == [(64, 2.0), (6464, 0.9), (60064, 1.0)]
    assert found["test/Accuracy"] == [(6464, 61.0), (66464, 62.0), (126464, 63.0)]
    assert found["test/Avg loss"][0] == (6464, 2.0)


def test_values_without_a_heading_and_messages_are_none(tmp_path: Path) -> None:
    text = "Train Loss: 2.0\nTrain Loss: 1.0\nTrain Loss: 0.5\n"
    assert not claims(write(tmp_path, text))
    below = epochs("Epoch {n}\n", "saved to epoch{n}.pt, size: 1234, workers: 8\n")
    assert not claims(write(tmp_path, below))


@pytest.mark.parametrize(
    ("line", "steps"),
    [
        ("[{n},  2000] loss: {loss:.3f}\n[{n},  4000] loss: 0.5\n", [2000, 4000, 6000, 8000, 10000, 12000]),
        ("[{n}/3][0/9]\tLoss_D: {loss:.3f}\tloss: {loss}\n[{n}/3][5/9]\tLoss_D: 0.5\tloss: 0.5\n", [0, 5, 9, 14, 18, 23]),
        ("===> Epoch[{n}](4/9): Loss: {loss:.3f}, loss: 1\n===> Epoch[{n}](9/9): Loss: 0.5, loss: 1\n", [4, 9, 13, 18, 22, 27]),
        ("Epoch[{n}] Iteration[9/9] Loss: {loss:.3f}, loss: 1\n", [9, 18, 27]),
    ],
)  # fmt: skip
def test_examples_that_print_epoch_and_batch_in_brackets(tmp_path: Path, line: str, steps: list[int]) -> None:
    found = of(tmp_path, epochs(line))
    assert [step for step, _ in found["loss"]] == steps


def test_ignite_prints_results_of_each_split(tmp_path: Path) -> None:
    text = epochs(
        "Epoch[{n}] Iteration[10/19] Loss: {loss:.3f}\n",
        "Training Results - Epoch: {n}  Avg loss: {loss:.2f}  Avg accuracy: {share}\n",
        "Validation Results - Epoch: {n}  Avg loss: 0.48  Avg accuracy: 0.9\n",
    )
    found = of(tmp_path, text)
    assert found["validation/Avg accuracy"] == [(10, 0.9), (29, 0.9), (48, 0.9)]
    assert found["training/Avg loss"] == [(10, 2.0), (29, 1.0), (48, 0.67)]


def test_the_vae_and_super_resolution_examples(tmp_path: Path) -> None:
    text = epochs(
        "Train Epoch: {n} [0/100 (0%)]\tLoss: {loss:.3f}\n====> Epoch: {n} Average loss: {loss:.3f}\n",
        "====> Test set loss: 0.{n}\n===> Avg. PSNR: 2{n}.5 dB\n",
    )
    found = of(tmp_path, text)
    assert [value for _, value in found["Test/loss"]] == [0.1, 0.2, 0.3]
    assert [value for _, value in found["test/PSNR"]] == [21.5, 22.5, 23.5]


def test_a_table_of_fastai(tmp_path: Path) -> None:
    text = (
        "epoch     train_loss  valid_loss  accuracy  time    \n"
        "0         0.655704    0.589168    0.740000  00:01     \n"
        "1         0.518872    0.500958    0.750000  01:02     \n"
        "2         0.424241    nan         0.766667  1:00:01     \n"
    )
    found = of(tmp_path, text)
    assert found["train_loss"] == [(0, 0.655704), (1, 0.518872), (2, 0.424241)]
    assert found["accuracy"] == [(0, 0.74), (1, 0.75), (2, 0.766667)]
    assert found["time"] == [(0, 1.0), (1, 62.0), (2, 3601.0)]
    assert axes(read(tmp_path / "train.log")) == {"epoch"}


def test_a_table_of_skorch_marks_what_is_better(tmp_path: Path) -> None:
    text = (
        "  epoch    train_loss    valid_acc    valid_loss    cp     dur\n"
        "-------  ------------  -----------  ------------  ----  ------\n"
        "      1        \x1b[36m0.6905\x1b[0m       \x1b[32m0.6150\x1b[0m        0.6749     +  0.1156\n"
        "      2        0.6648       0.6450        0.6633        0.0302\n"
        "      3        0.6619       0.6750        0.6533     +  0.0307\n"
    )
    found = of(tmp_path, text)
    assert found["valid_acc"] == [(1, 0.615), (2, 0.645), (3, 0.675)]
    assert found["dur"] == [(1, 0.1156), (2, 0.0302), (3, 0.0307)]


def test_a_table_of_gradient_boosting(tmp_path: Path) -> None:
    text = (
        "      Iter       Train Loss   Remaining Time \n"
        "         1           1.2613            1.20s\n"
        "         2           1.1715            1.10m\n"
        "        10           0.7883           58.05s\n"
    )
    found = of(tmp_path, text)
    assert found["Train Loss"] == [(1, 1.2613), (2, 1.1715), (10, 0.7883)]
    assert found["Remaining Time"] == [(1, 1.2), (2, 66.0), (10, 58.05)]


def test_rows_of_other_tables_are_none(tmp_path: Path) -> None:
    text = (
        "epoch  train_loss  valid_loss  accuracy\n0  0.6  0.5  0.7\n1  0.5  0.5  0.7\n2  0.4  0.5  0.7\n"
        "a  1  2  3\n0.5  1  2  3\n1 2\n3  0.3  0.5\n"
    )
    assert of(tmp_path, text)["train_loss"] == [(0, 0.6), (1, 0.5), (2, 0.4)]


def test_boxes_of_stable_baselines(tmp_path: Path) -> None:
    text = "".join(
        "---------------------------------\n"
        "| rollout/           |          |\n"
        f"|    ep_rew_mean     | {20 + n}.5     |\n"
        "| time/              |          |\n"
        f"|    total_timesteps | {2048 * n}     |\n"
        "| train/             |          |\n"
        f"|    loss            | {6 - n} |\n"
        "|    device          | cpu |\n"
        "---------------------------------\n"
        for n in (1, 2, 3)
    )
    found = of(tmp_path, text)
    assert found["rollout/ep_rew_mean"] == [(2048, 21.5), (4096, 22.5), (6144, 23.5)]
    assert found["train/loss"] == [(2048, 5.0), (4096, 4.0), (6144, 3.0)]


def test_boxes_of_spinning_up(tmp_path: Path) -> None:
    text = "".join(
        "-" * 40 + "\n"
        f"|             Epoch |{n:>16} |\n|      AverageEpRet |{-100.0 + n:>16} |\n|             LossV |{9.0 / n:>16.3g} |\n"
        + "-" * 40
        + "\n"
        for n in (1, 2, 3)
    )
    found = of(tmp_path, text)
    assert found["AverageEpRet"] == [(1, -99.0), (2, -98.0), (3, -97.0)]
    assert axes(read(tmp_path / "train.log")) == {"epoch"}


def test_a_table_between_pipes_that_says_of_how_many(tmp_path: Path) -> None:
    text = "| Epoch | Train loss | Val F1 | Time |\n|-------|-----------|--------|------|\n" + "".join(
        f"|  {n}/10 | {2 / n:.4f} | 5{n}.00% | 61s |\n" for n in (1, 2, 3)
    )
    found = of(tmp_path, text)
    assert found["Train loss"] == [(1, 2.0), (2, 1.0), (3, 0.6667)]
    assert found["Val F1"] == [(1, 51.0), (2, 52.0), (3, 53.0)]


def test_splits_are_named_as_in_tags(tmp_path: Path) -> None:
    found = of(
        tmp_path,
        epochs(">>> EPOCH {n}\n", "  fitting   loss {loss:.2f}\n  Holdout:\n    loss: 0.{n}   accuracy: {share}\n"),
    )
    assert found == {
        "fitting/loss": [(1, 2.0), (2, 1.0), (3, 0.67)],
        "holdout/loss": [(1, 0.1), (2, 0.2), (3, 0.3)],
        "holdout/accuracy": [(1, 0.51), (2, 0.52), (3, 0.53)],
    }


def test_the_table_of_spacy(tmp_path: Path) -> None:
    text = (
        "ℹ Pipeline: ['tok2vec', 'ner']\n"
        "E    #       LOSS TOK2VEC  LOSS NER  ENTS_F  ENTS_P  ENTS_R  SCORE \n"
        "---  ------  ------------  --------  ------  ------  ------  ------\n"
        "  0       0          0.00     72.13    1.87    1.57    2.31    0.02\n"
        "  0     200         42.11   3151.20   55.12   60.01   50.97    0.55\n"
        "  1     400         67.23   1650.07   68.40   70.00   66.87    0.68\n"
    )
    found = of(tmp_path, text)
    assert found["LOSS NER"] == [(0, 72.13), (200, 3151.2), (400, 1650.07)]
    assert found["SCORE"] == [(0, 0.02), (200, 0.55), (400, 0.68)]
    assert "E" not in found


def test_nnu_net(tmp_path: Path) -> None:
    time = "2024-01-01 10:00:00.123456: "
    text = "".join(
        f"{time}Epoch {n} \n{time}Current learning rate: 0.0099 \n{time}train_loss -0.{n} \n{time}val_loss -0.{n}5 \n"
        f"{time}Pseudo dice [0.1, 0.2] \n{time}Epoch time: 45.3 s \n"
        for n in (1, 2, 3)
    )
    found = of(tmp_path, text)
    assert found["train_loss"] == [(1, -0.1), (2, -0.2), (3, -0.3)]
    assert found["val_loss"] == [(1, -0.15), (2, -0.25), (3, -0.35)]


def test_a_table_that_is_drawn(tmp_path: Path) -> None:
    text = (
        "┏━━━━━━━┳━━━━━━━┳━━━━━━━━━━┓\n┃ Epoch ┃ Loss  ┃ Val Loss ┃\n┡━━━━━━━╇━━━━━━━╇━━━━━━━━━━┩\n"
        "│ 1     │ 2.100 │ 2.200    │\n│ 2     │ 1.100 │ 1.200    │\n│ 3     │ 0.100 │ 0.200    │\n└───────┴───────┴──────────┘\n"
    )
    found = of(tmp_path, text)
    assert found["Loss"] == [(1, 2.1), (2, 1.1), (3, 0.1)]
    assert [value for _, value in found["Val Loss"]] == [2.2, 1.2, 0.2]


def test_a_table_with_epochs_and_steps(tmp_path: Path) -> None:
    text = "Epoch  Step  Loss  Val Loss\n1  100  2.1  2.2\n1  200  1.1  1.2\n2  300  0.1  0.2\n"
    found = of(tmp_path, text)
    assert found == {"Loss": [(100, 2.1), (200, 1.1), (300, 0.1)], "Val Loss": [(100, 2.2), (200, 1.2), (300, 0.2)]}
