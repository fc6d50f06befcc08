"""Notebooks in PyTorch that look odd and are healthy: restarts, losses below zero, losses that do not fall, a frozen net."""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, JsonLines, TensorBoard, TrainerState, tensors_of, watch
from bench.accuracy.programs_colab_common import odd_into
from bench.accuracy.programs_colab_torch_common import (
    HistoryJson,
    Mlflow,
    Poles,
    Track,
    houses,
    movements,
    one_epoch,
    shuffled,
    sketches,
    tickets,
    validate,
)

RECIPES: list[Recipe] = []
Build = Callable[[Path, int], None]
odd: Callable[..., Callable[[Build], Build]] = odd_into(RECIPES)


# "The rate jumps up three times and the loss with it: that is CosineAnnealingWarmRestarts, I take the last minimum."
@odd("tensorboard")
def warm_restarts(run: Path, seed: int) -> None:
    """SGD with warm restarts after 8, 24 and 56 epochs' worth; bumps in the loss at each, and a good end."""
    of = movements(seed, 1600, noise=0.6)
    model = nn.Sequential(nn.Flatten(), nn.Linear(90, 32), nn.ReLU(), nn.Dropout(0.4), nn.Linear(32, 4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-3)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=8, T_mult=2, eta_min=1e-4)
    track = Track(TensorBoard(run, "plain"))
    for epoch in range(56):
        rate = optimizer.param_groups[0]["lr"]
        loss, accuracy = one_epoch(model, of, optimizer, functional.cross_entropy)
        scheduler.step()
        val_loss, val_accuracy = validate(model, of, functional.cross_entropy)
        track.log(epoch, {"Loss/train": loss, "Loss/val": val_loss, "LR": rate})
        track.log(epoch, {"Accuracy/train": accuracy, "Accuracy/val": val_accuracy})
    track.close()
    what = f"accuracy {track.last('Accuracy/val'):.3f}, validation {track.last('Loss/val'):.3f}"
    what += f", best {min(track.columns['Loss/val']):.3f}"
    require(track.last("Accuracy/val") > 0.85 and track.near_best("Loss/val"), what)


# "My loss is negative! Yes: it is GaussianNLLLoss, and the density may be above 1."
@odd("history.json")
def negative_likelihood(run: Path, seed: int) -> None:
    """A net that predicts mean and variance of a precise measurement; the loss goes far below zero."""
    made = houses(seed, 700)
    x, x_val = made.x[:, :5], made.x_val[:, :5]

    def measured(of: Tensor) -> Tensor:
        mean = 0.3 * of[:, :1] + 0.2 * torch.tanh(of[:, 1:2])
        return mean + (0.03 + 0.05 * torch.sigmoid(of[:, 2:3])) * torch.randn(len(of), 1)

    of = data.Split(x, measured(x), x_val, measured(x_val))
    model = nn.Sequential(nn.Linear(5, 24), nn.Tanh(), nn.Linear(24, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003, weight_decay=1e-4)

    def likelihood(outputs: Tensor, targets: Tensor) -> Tensor:
        variance = functional.softplus(outputs[:, 1:]) + 1e-4
        return functional.gaussian_nll_loss(outputs[:, :1], targets, variance)

    track = Track(HistoryJson(run))
    for epoch in range(50):
        if epoch == 35:
            optimizer.param_groups[0]["lr"] = 0.0005
        loss, _ = one_epoch(model, of, optimizer, likelihood)
        val_loss, _ = validate(model, of, likelihood)
        with torch.no_grad():
            error = float((model(of.x_val)[:, :1] - of.y_val).abs().mean())
        track.log(epoch, {"nll": loss, "val_nll": val_loss, "val_mae": error})
    track.close()
    last, best = track.last("val_nll"), min(track.columns["val_nll"])
    require(
        last < -1 and last < best + 0.1, f"likelihood {last:.3f}, best {best:.3f}, error {track.last('val_mae'):.3f}"
    )


# "Training loss never gets below 0.6 while validation is at 0.2: mixup, label smoothing and dropout, all on purpose."
@odd("csv")
def mixup_and_smoothing(run: Path, seed: int) -> None:
    """A CNN with mixup, smoothed labels and dropout, whose training numbers stay worse than those of validation."""
    of = sketches(seed, 800)
    model = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.BatchNorm2d(12), nn.ReLU(), nn.MaxPool2d(2))
    model.append(nn.Conv2d(12, 24, 3, padding=1)).append(nn.BatchNorm2d(24)).append(nn.ReLU()).append(nn.MaxPool2d(2))
    model.append(nn.Flatten()).append(nn.Dropout(0.4)).append(nn.Linear(216, 4))
    epochs = 20
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003, weight_decay=0.01)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    track = Track(Csv(run, "plain", "summary.csv", "epoch"))
    for epoch in range(epochs):
        model.train()
        kept = []
        for x, y in shuffled(of.x, of.y, 32):
            share = float(torch.distributions.Beta(0.4, 0.4).sample())
            other = torch.randperm(len(x))
            outputs = model(share * x + (1 - share) * x[other])
            loss = share * functional.cross_entropy(outputs, y, label_smoothing=0.1)
            loss = loss + (1 - share) * functional.cross_entropy(outputs, y[other], label_smoothing=0.1)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            right = (outputs.argmax(1) == y).float().mean() * share + (outputs.argmax(1) == y[other]).float().mean() * (
                1 - share
            )
            kept.append((loss.item(), float(right)))
        val_loss, val_top1 = validate(model, of, functional.cross_entropy)
        train_loss, train_top1 = (sum(column) / len(kept) for column in zip(*kept, strict=True))
        row = {"train_loss": train_loss, "train_top1": train_top1, "eval_loss": val_loss, "eval_top1": val_top1}
        track.log(epoch, {**row, "lr": optimizer.param_groups[0]["lr"]})
        scheduler.step()
    track.close()
    last, reached = track.last("eval_loss"), track.last("eval_top1")
    what = f"accuracy {reached:.3f}, validation {last:.3f}, training {track.last('train_loss'):.3f}"
    require(reached > 0.9 and last < track.last("train_loss") and track.near_best("eval_loss", 1.2), what)


# "The losses of my actor-critic do not go down, the critic's even goes up at first. But look at the reward."
@odd("json lines")
def actor_critic(run: Path, seed: int) -> None:
    """Actor-critic on cart-poles: the critic's loss grows with the reward for a third of the training, which it should."""
    poles = Poles(16, seed)
    body = nn.Sequential(nn.Linear(4, 32), nn.Tanh())
    actor, critic = nn.Linear(32, 2), nn.Linear(32, 1)
    optimizer = torch.optim.Adam([*body.parameters(), *actor.parameters(), *critic.parameters()], lr=0.01)
    track = Track(JsonLines(run, "plain", "progress.jsonl", "update"))
    for update in range(60):
        state, alive = poles.reset(), torch.ones(16)
        chosen, entropies, masks, values = [], [], [], []
        while alive.any():
            hidden = body(state)
            shares = functional.log_softmax(actor(hidden), dim=1)
            action = torch.multinomial(shares.exp(), 1)
            chosen.append(shares.gather(1, action).squeeze(1))
            entropies.append(-(shares.exp() * shares).sum(1))
            values.append(critic(hidden).squeeze(1))
            masks.append(alive)
            state, done = poles.step(action.squeeze(1))
            alive = alive * (~done).float()
        mask, value = torch.stack(masks), torch.stack(values)
        returns, after = torch.zeros_like(mask), torch.zeros(16)
        for moment in range(len(mask) - 1, -1, -1):
            after = mask[moment] * (1 + 0.98 * after)
            returns[moment] = after
        steps = mask.sum()
        ahead = (returns - value).detach() * mask
        ahead = (ahead - ahead.sum() / steps) / (ahead.pow(2).sum() / steps).sqrt().clamp(min=1e-6)
        actor_loss = -(torch.stack(chosen) * ahead * mask).sum() / steps
        critic_loss = ((value - returns) ** 2 * mask).sum() / steps
        entropy = (torch.stack(entropies) * mask).sum() / steps
        optimizer.zero_grad()
        torch.autograd.backward(actor_loss + 0.01 * critic_loss - 0.01 * entropy)
        optimizer.step()
        told = {"ep_rew_mean": float(mask.sum(0).mean()), "entropy": entropy.item()}
        track.log(update, {**told, "policy_loss": actor_loss.item(), "value_loss": critic_loss.item()})
    track.close()
    reached, first = track.last("ep_rew_mean", 5), track.columns["ep_rew_mean"][0]
    require(reached > 70 and reached > 2 * first, f"reward {reached:.1f} after {first:.1f}")


class Words(nn.Module):
    """A transformer with a fixed table of places, and a padding word that stays zero."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(221, 32, padding_idx=220)
        angle = torch.arange(16)[:, None] / 10 ** (torch.arange(16) / 8)
        self.position = nn.Parameter(torch.cat([angle.sin(), angle.cos()], 1) * 0.3, requires_grad=False)
        self.encoder = nn.TransformerEncoderLayer(32, 4, 48, dropout=0.2, batch_first=True, norm_first=True)
        self.dropout, self.classifier = nn.Dropout(0.3), nn.Linear(32, 6)

    def forward(self, x: Tensor) -> Tensor:
        """Logits of the topics."""
        states = self.encoder(self.embedding(x) + self.position)
        logits: Tensor = self.classifier(self.dropout(states.mean(1)))
        return logits


# "Gradient norm above max_grad_norm in nearly all steps, a warm-up of a third of the training, places that never change: all fine."
@odd("trainer_state.json and hdf5", dumps=True)
def clipped_warmup_topics(run: Path, seed: int) -> None:
    """A small transformer with a long warm-up and a clip that mostly acts, fixed places, and a padding word that is never used."""
    of = tickets(seed, 1600, told=0.45)
    model = Words()
    batches, epochs = len(of.x) // 30, 7
    planned = batches * epochs
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.003, weight_decay=0.05)

    def rate(step: int) -> float:
        return (step + 1) / (planned / 3) if step < planned / 3 else (planned - step) / (planned * 2 / 3)

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    track, dump = Track(TrainerState(run, batches, planned)), Hdf5Dump(run)
    activations = watch(model)
    step, norm = 0, 0.0
    for _ in range(epochs):
        model.train()
        for x, y in shuffled(of.x, of.y, 30):
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(x), y)
            torch.autograd.backward(loss)
            norm = float(nn.utils.clip_grad_norm_([one for one in model.parameters() if one.requires_grad], 0.2))
            if step % 60 == 0:
                dump.dump(step, tensors_of(model, activations))
            step += 1
            if step % 10 == 0:
                now = {"train_loss": loss.item(), "grad_norm": norm, "lr": optimizer.param_groups[0]["lr"]}
                track.log(step, now)
            optimizer.step()
            scheduler.step()
        val_loss, val_accuracy = validate(model, of, functional.cross_entropy)
        track.log(step, {"val_loss": val_loss, "val_accuracy": val_accuracy})
    track.close()
    dump.close()
    what = f"accuracy {track.last('val_accuracy'):.3f}, validation {track.last('val_loss'):.3f}"
    what += f", best {min(track.columns['val_loss']):.3f}"
    require(track.last("val_accuracy") > 0.75 and track.near_best("val_loss"), what)


# "Fine-tuning: it begins at 97 % and ends at 98 %, the loss hardly moves, rate 1e-4. The pretraining was on cleaner pictures."
@odd("files of mlflow")
def tuned_from_a_good_start(run: Path, seed: int) -> None:
    """A net that has been trained on sketches before goes on with a small rate on noisier ones."""
    before, of = sketches(seed + 50, 1200, noise=0.1), sketches(seed, 600, noise=0.15)
    model = nn.Sequential(nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.2))
    model.append(nn.Linear(432, 48)).append(nn.ReLU()).append(nn.Linear(48, 4))
    pretraining = torch.optim.Adam(model.parameters(), lr=0.002)
    for _ in range(14):
        one_epoch(model, before, pretraining, functional.cross_entropy)
    for parameter in model[0].parameters():
        parameter.requires_grad = False
    optimizer = torch.optim.Adam([one for one in model.parameters() if one.requires_grad], lr=0.0001)
    track = Track(Mlflow(run))
    for epoch in range(12):
        loss, accuracy = one_epoch(model, of, optimizer, functional.cross_entropy)
        val_loss, val_acc = validate(model, of, functional.cross_entropy)
        track.log(epoch, {"train_loss": loss, "train_acc": accuracy, "val_loss": val_loss, "val_acc": val_acc})
    track.close()
    what = f"accuracy {track.columns['val_acc'][0]:.3f} to {track.last('val_acc'):.3f}, validation {track.last('val_loss'):.3f}"
    what += f", best {min(track.columns['val_loss']):.3f}"
    require(track.last("val_acc") > 0.9 and track.near_best("val_loss"), what)
