"""Examples of the frameworks that are as their authors wrote them and learn, and whose logs look odd."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, JsonLines, TensorBoard
from bench.accuracy.loop import cross_entropy
from bench.accuracy.programs_field_common import above, below, fit, last, steady, told
from bench.accuracy.programs_mutant_common import cars, odd_into
from bench.accuracy.programs_post_common import board, over, pictures
from bench.accuracy.programs_qa_keras_common import arrays, seeded
from bench.accuracy.programs_qa_keras_common import fit as keras_fit

RECIPES: list[Recipe] = []
odd = odd_into(RECIPES)


# pytorch/examples dcgan, on points: Loss_D and Loss_G stay where they are, as both get better.
@odd("SummaryWriter, per step")
def dcgan_balanced(run: Path, seed: int) -> None:
    """A GAN of points whose losses hardly move, while its points come to lie where they should."""
    random = data.generator(seed)
    netg, netd = models.gan_pair(2, 8, 64)
    optg = torch.optim.Adam(netg.parameters(), lr=5e-4, betas=(0.5, 0.999))
    optd = torch.optim.Adam(netd.parameters(), lr=5e-4, betas=(0.5, 0.999))
    against = functional.binary_cross_entropy_with_logits
    centre, spread = torch.tensor([1.5, -1.0]), torch.tensor([0.6, 0.3])
    log = TensorBoard(run, "plain")

    def off(points: Tensor) -> float:
        found = points.detach()
        return float((found.mean(0) - centre).norm() + (found.std(0) - spread).norm())

    start = off(netg(torch.randn(256, 8, generator=random)))
    ends: list[float] = []
    for step in range(1, 1501):
        real = centre + spread * torch.randn(64, 2, generator=random)
        fake = netg(torch.randn(64, 8, generator=random))
        right, wrong = netd(real), netd(fake.detach())
        loss_d = against(right, torch.full_like(right, 0.9)) + against(wrong, torch.zeros_like(wrong))
        optd.zero_grad()
        loss_d.backward()
        optd.step()
        judged = netd(fake)
        loss_g = against(judged, torch.ones_like(judged))
        optg.zero_grad()
        loss_g.backward()
        optg.step()
        if step % 10 == 0:
            row = {
                "Loss_D": loss_d,
                "Loss_G": loss_g,
                "D(x)": right.sigmoid().mean(),
                "D(G(z))": wrong.sigmoid().mean(),
            }
            log.log(step, {name: float(value.detach()) for name, value in row.items()})
            ends.append(off(netg(torch.randn(256, 8, generator=random))))
    log.close()
    end = float(np.mean(ends[-20:]))
    require(end < 0.35 * start, f"points were {start:.3f} off at the start and {end:.3f} at the end")


# Keras' transfer learning guide: the base is frozen for the first half, then all is trained at a tenth of the rate.
@odd("TensorBoard callback of Keras with histogram_freq=1", dumps=True, framework="keras")
def transfer_guide(run: Path, seed: int) -> None:
    """A head on a frozen base, whose weights do not change for 8 epochs by intention, and fine-tuning after that."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(pictures(seed, 900))
    x, x_val = x / 255, x_val / 255
    layers = keras.layers
    base = keras.Sequential(
        [
            keras.Input((12, 12, 3)),
            layers.Conv2D(12, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(16, 3, activation="relu"),
            layers.Flatten(),
        ],
        name="base",
    )
    # The pretraining, on other pictures, is not part of the run.
    before, kinds, _, _ = arrays(pictures(seed + 100, 900))
    whole = keras.Sequential([base, layers.Dense(4, "softmax")])
    whole.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    whole.fit(before / 255, kinds, batch_size=32, epochs=8, verbose=0)
    base.trainable = False
    model = keras.Sequential([keras.Input((12, 12, 3)), base, layers.Dropout(0.2), layers.Dense(4, "softmax")])
    callback = board(keras, run, weights=1)
    found: dict[str, list[float]] = {}
    for rate, first in ((1e-3, 0), (1e-4, 8)):
        base.trainable = first > 0
        model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
        part = model.fit(
            x[:300],
            y[:300],
            batch_size=16,
            epochs=first + 8,
            initial_epoch=first,
            validation_data=(x_val, y_val),
            verbose=0,
            callbacks=[callback],
        ).history
        for name, values in part.items():
            found.setdefault(name, []).extend(float(value) for value in values)
    above(found, "val_accuracy", 0.8)
    steady(found, "val_loss", 0.15)


# Keras' documentation of ReduceLROnPlateau, on cars: the second half of the run lies at the level of the noise.
@odd("CSVLogger of Keras", framework="keras")
def plateau_at_noise(run: Path, seed: int) -> None:
    """Miles a gallon with ReduceLROnPlateau, at the level of the noise long before the end, with a rate of nearly nothing."""
    keras = seeded(seed)
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((9,)), dense(24, "relu"), dense(1)])
    model.compile(keras.optimizers.Adam(0.02), "mse", metrics=["mae"])
    reduce = keras.callbacks.ReduceLROnPlateau(factor=0.2, patience=4, min_lr=1e-6)
    of = arrays(cars(seed))
    found = keras_fit(model, of, 60, [reduce, keras.callbacks.CSVLogger(run / "auto_mpg.csv")], batch=16)
    require(last(found, "val_loss") < 0.2 * float(of[3].var()), told(found))
    steady(found, "val_loss", 0.1)


# Keras' knowledge_distillation.py in PyTorch's words: the loss of the student is a divergence of softened shares, about 0.01.
@odd("jsonl by hand")
def distillation_small_loss(run: Path, seed: int) -> None:
    """A small student of a larger teacher at a temperature of 10: the loss is tiny, and the student is as good."""
    of = over(data.bundled("digits", seed, scaled=False), 16)
    teacher, student = models.mlp((64, 96, 10)), models.mlp((64, 24, 10))
    optimizer = torch.optim.Adam(teacher.parameters(), lr=3e-3)
    stream = data.batches(of, 64, seed)
    for _ in range(300):
        x, y = next(stream)
        optimizer.zero_grad()
        cross_entropy(teacher(x), y).backward()
        optimizer.step()
    with torch.no_grad():
        wanted, wanted_val = ((teacher(one) / 10).softmax(-1) for one in (of.x, of.x_val))
    found = fit(
        student,
        data.Split(of.x, wanted, of.x_val, wanted_val),
        torch.optim.Adam(student.parameters(), lr=2e-3),
        25,
        JsonLines(run, "plain", "distill.jsonl", "epoch"),
        ("distillation_loss", "", "val_distillation_loss", "val_agreement"),
        loss=lambda outputs, soft: functional.kl_div((outputs / 10).log_softmax(-1), soft, reduction="batchmean"),
        metric=lambda outputs, soft: (outputs.argmax(-1) == soft.argmax(-1)).float().mean(),
        seed=seed,
    )
    above(found, "val_agreement", 0.88)
    steady(found, "val_distillation_loss", 0.15)


# pytorch/examples word_language_model as it is: a rate of 20, always clipped at 0.25, divided by 4 when the validation stands.
@odd("csv by hand, per step")
def word_model_annealed(run: Path, seed: int) -> None:
    """The word language model at a rate of 20, whose clipping at 0.25 is what makes that a sound rate."""
    of, words = data.characters(seed, 16, 450)
    model = models.Recurrent("GRU", 24, 48, words, vocabulary=words, every_step=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=20)
    best = [float("inf")]

    def anneal() -> dict[str, float]:
        with torch.no_grad():
            valid = float(cross_entropy(model(of.x_val), of.y_val))
        if valid > best[0] - 0.01:
            optimizer.param_groups[0]["lr"] /= 4
        best[0] = min(best[0], valid)
        return {}

    found = fit(
        model,
        of,
        optimizer,
        12,
        Csv(run, "plain", "lm.csv"),
        ("loss", "", "valid_loss", "valid_ppl"),
        metric=lambda outputs, targets: cross_entropy(outputs, targets).exp(),
        batch=20,
        seed=seed,
        every=10,
        clip=0.25,
        rate_tag="lr",
        also=anneal,
    )
    below(found, "valid_loss", 1.2)
    steady(found, "valid_loss", 0.1)


# XGBoost's tutorial on DART: trees are dropped while others are added, so that the losses go up and down.
@odd("evals_result of XGBoost as json", framework="xgboost")
def dart_booster(run: Path, seed: int) -> None:
    """Boosting with booster="dart", whose losses jump at single rounds and end low."""
    import xgboost

    of = data.imbalanced(seed, 900, 0.4)
    x, y, x_val, y_val = (one.numpy() for one in (of.x, of.y, of.x_val, of.y_val))
    settings = {
        "booster": "dart",
        "objective": "binary:logistic",
        "max_depth": 3,
        "eta": 0.1,
        "sample_type": "uniform",
        "normalize_type": "tree",
        "rate_drop": 0.1,
        "skip_drop": 0.5,
        "lambda": 3.0,
        "nthread": 1,
        "seed": seed,
        "eval_metric": ["logloss", "auc"],
    }
    train, test = xgboost.DMatrix(x, y), xgboost.DMatrix(x_val, y_val)
    results: dict[str, Any] = {}
    xgboost.train(settings, train, 70, [(train, "train"), (test, "eval")], evals_result=results, verbose_eval=False)
    (run / "dart.json").write_text(json.dumps(results), encoding="utf-8")
    require(last(results["eval"], "auc") > 0.9, told(results["eval"]))
    steady(results["eval"], "logloss", 0.15)
