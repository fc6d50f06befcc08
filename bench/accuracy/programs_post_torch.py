"""Programs in torch that people asked about, and with the answer's fix: steps, shapes, losses, starts, policies, generators."""

import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Console, Csv, Hdf5Dump, HistogramDump, JsonLines, TensorBoard
from bench.accuracy.programs_field_common import (
    BADLY_LEARNED,
    BLOWN_UP,
    NOTHING_LEARNED,
    Course,
    Snapshots,
    above,
    below,
    fit,
    go,
    last,
    not_above,
    not_below,
    steady,
    told,
)
from bench.accuracy.programs_post_common import (
    CartPole,
    explained,
    hits,
    houses,
    into,
    patients,
    pictures,
    returns,
    rollout,
)

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# In the manner of pytorch forums, "Network always predicts the mean": target of size [n] against input of size [n, 1] in MSELoss.
@pair("targets-broadcast", (*BADLY_LEARNED, "metric-at-chance"), "SummaryWriter by epochs")
def mse_broadcast(run: Path, seed: int, fixed: bool) -> None:
    """Prices of houses with targets (n,) under outputs (n, 1), so that each output is held to all prices; fixed: unsqueeze(1)."""
    of = houses(seed)
    mean, deviation = of.y.mean(), of.y.std()
    of = data.Split(of.x, (of.y - mean) / deviation, of.x_val, (of.y_val - mean) / deviation)
    model = models.mlp((10, 64, 32, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)

    def squares(outputs: Tensor, targets: Tensor) -> Tensor:
        return (outputs - (targets if fixed else targets[:, 0])).square().mean()

    tags = ("Loss/train", "", "Loss/val", "R2/val")
    log = TensorBoard(run, "plain")
    found = fit(model, of, optimizer, 30, log, tags, loss=squares, metric=explained, seed=seed, batch=16)
    if fixed:
        above(found, "R2/val", 0.75)
        steady(found, "Loss/val", 0.15)
    else:
        below(found, "R2/val", 0.2)
        not_below(found, "Loss/train", 0.8)


# In the manner of pytorch forums, "Why do we need to call zero_grad()" and questions on the CIFAR-10 tutorial whose loss grows.
@pair("gradients-never-zeroed", (*BLOWN_UP, *NOTHING_LEARNED), "console log of the tutorial's kind")
def tutorial_no_zero_grad(run: Path, seed: int, fixed: bool) -> None:
    """The tutorial's small CNN on pictures, whose optimizer.zero_grad() was lost in copying; fixed: it is called."""
    of = pictures(seed)
    of = data.Split(of.x / 127.5 - 1, of.y, of.x_val / 127.5 - 1, of.y_val)
    model = nn.Sequential(
        nn.Conv2d(3, 6, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 32),
        nn.ReLU(),
        nn.Linear(32, 4),
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    tags = ("running_loss", "", "test_loss", "test_accuracy")
    log = Console(run, "plain", "output.log", "iteration")
    found = fit(model, of, optimizer, 12, log, tags, seed=seed, batch=4, every=10, zero=fixed)
    if fixed:
        above(found, "test_accuracy", 0.8)
        steady(found, "test_loss", 0.3)
    else:
        below(found, "test_accuracy", 0.45)


# In the manner of Stack Overflow, "PyTorch loss is huge at the start": weights made by nn.Parameter(torch.rand(...)) (NeuraLint).
@pair(
    "weights-all-positive",
    ("poor-initialization", "initial-loss", "exploding-tensor", "exploding-gradient", *BLOWN_UP, *BADLY_LEARNED),
    "SummaryWriter by steps, with add_histogram",
    dumps=True,
)
def rand_weights(run: Path, seed: int, fixed: bool) -> None:
    """Digits by five layers whose weights are torch.rand, so that all add up; fixed: xavier_uniform_."""
    of = data.bundled("digits", seed, scaled=False)
    of = data.Split(of.x / 16, of.y, of.x_val / 16, of.y_val)
    model = models.mlp((64, 64, 64, 64, 32, 10))
    for name, one in model.named_parameters():
        if "bias" in name:
            nn.init.zeros_(one)
        elif fixed:
            nn.init.xavier_uniform_(one)
        else:
            nn.init.uniform_(one)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    writer = TensorBoard(run, "plain")
    snapshots = Snapshots(HistogramDump(writer), model, 60, "torch", watched=False)
    tags = ("loss", "acc", "val_loss", "val_acc")
    found = fit(model, of, optimizer, 10, writer, tags, seed=seed, every=5, snapshots=snapshots)
    if fixed:
        above(found, "val_acc", 0.88)
        steady(found, "val_loss")
    else:
        require(found["loss"][0] > 1e3, told(found))
        not_above(found, "val_acc", 0.75)


# In the manner of pytorch forums, "Fine-tuning: loss does not change": the optimizer was made before model.fc was replaced.
@pair(
    "optimizer-of-other-parameters",
    ("unchanged-tensor", "updates-too-small", *NOTHING_LEARNED),
    "SummaryWriter by epochs, with add_histogram of weights and gradients",
    dumps=True,
)
def optimizer_before_head(run: Path, seed: int, fixed: bool) -> None:
    """A frozen net of digits gets a new fc for the digits 5 to 9, of which the optimizer made before knows nothing; fixed: made after."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 96, 64, 5))
    first = of.y < 5
    early = torch.optim.Adam(model.parameters(), lr=3e-3)
    stream = data.batches(data.Split(of.x[first], of.y[first], of.x_val, of.y_val), 32, seed)
    for _ in range(120):
        x, y = next(stream)
        early.zero_grad()
        functional.cross_entropy(model(x), y).backward()
        early.step()
    for one in model.parameters():
        one.requires_grad = False
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    place = len(model) - 1
    model[place] = nn.Linear(64, 5)
    if fixed:
        optimizer = torch.optim.Adam(model[place].parameters(), lr=1e-2)
    kept, kept_val = of.y > 4, of.y_val > 4
    of = data.Split(of.x[kept], of.y[kept] - 5, of.x_val[kept_val], of.y_val[kept_val] - 5)
    writer = TensorBoard(run, "plain")
    snapshots = Snapshots(HistogramDump(writer), model, 21, "torch", watched=False)
    tags = ("Train/Loss", "Train/Acc", "Val/Loss", "Val/Acc")
    # Both zero all gradients, as the trainer of the thread called model.zero_grad().
    model.register_forward_pre_hook(lambda *_: model.zero_grad())
    found = fit(model, of, optimizer, 12, writer, tags, seed=seed, snapshots=snapshots)
    if fixed:
        above(found, "Val/Acc", 0.8)
        steady(found, "Val/Loss")
    else:
        below(found, "Val/Acc", 0.5)
        require(max(found["Val/Loss"]) - min(found["Val/Loss"]) < 1e-4, told(found))


# In the manner of pytorch forums, "LSTM does not learn": view(seq, batch, features) where permute(1, 0, 2) was meant.
@pair("sequences-scrambled", NOTHING_LEARNED, "jsonl by epochs")
def view_for_permute(run: Path, seed: int, fixed: bool) -> None:
    """Which of three motions a sensor shows, through an LSTM that gets x.view(T, B, F), samples and times mixed; fixed: transpose."""
    random = data.generator(seed)
    y = torch.randint(0, 3, (720,), generator=random)
    times = torch.arange(16) / 16
    speed = torch.tensor([1.0, 2.0, 3.5])[y][:, None]
    phase = 6.28 * torch.rand((720, 1), generator=random)
    angle = 6.28 * speed * times + phase
    x = torch.stack([angle.sin(), angle.cos()], -1) + 0.2 * torch.randn((720, 16, 2), generator=random)
    of = data.Split(x[:540], y[:540], x[540:], y[540:])

    class Motions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm, self.fc = nn.LSTM(2, 24), nn.Linear(24, 3)

        def forward(self, x: Tensor) -> Tensor:
            batch, steps, features = x.shape
            by_time = x.transpose(0, 1) if fixed else x.reshape(steps, batch, features)
            return self.fc(self.lstm(by_time)[0][-1])

    model = Motions()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    log = JsonLines(run, "plain", "train_log.json", axis="epoch")
    tags = ("train_loss", "train_acc", "test_loss", "test_acc")
    found = fit(model, of, optimizer, 20, log, tags, seed=seed)
    if fixed:
        above(found, "test_acc", 0.85)
        steady(found, "test_loss", 0.2)
    else:
        below(found, "test_acc", 0.5)


# In the manner of pytorch/examples' DCGAN threads, "Loss_D goes to 0 and Loss_G grows": the discriminator's rate is far higher.
@pair(
    "discriminator-wins",
    ("loss-divergence", "vanishing-gradient", "loss-plateau", "loss-not-decreasing", "unstable-loss", "underfit"),
    "SummaryWriter by iterations",
)
def gan_discriminator(run: Path, seed: int, fixed: bool) -> None:
    """Digits by a GAN with rates of 0.004 for the discriminator and 0.000005 for the generator; fixed: 0.0005 and 0.001."""
    of = data.bundled("digits", seed, scaled=False)
    real = of.x / 8 - 1
    dense = nn.Linear
    maker = nn.Sequential(dense(16, 64), nn.BatchNorm1d(64), nn.ReLU(), dense(64, 64), nn.Tanh())
    judge = nn.Sequential(dense(64, 48), nn.LeakyReLU(0.2), nn.Dropout(0.3 if fixed else 0.0), dense(48, 1))
    rates = (5e-4, 1e-3) if fixed else (4e-3, 5e-6)
    judging = torch.optim.Adam(judge.parameters(), lr=rates[0], betas=(0.5, 0.999))
    making = torch.optim.Adam(maker.parameters(), lr=rates[1], betas=(0.5, 0.999))
    random = data.generator(seed)
    entropy = functional.binary_cross_entropy_with_logits
    one, zero = torch.ones(64, 1), torch.zeros(64, 1)

    def step(number: int) -> dict[str, float]:
        batch = real[torch.randint(0, len(real), (64,), generator=random)]
        made = maker(torch.randn((64, 16), generator=random))
        judging.zero_grad()
        on_real, on_made = judge(batch), judge(made.detach())
        loss_d = entropy(on_real, one) + entropy(on_made, zero)
        loss_d.backward()
        judging.step()
        making.zero_grad()
        again = judge(made)
        loss_g = entropy(again, one)
        loss_g.backward()
        making.step()
        shares = {"D(x)": float(on_real.sigmoid().mean()), "D(G(z))": float(again.sigmoid().mean())}
        return {"Loss_D": float(loss_d.detach()), "Loss_G": float(loss_g.detach()), **shares}

    found = go(Course(step, 1500, TensorBoard(run, "plain"), 10))
    with torch.no_grad():
        made = maker(torch.randn((200, 16), generator=random))
    away = float(torch.cdist(made, real).min(1).values.mean()) / float(
        torch.cdist(real[:200], real[200:]).min(1).values.mean()
    )
    if fixed:
        require(away < 1.9, f"{away:.2f} times as far from digits as digits are: {told(found)}")
        require(0.4 < last(found, "Loss_D", 20) < 1.6, told(found))
    else:
        require(away > 2.2, f"{away:.2f} times as far from digits as digits are: {told(found)}")
        below(found, "Loss_D", 0.1)


# In the manner of pytorch/examples' reinforce.py and reddit, "REINFORCE gets worse on CartPole": policy_loss without the minus.
@pair(
    "policy-gradient-sign",
    ("reward-collapse", "reward-flat"),
    "SummaryWriter by episodes",
)
def reinforce_sign(run: Path, seed: int, fixed: bool) -> None:
    """The pole on the cart by REINFORCE that goes down log p times return; fixed: with the minus sign."""
    pole = CartPole(seed)
    policy = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 2))
    optimizer = torch.optim.Adam(policy.parameters(), lr=1e-2)
    running = [20.0]

    def episode(number: int) -> dict[str, float]:
        states, actions, rewards = rollout(policy, pole)
        gain = returns(rewards)
        gain = (gain - gain.mean()) / (gain.std() + 1e-6)
        chosen = policy(states).log_softmax(-1)[torch.arange(len(actions)), actions]
        loss = (-1 if fixed else 1) * (chosen * gain).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total = float(rewards.sum())
        running.append(0.05 * total + 0.95 * running[-1])
        return {"episode_reward": total, "running_reward": running[-1], "policy_loss": float(loss.detach())}

    found = go(Course(episode, 200, TensorBoard(run, "plain"), 1))
    if fixed:
        above(found, "running_reward", 60)
    else:
        below(found, "running_reward", 14)


# In the manner of Stack Overflow, "PyTorch loss becomes nan with MSELoss(reduction='sum')" (size_average=False in older threads).
@pair("loss-summed", BLOWN_UP, "SummaryWriter by steps")
def summed_squares(run: Path, seed: int, fixed: bool) -> None:
    """Prices of houses by MSELoss(reduction="sum") over batches of 32 with SGD at 0.01; fixed: the mean."""
    of = houses(seed)
    of = data.Split(of.x, of.y / 10 - 2.4, of.x_val, of.y_val / 10 - 2.4)
    model = models.mlp((10, 32, 16, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02)

    def squares(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.mse_loss(outputs, targets, reduction="mean" if fixed else "sum")

    tags = ("training loss", "", "validation loss", "")
    log = TensorBoard(run, "plain")
    found = fit(model, of, optimizer, 40, log, tags, loss=squares, metric=explained, seed=seed, every=4)
    if fixed:
        require(last(found, "validation loss") < 0.35 * float(of.y_val.var()), told(found))
        steady(found, "validation loss", 0.15)
    else:
        finite = math.isfinite(found["training loss"][-1])
        require(not finite or last(found, "training loss") > 20 * float(of.y.var()), told(found))


# In the manner of pytorch forums, "NLLLoss is negative and goes to -1e5": the model ends in a Linear, without LogSoftmax.
@pair(
    "likelihood-of-raw-outputs",
    ("loss-divergence", "exploding-tensor", "initial-loss", "exploding-gradient", "too-good"),
    "csv by iterations",
)
def nll_of_linear(run: Path, seed: int, fixed: bool) -> None:
    """Digits under NLLLoss by a net that ends in a linear layer: the loss falls without end; fixed: LogSoftmax(dim=1)."""
    of = data.bundled("digits", seed)
    model = models.mlp((64, 64, 32, 10))
    if fixed:
        model.add_module("log_softmax", nn.LogSoftmax(1))
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    log = Csv(run, "plain", "losses.csv", axis="iter")
    tags = ("nll_loss", "accuracy", "val_nll_loss", "val_accuracy")
    found = fit(model, of, optimizer, 10, log, tags, loss=functional.nll_loss, seed=seed, every=4)
    if fixed:
        above(found, "val_accuracy", 0.9)
        steady(found, "val_nll_loss")
    else:
        below(found, "nll_loss", -1000)
        below(found, "val_accuracy", 0.8)


# In the manner of Stack Overflow and Kaggle, "all outputs are nan": (x - mean) / std of a table one column of which is constant.
@pair(
    "constant-column-normalised",
    ("non-finite", "masked-non-finite"),
    "csv by epochs; inputs, weights and gradients in hdf5",
    dumps=True,
)
def constant_column(run: Path, seed: int, fixed: bool) -> None:
    """Patients with a column that is 1 throughout, standardised to 0/0; fixed: the deviation has 1e-8 added."""
    of = patients(seed, scaled=False)
    x, x_val = (torch.cat([one, torch.ones(len(one), 1)], 1) for one in (of.x, of.x_val))
    mean, deviation = x.mean(0), x.std(0) + (1e-8 if fixed else 0)
    of = data.Split((x - mean) / deviation, of.y, (x_val - mean) / deviation, of.y_val)
    model = models.mlp((9, 32, 16, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    snapshots = Snapshots(Hdf5Dump(run, name="dump.h5"), model, 34, watched=False)

    def entropy(outputs: Tensor, targets: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(outputs[:, 0], targets.float())

    def keep(step: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        snapshots.extra["inputs/features"] = x.numpy().copy()
        return x, y

    found = fit(
        model,
        of,
        optimizer,
        15,
        Csv(run, "plain", "results.csv", axis="epoch"),
        ("train_loss", "train_acc", "valid_loss", "valid_acc"),
        loss=entropy,
        metric=hits,
        seed=seed,
        alter=keep,
        snapshots=snapshots,
    )
    if fixed:
        above(found, "valid_acc", 0.74)
        steady(found, "valid_loss")
    else:
        require(not math.isfinite(found["train_loss"][0]), f"all is finite: {told(found)}")
