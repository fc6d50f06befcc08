"""Healthy programs that people asked about since they looked odd; the answer was that all is well."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, TensorBoard, TrainerState
from bench.accuracy.programs_field_common import Course, Descent, Snapshots, Trail, above, fit, go, last, steady, told
from bench.accuracy.programs_post_common import CartPole, board, houses, odd_into, returns, reviews, rollout
from bench.accuracy.programs_qa_keras_common import arrays, as_json, seeded
from bench.accuracy.programs_qa_keras_common import fit as keras_fit

RECIPES: list[Recipe] = []
odd = odd_into(RECIPES)


# Keras' FAQ, "Why is my training loss much higher than my testing loss?"
@odd("TensorBoard callback of Keras", framework="keras")
def validation_below_training(run: Path, seed: int) -> None:
    """Digits with dropout of a half and noise on the inputs: validation is better than training throughout, as both are off there."""
    keras = seeded(seed)
    of = arrays(data.bundled("digits", seed))
    layers = keras.layers
    hidden = [layers.GaussianNoise(0.6), layers.Dense(64, "relu"), layers.Dropout(0.5), layers.Dense(48, "relu")]
    model = keras.Sequential([keras.Input((64,)), *hidden, layers.Dropout(0.5), layers.Dense(10, "softmax")])
    model.compile(keras.optimizers.Adam(0.002), "sparse_categorical_crossentropy", metrics=["accuracy"])
    found = keras_fit(model, of, 25, [board(keras, run)])
    above(found, "val_accuracy", 0.94)
    steady(found, "val_loss")
    require(last(found, "val_loss") < 0.6 * last(found, "loss"), told(found))


# Stack Overflow, about "Keras accuracy does not change for the first epochs and then rises".
@odd("history.json", framework="keras")
def late_start(run: Path, seed: int) -> None:
    """Digits by two layers of sigmoids under SGD: some epochs at 2.3 before they begin to learn, and then well."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(data.bundled("digits", seed, scaled=False))
    of = x / 16, keras.utils.to_categorical(y, 10), x_val / 16, keras.utils.to_categorical(y_val, 10)
    dense = keras.layers.Dense
    hidden = [dense(40, "sigmoid"), dense(24, "sigmoid"), dense(16, "sigmoid")]
    model = keras.Sequential([keras.Input((64,)), *hidden, dense(10, "softmax")])
    model.compile(keras.optimizers.SGD(0.2, momentum=0.9), "categorical_crossentropy", metrics=["accuracy"])
    found = keras_fit(model, of, 50, batch=64)
    as_json(run, found)
    require(np.mean(found["val_accuracy"][:3]) < 0.3, told(found))
    above(found, "val_accuracy", 0.85)
    steady(found, "val_loss", 0.15)


# Cross Validated, about 282160 "How is it possible that validation loss is increasing while validation accuracy is increasing as well".
@odd("Lightning's csv by epochs")
def loss_and_accuracy_rise(run: Path, seed: int) -> None:
    """Reviews until the validation loss has been above its best three times: it ends a little higher, at an accuracy that is no lower."""
    of = reviews(seed, 900, share=0.2)
    model = nn.Sequential(nn.EmbeddingBag(300, 24), nn.Dropout(0.2), nn.Linear(24, 16), nn.ReLU(), nn.Linear(16, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    def stop(trail: Trail) -> bool:
        losses = trail["val_loss"]
        return len(losses) > 3 and min(losses[-3:]) > min(losses[:-3])

    tags = ("train_loss", "train_acc", "val_loss", "val_acc")
    found = fit(model, of, optimizer, 60, Csv(run, "plain", axis="epoch"), tags, seed=seed, stop=stop)
    best = int(np.argmin(found["val_loss"]))
    above(found, "val_acc", 0.78)
    require(found["val_acc"][-1] >= found["val_acc"][best] - 0.01, told(found))
    require(min(found["val_loss"]) < found["val_loss"][-1] < 1.1 * min(found["val_loss"]), told(found))


# reddit r/reinforcementlearning, about "Is it normal that the return of REINFORCE jumps so much?"
@odd("jsonl by episodes")
def noisy_return(run: Path, seed: int) -> None:
    """The pole on the cart by REINFORCE: returns of single episodes jump between 20 and 200 while their mean rises."""
    pole = CartPole(seed)
    policy = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)

    def episode(number: int) -> dict[str, float]:
        states, actions, rewards = rollout(policy, pole)
        gain = returns(rewards)
        gain = (gain - gain.mean()) / (gain.std() + 1e-6)
        shares = policy(states).log_softmax(-1)
        loss = -(shares[torch.arange(len(actions)), actions] * gain).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        entropy = -float((shares.exp() * shares).sum(-1).mean())
        return {"episode_return": float(rewards.sum()), "loss": float(loss.detach()), "entropy": entropy}

    found = go(Course(episode, 300, JsonLines(run, "plain", "progress.jsonl", axis="episode"), 1))
    begun = float(np.mean(found["episode_return"][:30]))
    require(last(found, "episode_return", 40) > max(60.0, 2 * begun), f"from {begun:.0f}: {told(found)}")


# pytorch forums, about "Negative loss with a normalizing flow / log likelihood, is it wrong?"
@odd("SummaryWriter by steps")
def negative_likelihood(run: Path, seed: int) -> None:
    """A flow of four couplings fitted to a narrow ring: its loss, the negative log-likelihood of a density, goes below zero."""
    random = data.generator(seed)
    angle = 6.28 * torch.rand(1200, generator=random)
    radius = 0.5 + 0.02 * torch.randn(1200, generator=random)
    points = torch.stack([radius * angle.cos(), radius * angle.sin()], 1)
    train, held = points[:900], points[900:]
    nets = nn.ModuleList(models.mlp((1, 32, 2)) for _ in range(6))
    optimizer = torch.optim.Adam(nets.parameters(), lr=3e-3)

    def surprise(x: Tensor) -> Tensor:
        z, change = x * 2, torch.full((len(x),), 2 * float(np.log(2)))
        for place, net in enumerate(nets):
            kept, moved = (z[:, :1], z[:, 1:]) if place % 2 == 0 else (z[:, 1:], z[:, :1])
            shift, scale = net(kept).chunk(2, 1)
            scale = scale.tanh() * 1.5
            moved = moved * scale.exp() + shift
            change = change + scale[:, 0]
            z = torch.cat([kept, moved] if place % 2 == 0 else [moved, kept], 1)
        return (0.5 * z.square().sum(1) + float(np.log(2 * np.pi)) - change).mean()

    def objective(step: int) -> tuple[Tensor, dict[str, float]]:
        return surprise(train[torch.randint(0, 900, (64,), generator=random)]), {}

    def evaluate() -> dict[str, float]:
        with torch.no_grad():
            return {"loss/test": float(surprise(held))}

    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 1000)
    step = Descent(nets, optimizer, objective, "loss/train", "lr", clip=5.0, schedule=schedule)
    found = go(Course(step, 1000, TensorBoard(run, "plain"), 5, True, evaluate, 50))
    require(last(found, "loss/test") < -0.3, told(found))
    steady(found, "loss/test", 0.2)


# pytorch forums, about "Loss jumps at each restart of CosineAnnealingWarmRestarts".
@odd("SummaryWriter by steps, with add_histogram of weights and gradients", dumps=True)
def warm_restarts(run: Path, seed: int) -> None:
    """Digits under SGD with warm restarts: loss jumps up each time that the rate does, and ends lower than before."""
    of = data.bundled("digits", seed).as_images()
    model = models.cnn(channels=(8, 16))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 172, 1, 1e-4)
    writer = TensorBoard(run, "plain")
    snapshots = Snapshots(HistogramDump(writer), model, 56, "torch", watched=False)
    found = fit(
        model,
        of,
        optimizer,
        16,
        writer,
        ("loss/train", "acc/train", "loss/val", "acc/val"),
        seed=seed,
        every=6,
        schedule=schedule,
        rate_tag="lr",
        snapshots=snapshots,
    )
    above(found, "acc/val", 0.95)
    steady(found, "loss/val", 0.2)


# Stack Overflow, about "Keras regression: loss of millions, but the predictions look right".
@odd("CSVLogger of Keras", framework="keras")
def loss_of_millions(run: Path, seed: int) -> None:
    """Prices of houses in dollars: the squared error ends in the millions, which is a good fit to prices of tens of thousands."""
    keras = seeded(seed)
    x, y, x_val, y_val = arrays(houses(seed))
    of = x, y * 1000, x_val, y_val * 1000
    dense = keras.layers.Dense
    model = keras.Sequential([keras.Input((10,)), dense(64, "relu"), dense(64, "relu"), dense(1)])
    model.compile(keras.optimizers.Adam(0.02), "mean_squared_error", metrics=["mae"])
    found = keras_fit(model, of, 60, [keras.callbacks.CSVLogger(run / "training.csv")], batch=16)
    fit_share = 1 - last(found, "val_loss") / float(np.var(of[3]))
    require(fit_share > 0.8, f"R² of {fit_share:.3f}: {told(found)}")
    require(last(found, "val_loss") > 1e6, told(found))
    steady(found, "val_loss", 0.15)


# Hugging Face forums, about "Accuracy is 0.9 already after the first evaluation of fine-tuning".
@odd("trainer_state.json; weights and gradients in hdf5", dumps=True)
def starts_at_its_end(run: Path, seed: int) -> None:
    """A net that knows digits is tuned to inverted contrast of a few pixels with a small rate: it starts at 0.9 and gains little."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 48, 32, 10))
    before = torch.optim.Adam(model.parameters(), lr=3e-3)
    stream = data.batches(of, 32, seed)
    for _ in range(250):
        x, y = next(stream)
        before.zero_grad()
        functional.cross_entropy(model(x), y).backward()
        before.step()
    turned = torch.ones(64)
    turned[torch.randperm(64, generator=data.generator(seed))[:5]] = -1
    of = data.Split(of.x * turned, of.y, of.x_val * turned, of.y_val)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)
    per_epoch = data.steps_per_epoch(of, 32)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / (5 * per_epoch))
    log = TrainerState(run, per_epoch, 5 * per_epoch, 10)
    snapshots = Snapshots(Hdf5Dump(run, name="tensors.h5"), model, 42, watched=False)
    found = fit(
        model,
        of,
        optimizer,
        5,
        log,
        ("train_loss", "", "val_loss", "val_accuracy"),
        seed=seed,
        every=10,
        rate_tag="lr",
        norm_tag="grad_norm",
        schedule=schedule,
        snapshots=snapshots,
    )
    require(found["val_accuracy"][0] > 0.85, told(found))
    above(found, "val_accuracy", 0.93)
    steady(found, "val_loss")
