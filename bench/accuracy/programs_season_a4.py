"""Season programs of part a: healthy ones that look odd."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import (
    Console,
    Csv,
    Hdf5Dump,
    HistogramDump,
    JsonLines,
    KerasDirectories,
    ParquetDump,
    TensorBoard,
    TrainerState,
)
from bench.accuracy.loop import accuracy
from bench.accuracy.programs_desk_common import gestures, spectra
from bench.accuracy.programs_field_common import (
    Course,
    Descent,
    Snapshots,
    above,
    fit,
    go,
    last,
    steady,
    told,
)
from bench.accuracy.programs_post_common import CartPole, explained, over, pictures, returns, rollout
from bench.accuracy.programs_season_a_common import Gcn, Taste, bikes, headlines, papers, ratings, spoken
from bench.accuracy.programs_season_common import odd_into

RECIPES: list[Recipe] = []
odd = odd_into(RECIPES)


# "Validation is better than training, all the time": three quarters of each layer are dropped, and training is measured with it.
@odd("Lightning's metrics.csv")
def a_heavy_dropout(run: Path, seed: int) -> None:
    """Plastics from spectra by an MLP with a dropout of 0.75."""
    of = spectra(seed)
    model = models.mlp((60, 96, 96, 5), dropout=0.75)
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3),
        18,
        Csv(run, "plain", "metrics.csv", "epoch"),
        ("train_loss", "train_acc", "val_loss", "val_acc"),
        seed=seed,
    )
    above(found, "val_acc", 0.9)
    steady(found, "val_loss", 0.4)
    require(last(found, "val_loss") < last(found, "train_loss"), told(found))


# "The loss stands at 0.9 though nearly all is right": label_smoothing=0.2.
@odd("SummaryWriter and add_histogram of weights and gradients", dumps=True)
def a_label_smoothing(run: Path, seed: int) -> None:
    """Digits by a CNN with smoothed labels."""
    of = data.bundled("digits", seed).as_images()
    model = models.cnn(10, (6, 12), norm=True)
    writer = TensorBoard(run, "plain")
    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=3e-3),
        12,
        writer,
        ("Loss/train", "Accuracy/train", "Loss/test", "Accuracy/test"),
        loss=nn.CrossEntropyLoss(label_smoothing=0.2),
        seed=seed,
        batch=64,
        snapshots=Snapshots(HistogramDump(writer), model, 22, "torch", watched=False),
    )
    above(found, "Accuracy/test", 0.95)
    steady(found, "Loss/test", 0.1)


# "The rate goes up again and again, and the loss with it": CosineAnnealingWarmRestarts.
@odd("SummaryWriter each 10 batches")
def a_warm_restarts(run: Path, seed: int) -> None:
    """Gestures by a 1-D CNN under SGD with warm restarts; ends at the end of a cycle."""
    of = gestures(seed)
    of = replace(of, x=of.x.transpose(1, 2), x_val=of.x_val.transpose(1, 2))
    pooled = (nn.AdaptiveMaxPool1d(2), nn.Flatten())
    model = nn.Sequential(nn.Conv1d(3, 12, 5), nn.ReLU(), nn.Conv1d(12, 16, 5), nn.ReLU(), *pooled, nn.Linear(32, 5))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    found = fit(
        model,
        of,
        optimizer,
        24,
        TensorBoard(run, "plain"),
        ("train/loss", "train/acc", "val/loss", "val/acc"),
        seed=seed,
        every=6,
        rate_tag="train/lr",
        schedule=torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 8 * 12),
    )
    above(found, "val/acc", 0.9)
    steady(found, "val/loss", 0.5)


# "grad is None for most of my layers": a backbone that was trained before stays frozen; only the head learns.
@odd("Hugging Face's trainer_state.json and weights with gradients in Parquet", dumps=True)
def a_frozen_backbone(run: Path, seed: int) -> None:
    """The desk of a headline by embeddings trained on other headlines, frozen, and a head of two layers."""
    before, of = headlines(seed + 30, told=0.4), headlines(seed, told=0.4)
    model = nn.Sequential()
    embedding, head = nn.EmbeddingBag(260, 24), models.mlp((24, 24, 5))
    model.add_module("embedding", embedding)
    model.add_module("classifier", models.mlp((24, 24, 5)))
    first = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(50):
        first.zero_grad()
        functional.cross_entropy(model(before.x), before.y).backward()
        first.step()
    embedding.weight.requires_grad_(False)
    model.classifier = head
    optimizer = torch.optim.AdamW(head.parameters(), lr=3e-3)
    found = fit(
        model,
        of,
        optimizer,
        10,
        TrainerState(run, 22, 220),
        ("train_loss", "", "val_loss", "val_accuracy"),
        seed=seed,
        every=11,
        norm_tag="grad_norm",
        rate_tag="lr",
        schedule=torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, 220),
        snapshots=Snapshots(ParquetDump(run), model, 44, watched=False),
    )
    above(found, "val_accuracy", 0.75)
    steady(found, "val_loss", 0.2)


# "The loss is below zero": a Gaussian likelihood of a target that can be told well.
@odd("csv by hand")
def a_negative_likelihood(run: Path, seed: int) -> None:
    """Bikes lent in an hour and how sure that is, by GaussianNLLLoss."""
    of = bikes(seed, samples=1600)
    of = replace(of, y=of.y * 0.3, y_val=of.y_val * 0.3)
    model = models.mlp((9, 32, 32, 2), "tanh")

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.gaussian_nll_loss(outputs[:, :1], targets, functional.softplus(outputs[:, 1:]) + 1e-3)

    found = fit(
        model,
        of,
        torch.optim.Adam(model.parameters(), lr=2e-3, weight_decay=1e-4),
        30,
        Csv(run, "plain", "history.csv", "epoch"),
        ("train_nll", "", "val_nll", "val_r2"),
        loss=loss,
        metric=lambda outputs, targets: explained(outputs[:, :1], targets),
        seed=seed,
    )
    above(found, "val_r2", 0.85)
    steady(found, "val_nll", 0.1)
    require(found["val_nll"][-1] < -0.5, told(found))


# "Most rows of the gradient are zero": a recommender with nn.Embedding(sparse=True), of which a batch meets few rows.
@odd("jsonl and weights with gradients in HDF5", dumps=True)
def a_rare_rows(run: Path, seed: int) -> None:
    """Stars of films by a matrix factorisation; each batch of 16 moves few rows."""
    of = ratings(seed)
    model = Taste()
    found = fit(
        model,
        of,
        torch.optim.Adagrad(model.parameters(), lr=0.05),
        12,
        JsonLines(run, "plain", "train_log.jsonl", "epoch"),
        ("train_rmse2", "", "val_rmse2", "val_r2"),
        loss=functional.mse_loss,
        metric=explained,
        batch=16,
        seed=seed,
        snapshots=Snapshots(Hdf5Dump(run), model, 220, watched=False),
    )
    above(found, "val_r2", 0.4)
    steady(found, "val_rmse2", 0.15)


# "It was killed twice by the scheduler of the cluster": two files of events, the second goes on where the first ends.
@odd("SummaryWriter, two event files")
def a_resumed_twice(run: Path, seed: int) -> None:
    """Coloured shapes by a CNN, stopped and resumed with everything kept."""
    of = over(pictures(seed), 255)
    model = nn.Sequential(
        nn.Conv2d(3, 12, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(12, 16, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(144, 4),
    )
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    found: dict[str, list[float]] = {}
    for part, epochs in enumerate((9, 7)):
        now = fit(
            model,
            of,
            optimizer,
            epochs,
            TensorBoard(run, "plain", suffix=f".{part}"),
            ("loss/train", "acc/train", "loss/val", "acc/val"),
            seed=seed + part,
            first=9 * part,
        )
        for tag, values in now.items():
            found.setdefault(tag, []).extend(values)
    above(found, "acc/val", 0.8)
    steady(found, "loss/val", 0.3)


# "Reward jumps up and down": REINFORCE on the pole, one episode a step.
@odd("SummaryWriter each episode")
def a_pole_noisy_returns(run: Path, seed: int) -> None:
    """The pole on a cart by REINFORCE with a running baseline."""
    pole, policy = CartPole(seed, 150), models.mlp((4, 24, 2), "tanh")
    running = [20.0]

    def objective(step: int) -> tuple[Tensor, Mapping[str, float]]:
        episodes = [rollout(policy, pole) for _ in range(2)]
        states, actions = torch.cat([one[0] for one in episodes]), torch.cat([one[1] for one in episodes])
        gains = torch.cat([returns(one[2], 0.98) for one in episodes])
        gains = (gains - gains.mean()) / (gains.std() + 1e-6)
        shares = policy(states).log_softmax(-1)
        entropy = -(shares.exp() * shares).sum(-1).mean()
        reward = float(np.mean([float(one[2].sum()) for one in episodes]))
        running.append(0.95 * running[-1] + 0.05 * reward)
        loss = -(shares[torch.arange(len(actions)), actions] * gains).mean() - 0.01 * entropy
        return loss, {"episode_reward": reward, "policy_entropy": float(entropy.detach())}

    step = Descent(policy, torch.optim.Adam(policy.parameters(), lr=1e-2), objective, "policy_loss")
    found = go(Course(step, 150, TensorBoard(run, "plain"), every=1))
    require(float(np.mean(found["episode_reward"][-30:])) > 60, told(found))


# "Neither loss goes down": a GAN that works.
@odd("csv with a row each epoch")
def a_gan_even_losses(run: Path, seed: int) -> None:
    """Heights and weights, standardised, by a small GAN."""
    random = data.generator(seed)
    maker, judge = models.gan_pair(2, 8, 48)
    of_maker = torch.optim.Adam(maker.parameters(), lr=1e-3, betas=(0.5, 0.999))
    of_judge = torch.optim.Adam(judge.parameters(), lr=1e-3, betas=(0.5, 0.999))
    flag = functional.binary_cross_entropy_with_logits

    def heights(count: int) -> Tensor:
        z = torch.randn(count, 2, generator=random)
        return torch.stack([1 + 0.8 * z[:, 0], -0.5 + 0.6 * z[:, 0] + 0.5 * z[:, 1]], 1)

    def step(number: int) -> Mapping[str, float]:
        real, made = heights(64), maker(torch.randn(64, 8, generator=random))
        of_judge.zero_grad()
        said, faked = judge(real), judge(made.detach())
        judged = (flag(said, torch.ones(64, 1)) + flag(faked, torch.zeros(64, 1))) / 2
        judged.backward()
        of_judge.step()
        of_maker.zero_grad()
        fooled = flag(judge(made), torch.ones(64, 1))
        fooled.backward()
        of_maker.step()
        return {
            "loss_D": float(judged.detach()),
            "loss_G": float(fooled.detach()),
            "D(x)": float(said.detach().sigmoid().mean()),
            "D(G(z))": float(faked.detach().sigmoid().mean()),
        }

    found = go(Course(step, 30 * 50, Csv(run, "plain", "gan.csv", "epoch"), per_epoch=50))
    with torch.no_grad():
        made = maker(torch.randn(500, 8, generator=random))
    mean, spread = made.mean(0), made.std(0)
    near = float((mean - torch.tensor([1.0, -0.5])).abs().max()) < 0.6
    require(near and float(spread.min()) > 0.35 and float(spread.max()) < 1.6, f"{mean} {spread} {told(found)}")


# "Only half of them right after all": six words in loud noise; chance is a sixth, and it still climbs slowly.
@odd("console log with a line each epoch")
def a_hard_but_learning(run: Path, seed: int) -> None:
    """Spoken words in loud noise by a GRU with dropout."""
    of = spoken(seed, samples=1000, noise=1.5)
    model = nn.Sequential(nn.Dropout(0.3), models.Recurrent("gru", 12, 16, 6))
    found = fit(
        model,
        of,
        torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.05),
        16,
        Console(run, "plain", "log.txt", "epoch"),
        ("loss", "acc", "val_loss", "val_acc"),
        seed=seed,
    )
    above(found, "val_acc", 0.35)
    steady(found, "val_loss", 0.1)


# "80 labels in all, and it stops after some epochs": a graph of papers with early stopping.
@odd("SummaryWriter in train/ and validation/ as of Keras")
def a_few_labels_early_stop(run: Path, seed: int) -> None:
    """Fields of papers by two graph convolutions, stopped when the validation loss has not fallen for twelve epochs."""
    of = papers(seed)
    model = Gcn(of.x.shape[1], 16, 4, 2)

    def objective(step: int) -> tuple[Tensor, Mapping[str, float]]:
        outputs = model(of.x, of.a)[of.train]
        return functional.cross_entropy(outputs, of.y[of.train]), {}

    def evaluate() -> Mapping[str, float]:
        model.eval()
        with torch.no_grad():
            outputs = model(of.x, of.a)[of.val]
        model.train()
        loss = functional.cross_entropy(outputs, of.y[of.val])
        return {"val_loss": float(loss), "val_accuracy": float(accuracy(outputs, of.y[of.val]))}

    def stop(trail: dict[str, list[float]]) -> bool:
        return len(trail["val_loss"]) - 1 - int(np.argmin(trail["val_loss"])) >= 12

    step = Descent(model, torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=5e-3), objective, "train_loss")
    found = go(Course(step, 100, KerasDirectories(run), evaluate=evaluate, per_epoch=1, stop=stop))
    above(found, "val_accuracy", 0.75)
    steady(found, "val_loss", 0.2)
