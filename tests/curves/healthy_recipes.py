"""Healthy runs of recipes for supervised training whose curves look odd to who does not know the recipe."""

import numpy as np

from tests.curves.curve import Collection, Curve
from tests.curves.shapes import Clock, cosine, grid, linear, relax, tagged, wander

RECIPES = Collection()
Rng = np.random.Generator


@RECIPES("dropout of 0.5 acts in training only: validation is below it all the time (Srivastava et al. 2014)")
def strong_dropout(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 30.0), grid(50, 1, 0)
    return Curve(
        tagged(
            ("keras", "lightning", "torch")[seed % 3],
            loss=clock.points(epochs, relax(epochs, 2.0, 0.85, 8) + rng.normal(0, 0.008, 50)),
            acc=clock.points(epochs, relax(epochs, 0.30, 0.70, 8) + rng.normal(0, 0.003, 50)),
            val_loss=clock.points(epochs, relax(epochs, 1.6, 0.58, 8) + rng.normal(0, 0.010, 50)),
            val_acc=clock.points(epochs, relax(epochs, 0.42, 0.815, 8) + rng.normal(0, 0.005, 50)),
        )
    )


@RECIPES("label smoothing of 0.1 over 1,000 classes: the training loss has a floor far above 0 (Szegedy et al. 2016)")
def label_smoothing(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 900.0), grid(90, 1, 0)
    facts: dict[str, str | float | bool] = {"num_classes": 1000.0, "label_smoothing": 0.1, "epochs": 90.0}
    return Curve(
        tagged(
            ("torch", "lightning", "hf")[seed % 3],
            loss=clock.points(epochs, relax(epochs, 6.4, 2.05, 14) + rng.normal(0, 0.01, 90)),
            val_loss=clock.points(epochs, relax(epochs, 5.4, 0.98, 14) + rng.normal(0, 0.015, 90), True),
            val_acc=clock.points(epochs, relax(epochs, 0.06, 0.762, 14) + rng.normal(0, 0.003, 90), True),
            lr=clock.points(epochs, cosine(epochs, 89, 0.5, 5)),
        ),
        facts,
    )


@RECIPES("triangular cycles of the rate between 1e-3 and 0.1: the loss breathes with it (Smith 2017)")
def cyclic_rate(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.12, 200)
    steps, checks = grid(640 + 16 * seed, 10), grid(32, 200)
    hot = 1 - np.abs((steps / 1_000) % 2 - 1)
    hot_then = 1 - np.abs((checks / 1_000) % 2 - 1)
    loss = (relax(steps, 2.2, 0.35, 1_300) + 0.25 * hot * (1 - np.exp(-steps / 1_300))) * rng.lognormal(
        0, 0.1, len(steps)
    )
    val_loss = relax(checks, 2.1, 0.5, 1_300) + 0.22 * hot_then * (1 - np.exp(-checks / 1_300))
    accuracy = relax(checks, 0.25, 0.86, 1_300) - 0.07 * hot_then + rng.normal(0, 0.005, 32)
    return Curve(
        tagged(
            ("torch", "lightning")[seed % 2],
            loss=clock.points(steps, loss),
            val_loss=clock.points(checks, val_loss + rng.normal(0, 0.012, 32), True),
            val_acc=clock.points(checks, accuracy, True),
            lr=clock.points(steps, 1e-3 + 0.099 * hot),
        )
    )


@RECIPES("mixup: training loss and accuracy are of mixed pictures, far worse than on whole ones (Zhang et al. 2018)")
def mixup(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 60.0), grid(100, 1, 0)
    return Curve(
        tagged(
            ("lightning", "torch", "keras")[seed % 3],
            loss=clock.points(epochs, relax(epochs, 2.2, 1.15, 15) + rng.normal(0, 0.012, 100)),
            acc=clock.points(epochs, relax(epochs, 0.25, 0.66, 15) + rng.normal(0, 0.006, 100)),
            val_loss=clock.points(epochs, relax(epochs, 1.7, 0.33, 15) + rng.normal(0, 0.012, 100)),
            val_acc=clock.points(epochs, relax(epochs, 0.40, 0.942, 15) + rng.normal(0, 0.003, 100)),
            lr=clock.points(epochs, cosine(epochs, 99, 0.1, 5)),
        )
    )


@RECIPES(
    "stochastic weight averaging from epoch 75 on: the rate goes up again, validation jumps down (Izmailov et al. 2018)"
)
def weight_averaging(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 25.0), grid(100, 1, 0)
    averaging = epochs >= 75
    rate = np.where(averaging, 0.05, cosine(epochs, 75, 0.1, 0, 0.01))
    loss = relax(epochs, 1.9, 0.08, 16) + np.where(averaging, 0.11 * (1 - np.exp(-(epochs - 74) / 2)), 0)
    return Curve(
        tagged(
            ("torch", "lightning")[seed % 2],
            loss=clock.points(epochs, loss + rng.normal(0, 0.006, 100)),
            val_loss=clock.points(epochs, relax(epochs, 1.6, 0.33, 16) - 0.07 * averaging + rng.normal(0, 0.008, 100)),
            val_acc=clock.points(epochs, relax(epochs, 0.4, 0.925, 16) + 0.02 * averaging + rng.normal(0, 0.003, 100)),
            lr=clock.points(epochs, rate),
        )
    )


@RECIPES(
    "progressive resizing: larger pictures from a third and two thirds on; slower, harder, then better (Howard 2018)"
)
def progressive_resizing(rng: Rng, seed: int) -> Curve:
    epochs = grid(45, 1, 0)
    size = epochs // 15
    spent = np.cumsum(np.array([20.0, 45.0, 80.0])[size])
    clock = Clock(rng, 1.0)
    since = epochs - 15 * size
    bump = np.where(size > 0, 0.22 * np.exp(-since / 3), 0)
    series = tagged(
        ("torch", "lightning", "keras")[seed % 3],
        loss=clock.points(epochs, relax(epochs, 2.1, 0.32, 10) + bump + rng.normal(0, 0.01, 45)),
        val_loss=clock.points(epochs, relax(epochs, 1.9, 0.45, 10) + 0.8 * bump + rng.normal(0, 0.012, 45)),
        val_acc=clock.points(epochs, relax(epochs, 0.3, 0.88, 10) - 0.2 * bump + rng.normal(0, 0.004, 45)),
    )
    return Curve({tag: one._replace(wall=one.wall[0] + spent) for tag, one in series.items()})


@RECIPES("a curriculum: longer examples at 40 % and 70 %, on which the loss is higher at first (Bengio et al. 2009)")
def curriculum(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.25, 200)
    steps, checks = grid(600, 10), grid(30, 200)
    harder = sum(
        height * np.where(steps > at, 0.3 + 0.7 * np.exp(-(steps - at) / 500), 0)
        for height, at in ((0.5, 2_400), (0.35, 4_200))
    )
    return Curve(
        tagged(
            ("torch", "hf", "lightning")[seed % 3],
            loss=clock.points(steps, relax(steps, 3.2, 0.7, 700) + harder + rng.normal(0, 0.06, 600)),
            val_loss=clock.points(checks, relax(checks, 4.0, 1.1, 1_800) + rng.normal(0, 0.02, 30), True),
            lr=clock.points(steps, np.full(600, 5e-4)),
        )
    )


@RECIPES("1.5 % positives: accuracy is 0.985 from the start, recall and precision are 0 for epochs before they climb")
def class_imbalance(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 35.0), grid(40, 1, 0)
    found = 1 / (1 + np.exp(-(epochs - 14) / 2.5))
    recall = np.where(epochs < 6, 0, 0.66 * found + rng.normal(0, 0.012, 40)).clip(0, 1)
    precision = np.where(recall > 0, 0.80 * found**0.3 + rng.normal(0, 0.02, 40), 0).clip(0, 1)
    both = np.divide(2 * recall * precision, recall + precision, out=np.zeros(40), where=recall + precision > 0)
    names = ("val_recall", "val_precision", "val_f1") if seed % 2 else ("Recall/val", "Precision/val", "F1/val")
    return Curve(
        tagged(
            ("torch", "lightning")[seed % 2],
            loss=clock.points(epochs, relax(epochs, 0.082, 0.030, 11) + rng.normal(0, 0.0006, 40)),
            val_loss=clock.points(epochs, relax(epochs, 0.078, 0.036, 11) + rng.normal(0, 0.0008, 40)),
            val_acc=clock.points(epochs, 0.985 + 0.0085 * found + rng.normal(0, 0.0004, 40)),
        )
        | {name: clock.points(epochs, one) for name, one in zip(names, (recall, precision, both), strict=True)},
        {"num_classes": 2.0},
    )


@RECIPES("six epochs with Keras, one value each: most logged runs are that short")
def six_epochs(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 80.0), grid(6, 1, 0)
    return Curve(
        tagged(
            ("keras", "torch", "lightning")[seed % 3],
            loss=clock.points(epochs, relax(epochs, 0.62, 0.16, 1.8) + rng.normal(0, 0.006, 6)),
            acc=clock.points(epochs, relax(epochs, 0.72, 0.945, 1.8) + rng.normal(0, 0.003, 6)),
            val_loss=clock.points(epochs, relax(epochs, 0.48, 0.30, 1.2) + rng.normal(0, 0.012, 6)),
            val_acc=clock.points(epochs, relax(epochs, 0.80, 0.885, 1.2) + rng.normal(0, 0.006, 6)),
        )
    )


@RECIPES("a trained classifier trained on: the loss is 0.02 give or take 10 % from the first step to the last")
def finetune_converged(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.3, 200)
    steps, checks = grid(200, 10), grid(10, 200)
    return Curve(
        tagged(
            ("hf", "torch", "lightning")[seed % 3],
            loss=clock.points(steps, 0.02 * (1 + rng.normal(0, 0.1, 200))),
            val_loss=clock.points(checks, 0.045 + rng.normal(0, 0.0006, 10), True),
            val_acc=clock.points(checks, 0.985 + rng.normal(0, 0.001, 10), True),
            lr=clock.points(steps, linear(steps, 2_000, 1e-5)),
        ),
        {"num_labels": 2.0} if seed % 2 else {},
    )


@RECIPES("ReduceLROnPlateau: long flat stretches, each of which ends with a tenth of the rate and a lower loss")
def reduce_on_plateau(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 50.0), grid(120, 1, 0)
    rate = np.select([epochs < 45, epochs < 85, epochs < 108], [0.1, 0.01, 0.001], 0.0001)
    drops = 0.30 * (epochs >= 45) * (1 - np.exp(-(epochs - 44) / 2)) + 0.06 * (epochs >= 85)
    return Curve(
        tagged(
            ("torch", "lightning", "keras")[seed % 3],
            loss=clock.points(epochs, relax(epochs, 1.9, 0.52, 9) - drops + rng.normal(0, 0.012, 120)),
            val_loss=clock.points(epochs, relax(epochs, 1.7, 0.70, 9) - 0.8 * drops + rng.normal(0, 0.02, 120)),
            val_acc=clock.points(epochs, relax(epochs, 0.4, 0.79, 9) + 0.35 * drops + rng.normal(0, 0.006, 120)),
            lr=clock.points(epochs, rate),
        )
    )


@RECIPES("gradual unfreezing: the backbone's rate is 0 for the first 40 % (Howard and Ruder 2018)")
def gradual_unfreezing(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.3, 200)
    steps, checks = grid(400, 10), grid(20, 200)
    thawed = (steps - 1_600).clip(0)
    loss = relax(steps, 1.8, 0.80, 250) - 0.45 * (1 - np.exp(-thawed / 400))
    accuracy = relax(checks, 0.35, 0.74, 250) + 0.13 * (1 - np.exp(-(checks - 1_600).clip(0) / 400))
    rates = ("lr-AdamW/pg1", "lr-AdamW/pg2") if seed % 2 == 0 else ("lr/backbone", "lr/head")
    return Curve(
        tagged(
            ("lightning", "torch")[seed % 2],
            loss=clock.points(steps, loss * rng.lognormal(0, 0.1, 400)),
            val_loss=clock.points(
                checks, relax(checks, 1.7, 0.85, 250) - 0.42 * (1 - np.exp(-(checks - 1_600).clip(0) / 400)), True
            ),
            val_acc=clock.points(checks, accuracy + rng.normal(0, 0.004, 20), True),
        )
        | {
            rates[0]: clock.points(steps, np.where(steps > 1_600, linear(steps, 4_000, 1e-4), 0)),
            rates[1]: clock.points(steps, linear(steps, 4_000, 1e-3)),
        },
        {"freeze_backbone": True},
    )


@RECIPES("grokking: validation gets worse for two thirds of the run, then everything is understood (Power et al. 2022)")
def grokking(rng: Rng, seed: int) -> Curve:
    clock, steps = Clock(rng, 0.05), grid(400, 25)
    at = rng.uniform(5_500, 7_000)
    understood = 1 / (1 + np.exp(-(steps - at) / 250))
    val_loss = (4.6 + 4.0 * (1 - np.exp(-steps / 900))) * (1 - understood) + 0.01
    return Curve(
        tagged(
            ("torch", "lightning")[seed % 2],
            loss=clock.points(steps, (relax(steps, 4.6, 0, 120) + 2e-4) * rng.lognormal(0, 0.15, 400)),
            acc=clock.points(steps, (1 - np.exp(-steps / 120)).clip(0, 1)),
            val_loss=clock.points(steps, val_loss * rng.lognormal(0, 0.03, 400)),
            val_acc=clock.points(steps, (0.02 + 0.978 * understood + rng.normal(0, 0.002, 400)).clip(0, 1)),
            lr=clock.points(steps, np.full(400, 1e-3)),
        )
    )


@RECIPES("CTC: all blanks at a loss of 2.9 for a quarter of the run, a word error rate of 1, then alignments are found")
def ctc_plateau(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.7, 500, 60)
    steps, checks = grid(480, 25), grid(24, 500)
    at = rng.uniform(2_800, 3_600)
    level = relax(steps, 25, 2.9, 120) - 2.45 * (1 - np.exp(-(steps - at).clip(0) / 1_500))
    val_level = relax(checks, 25, 2.92, 120) - 2.35 * (1 - np.exp(-(checks - at).clip(0) / 1_500))
    wrong = np.where(checks < at, 1.0, relax((checks - at).clip(0), 1.0, 0.24, 1_600) + rng.normal(0, 0.006, 24)).clip(
        0, 1
    )
    return Curve(
        tagged(
            ("hf", "lightning", "torch")[seed % 3],
            loss=clock.points(steps, level * rng.lognormal(0, 0.03, 480)),
            val_loss=clock.points(checks, val_level * rng.lognormal(0, 0.01, 24), True),
            lr=clock.points(steps, linear(steps, 12_000, 3e-4, 1_000)),
        )
        | {("eval/wer", "val_wer", "WER/val")[seed % 3]: clock.points(checks, wrong, True)}
    )


@RECIPES(
    "three epochs of instruction tuning: the loss falls in steps, since the model remembers each example it has seen"
)
def memory_steps_at_epochs(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 2.5, 400, 90)
    steps, checks = grid(120, 10), grid(3, 400)
    level = np.array([1.28, 1.04, 0.74])[((steps - 1) // 400).clip(0, 2)] + 0.3 * np.exp(-steps / 30)
    return Curve(
        tagged(
            "hf",
            loss=clock.points(steps, level + rng.normal(0, 0.03, 120)),
            val_loss=clock.points(checks, np.array([1.255, 1.235, 1.295]) + rng.normal(0, 0.003, 3), True),
            lr=clock.points(steps, cosine(steps, 1_200, 2e-5, 36)),
            grad_norm=clock.points(steps, rng.lognormal(0.1, 0.15, 120)),
            epoch=clock.points(steps, steps / 400),
        ),
        {"num_train_epochs": 3.0, "_name_or_path": "Qwen/Qwen2.5-1.5B"},
    )


@RECIPES("a regression whose explained variance is negative at first, as it is for a model worse than the mean")
def regression_from_negative_r2(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 4.0), grid(80, 1, 0)
    loss = relax(epochs, 3.4, 0.22, 11)
    names = ("val_r2", "val_mae") if seed % 2 else ("R2/val", "MAE/val")
    return Curve(
        tagged(
            ("torch", "lightning")[seed % 2],
            loss=clock.points(epochs, loss * rng.lognormal(0, 0.03, 80)),
            val_loss=clock.points(epochs, (loss + 0.06) * rng.lognormal(0, 0.03, 80)),
        )
        | {
            names[0]: clock.points(epochs, 1 - (loss + 0.06) * rng.lognormal(0, 0.03, 80)),
            names[1]: clock.points(epochs, 0.8 * np.sqrt(loss + 0.06) * rng.lognormal(0, 0.02, 80)),
        }
    )


@RECIPES("several tasks in one loss: the total falls while one of its parts, a regulariser, grows")
def one_part_rises(rng: Rng, seed: int) -> Curve:
    clock, steps = Clock(rng, 0.35), grid(400, 20)
    main, box, penalty = relax(steps, 2.3, 0.4, 1_500), relax(steps, 0.8, 0.35, 2_500), relax(steps, 0.02, 0.22, 2_500)
    parts = (("loss_cls", main), ("loss_box_reg", box), ("reg_loss", penalty))
    noisy = {name: one * rng.lognormal(0, 0.08, 400) for name, one in parts}
    total = np.sum(list(noisy.values()), axis=0)
    prefix = "train/" if seed % 2 else ""
    return Curve(
        {prefix + name: clock.points(steps, one) for name, one in (*noisy.items(), ("total_loss", total))}
        | {"lr": clock.points(steps, cosine(steps, 8_000, 0.02, 500))}
    )


@RECIPES("accuracy in percent, 10 to 93, as timm and MMEngine write it")
def percent_metrics(rng: Rng, seed: int) -> Curve:
    clock, epochs = Clock(rng, 70.0), grid(60, 1, 0)
    top1 = relax(epochs, 20, 93, 9) + rng.normal(0, 0.4, 60)
    names = (("eval_top1", "eval_top5"), ("accuracy/top1", "accuracy/top5"), ("Acc@1/val", "Acc@5/val"))[seed % 3]
    return Curve(
        {
            ("train_loss", "loss", "Loss/train")[seed % 3]: clock.points(
                epochs, relax(epochs, 2.1, 0.12, 9) + rng.normal(0, 0.006, 60)
            ),
            names[0]: clock.points(epochs, top1, True),
            names[1]: clock.points(epochs, relax(epochs, 70, 99.6, 7) + rng.normal(0, 0.08, 60), True),
            "lr": clock.points(epochs, cosine(epochs, 59, 0.1, 3)),
        }
    )


@RECIPES("one picture a batch: the loss of a detector is heavy-tailed all the time, with a slow trend under it")
def heavy_tailed_batches(rng: Rng, seed: int) -> Curve:
    clock = Clock(rng, 0.2, 500, 30)
    steps, checks = grid(1_000, 10), grid(20, 500)
    loss = relax(steps, 1.6, 0.5, 1_800) * rng.lognormal(0, 0.6, 1_000)
    loss *= np.where(rng.random(1_000) < 0.015, 1 + rng.pareto(2.0, 1_000), 1)
    return Curve(
        tagged(
            ("torch", "lightning")[seed % 2],
            loss=clock.points(steps, loss),
            val_loss=clock.points(checks, relax(checks, 1.9, 0.68, 1_800) + wander(rng, 20, 0.012, 2), True),
            lr=clock.points(steps, np.full(1_000, 1e-4)),
        )
    )
