"""Example scripts in PyTorch that somebody changed for their own data without a mistake, and whose logs look odd nevertheless."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.prune import RandomUnstructured
from torch.optim import lr_scheduler

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, TensorBoard
from bench.accuracy.programs_desk_common import gestures, spectra
from bench.accuracy.programs_field_common import Snapshots, Trail, above, below, last, steady, told
from bench.accuracy.programs_post_common import over, pictures
from bench.accuracy.programs_script_common import odd_into
from bench.accuracy.programs_script_torch_common import Poles, Printed, digits, evaluate, keep, loaders

RECIPES: list[Recipe] = []
odd = odd_into(RECIPES)


# The likelihood of a density is not that of a class: a loss below zero, and falling on, is what a mixture density network is to have.
@odd("Lightning's metrics.csv with train_nll and val_nll")
def density_below_zero(run: Path, seed: int) -> None:
    """A sensor's angle with little noise by a Gaussian likelihood that falls far below zero."""
    random = data.generator(seed)
    x = 6 * torch.rand(900, 1, generator=random) - 3
    y = 0.3 * torch.sin(2 * x) + (0.01 + 0.02 * (x > 0)) * torch.randn(900, 1, generator=random)
    train, _ = loaders(data.Split(x[:700], y[:700], x[700:], y[700:]), 32)
    model = models.mlp((1, 48, 48, 2), "tanh")

    def nll(outputs: Tensor, targets: Tensor) -> Tensor:
        variance = functional.softplus(outputs[:, 1:]) ** 2 + 1e-4
        return functional.gaussian_nll_loss(outputs[:, :1], targets, variance)

    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, 40 * len(train))
    log, trail = Csv(run, "plain", "metrics.csv", "epoch"), Trail()
    for epoch in range(40):
        total = 0.0
        for inputs, targets in train:
            optimizer.zero_grad()
            loss = nll(model(inputs), targets)
            loss.backward()
            optimizer.step()
            scheduler.step()
            total += float(loss) / len(train)
        with torch.no_grad():
            outputs = model(x[700:])
        values = {"train_nll": total, "val_nll": float(nll(outputs, y[700:]))}
        values["val_mae"] = float((outputs[:, :1] - y[700:]).abs().mean())
        log.log(epoch, keep(trail, values))
    log.close()
    below(trail, "val_nll", -1.5)
    below(trail, "val_mae", 0.05)
    steady(trail, "val_nll", 0.1)


# SGDR: each restart of the rate throws the loss up, and each cycle ends below the one before.
@odd("SummaryWriter with Loss/train, Loss/val, Accuracy/val, LR")
def warm_restarts(run: Path, seed: int) -> None:
    """Pictures under a cosine rate with three warm restarts, whose losses jump at each."""
    of = over(pictures(seed, 800, noise=80.0), 255)
    train, test = loaders(of, 32)
    model = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2))
    model.extend([nn.Conv2d(16, 24, 3), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5), nn.Linear(384, 4)])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.08, momentum=0.9, weight_decay=2e-3)
    scheduler = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=8 * len(train), eta_min=1e-5)
    log, trail = TensorBoard(run, "plain"), Trail()
    for epoch in range(32):
        rate, total = optimizer.param_groups[0]["lr"], 0.0
        for x, y in train:
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            scheduler.step()
            total += float(loss) * len(x) / len(of.x)
        val_loss, accuracy = evaluate(model, test)
        values = {"Loss/train": total, "Loss/val": val_loss, "Accuracy/val": accuracy, "LR": rate}
        log.log(epoch, keep(trail, values))
    log.close()
    above(trail, "Accuracy/val", 0.85)
    steady(trail, "Loss/val", 0.3)
    require(max(trail["LR"][8:]) > 20 * min(trail["LR"]), "no restarts")


# A critic is no classifier: in a WGAN-GP its loss is negative and goes toward zero, and the generator's wanders as it likes.
@odd("what the PyTorch-GAN collection prints, and a CSV of the same")
def wasserstein_critic(run: Path, seed: int) -> None:
    """Eight clouds in the plane by a WGAN-GP, with a generator's loss that drifts."""
    random = data.generator(seed)
    angle = torch.randint(0, 8, (2000,), generator=random) * math.pi / 4
    real = torch.stack([angle.cos(), angle.sin()], 1) + 0.08 * torch.randn(2000, 2, generator=random)
    generator, critic = models.gan_pair(2, 8, 48)
    optim_g = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.9))
    optim_c = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.9))
    out, log, trail = Printed(run, "wgan_gp.log"), Csv(run, "plain", "losses.csv", "batches_done"), Trail()

    def distance() -> float:
        with torch.no_grad():
            made, axes = generator(torch.randn(2000, 8)), torch.randn(2, 24)
        axes = axes / axes.norm(dim=0)
        return float(((made @ axes).sort(0).values - (real @ axes).sort(0).values).abs().mean())

    first = distance()
    for done in range(1, 601):
        for _ in range(3):
            x = real[torch.randint(0, 2000, (64,))]
            fake = generator(torch.randn(64, 8)).detach()
            share = torch.rand(64, 1)
            between = (share * x + (1 - share) * fake).requires_grad_(True)
            slope = torch.autograd.grad(critic(between).sum(), between, create_graph=True)[0]
            loss_c = critic(fake).mean() - critic(x).mean() + 0.5 * (slope.norm(dim=1) - 1).square().mean()
            optim_c.zero_grad()
            loss_c.backward()
            optim_c.step()
        loss_g = -critic(generator(torch.randn(64, 8))).mean()
        optim_g.zero_grad()
        loss_g.backward()
        optim_g.step()
        if done % 15 == 0:
            where = f"[Epoch {done // 31}/20] [Batch {done % 31}/31]"
            out(f"{where} [D loss: {float(loss_c):.6f}] [G loss: {float(loss_g):.6f}]")
            log.log(done, keep(trail, {"d_loss": float(loss_c), "g_loss": float(loss_g)}))
    out.close()
    log.close()
    require(distance() < 0.35 * first, f"{first:.3f} to {distance():.3f}; {told(trail)}")


# Mixup and smoothed labels: the training loss stays above the validation loss, and the training accuracy below, for good reasons.
@odd("JSON lines as timm writes its summary")
def mixup_and_smoothing(run: Path, seed: int) -> None:
    """Digits with mixed pictures and smoothed labels, on which training looks worse than validation."""
    of = digits(seed)
    train, test = loaders(of, 48)
    model = models.cnn(10, (12, 24, 24), norm=True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
    scheduler = lr_scheduler.CosineAnnealingLR(optimizer, 24)
    beta, log, trail = np.random.default_rng(seed), JsonLines(run, "plain", "summary.jsonl", "epoch"), Trail()
    for epoch in range(24):
        total = hits = 0.0
        for x, y in train:
            share, order = float(beta.beta(0.8, 0.8)), torch.randperm(len(x))
            outputs = model(share * x + (1 - share) * x[order])
            losses = [functional.cross_entropy(outputs, one, label_smoothing=0.1) for one in (y, y[order])]
            loss = share * losses[0] + (1 - share) * losses[1]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss) * len(x) / len(of.x)
            hits += float((outputs.argmax(1) == y).sum()) / len(of.x)
        scheduler.step()
        eval_loss, accuracy = evaluate(model, test)
        values = {"train_loss": total, "train_top1": 100 * hits, "eval_loss": eval_loss, "eval_top1": 100 * accuracy}
        log.log(epoch, keep(trail, values))
    log.close()
    above(trail, "eval_top1", 95)
    steady(trail, "eval_loss", 0.3)
    require(last(trail, "train_loss") > 2 * last(trail, "eval_loss"), told(trail))


# In Q-learning the loss grows with the returns: the targets are those of an ever better policy.
@odd("CleanRL's dqn.py: charts/episodic_return, losses/td_loss, losses/q_values in TensorBoard")
def cleanrl_dqn_loss_rises(run: Path, seed: int) -> None:
    """A pole on a cart by deep Q-learning, whose loss and values rise while the returns do."""
    network, target = models.mlp((4, 64, 64, 2)), models.mlp((4, 64, 64, 2))
    target.load_state_dict(network.state_dict())
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    poles, random, log, trail = Poles(seed, 4), np.random.default_rng(seed), TensorBoard(run, "plain"), Trail()
    states, following = torch.zeros(16000, 4), torch.zeros(16000, 4)
    actions, overs = torch.zeros(16000, dtype=torch.int64), torch.zeros(16000)
    for step in range(4000):
        chance = max(0.03, 1 - step / 1200)
        now = torch.tensor(poles.states, dtype=torch.float32)
        with torch.no_grad():
            greedy = network(now).argmax(1)
        chosen = [int(random.integers(2)) if random.random() < chance else int(one) for one in greedy]
        place = slice(4 * step, 4 * step + 4)
        overs[place] = torch.tensor(poles.step(chosen))
        states[place], actions[place] = now, torch.tensor(chosen)
        following[place] = torch.tensor(poles.states, dtype=torch.float32)
        if step < 100:
            continue
        at = torch.randint(0, 4 * step + 4, (64,))
        with torch.no_grad():
            goal = 1 + 0.98 * (1 - overs[at]) * target(following[at]).max(1).values
        values = network(states[at]).gather(1, actions[at, None])[:, 0]
        loss = functional.mse_loss(values, goal)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            target.load_state_dict(network.state_dict())
            found = {"losses/td_loss": float(loss), "losses/q_values": float(values.mean())}
            found |= {"charts/episodic_return": float(np.mean(poles.ended[-12:])), "charts/epsilon": chance}
            log.log(4 * step, keep(trail, found))
    log.close()
    above(trail, "charts/episodic_return", 80)
    require(last(trail, "losses/td_loss", 15) > 2 * min(trail["losses/td_loss"][:10]), told(trail))


# A frozen backbone is meant to stand still: two thirds of the weights never change, have no gradients, and the head learns.
@odd("fine-tuning tutorial's CSV, and histograms of all weights and of the head's gradients", dumps=True)
def frozen_backbone(run: Path, seed: int) -> None:
    """Gestures by a frozen encoder of random convolutions, and a head that is trained."""
    of = gestures(seed, 600, noise=0.3)
    of = data.Split(of.x.transpose(1, 2), of.y, of.x_val.transpose(1, 2), of.y_val)
    backbone = nn.Sequential(nn.Conv1d(3, 48, 7), nn.ReLU(), nn.Conv1d(48, 48, 5, stride=2), nn.ReLU())
    backbone.extend([nn.AdaptiveMaxPool1d(2), nn.Flatten()])
    model = nn.Sequential()
    model.add_module("backbone", backbone.requires_grad_(False))
    model.add_module("norm", nn.BatchNorm1d(96))
    model.add_module("head", nn.Linear(96, 5))
    train, test = loaders(of, 32)
    optimizer = torch.optim.SGD([one for one in model.parameters() if one.requires_grad], lr=0.02, momentum=0.9)
    log, trail, step = Csv(run, "plain", "finetune.csv", "epoch"), Trail(), 0
    snapshots = Snapshots(HistogramDump(run), model, 21, "torch", watched=False)
    for epoch in range(15):
        total = 0.0
        for x, y in train:
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(x), y)
            loss.backward()
            step += 1
            snapshots.take(step)
            optimizer.step()
            total += float(loss) * len(x) / len(of.x)
        val_loss, accuracy = evaluate(model, test)
        log.log(epoch, keep(trail, {"train_loss": total, "val_loss": val_loss, "val_acc": accuracy}))
    log.close()
    snapshots.to.close()
    above(trail, "val_acc", 0.85)
    steady(trail, "val_loss", 0.3)


# The pruning tutorial: eight of ten weights are zero from the start, on purpose, and stay so.
@odd("what a script prints, and HDF5 of weights, gradients and activations", dumps=True)
def pruned_at_start(run: Path, seed: int) -> None:
    """Plastics by a network of which four fifths of the weights are pruned before training."""
    of = spectra(seed, 800)
    train, test = loaders(of, 32)
    model = models.mlp((60, 96, 48, 5))
    pruned = [layer for layer in model if isinstance(layer, nn.Linear)][:2]
    for layer in pruned:
        RandomUnstructured.apply(layer, "weight", amount=0.8)  # type: ignore[no-untyped-call]
    optimizer = torch.optim.Adam(model.parameters(), lr=1.5e-3, weight_decay=1e-3)
    dump, out, trail, step = Hdf5Dump(run), Printed(run, "prune.log"), Trail(), 0
    for epoch in range(1, 16):
        total = 0.0
        for x, y in train:
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(x), y)
            loss.backward()
            step += 1
            if step % 38 == 1:
                tensors = {f"weights/fc{n}.weight": one.weight.detach().numpy() for n, one in enumerate(pruned, 1)}
                for name, one in model.named_parameters():
                    if one.grad is not None:
                        told_as = name.replace("_orig", "")
                        tensors[f"gradients/{told_as}"] = one.grad.numpy()
                        tensors.setdefault(f"weights/{told_as}", one.detach().numpy())
                dump.dump(step, tensors)
            optimizer.step()
            total += float(loss) * len(x) / len(of.x)
        val_loss, accuracy = evaluate(model, test)
        keep(trail, {"val_loss": val_loss, "val_acc": accuracy})
        told_now = f"loss: {total:.4f} - val_loss: {val_loss:.4f} - val_acc: {accuracy:.4f} - sparsity: 0.80"
        out(f"Epoch {epoch}/15 - {told_now}")
    out.close()
    dump.close()
    zeros = float(np.mean([float((one.weight == 0).float().mean()) for one in pruned]))
    require(zeros > 0.75, f"{zeros:.2f} of the weights are zero")
    above(trail, "val_acc", 0.85)
    steady(trail, "val_loss", 0.3)
