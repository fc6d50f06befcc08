"""Example scripts in PyTorch that somebody changed for their own data, and that dump tensors as they train: mistake and repair."""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.loggers import Csv, Hdf5Dump, HistogramDump, JsonLines, ParquetDump, TensorBoard
from bench.accuracy.programs_desk_common import gestures, inspections, spectra
from bench.accuracy.programs_field_common import Snapshots, Trail, above, below, steady, told
from bench.accuracy.programs_post_common import explained, houses
from bench.accuracy.programs_script_common import into
from bench.accuracy.programs_script_torch_common import Printed, digits, evaluate, keep, loaders

RECIPES: list[Recipe] = []
pair = into(RECIPES)


# "The accuracy is exactly 1/4 from the first epoch on": ToTensor() went, the pictures are 0 to 255, and half of the network died.
@pair(
    "input-not-normalised",
    ("dead-relu", "data-not-normalized", "loss-plateau", "metric-at-chance", "task-not-learned", "exploding-gradient"),
    "SummaryWriter with loss and accuracy an epoch, add_histogram of weights, gradients, activations",
    dumps=True,
)
def surfaces_raw_pixels(run: Path, seed: int, fixed: bool) -> None:
    """Defects of surfaces from pixels of 0 to 255; fixed: of about -1 to 1."""
    of = inspections(seed)
    if fixed:
        of = replace(of, x=(of.x - 127.5) / 50, x_val=(of.x_val - 127.5) / 50)
    train, test = loaders(of, 32)
    model = nn.Sequential()
    for name, part in (
        ("conv1", nn.Conv2d(1, 12, 3)),
        ("relu1", nn.ReLU()),
        ("conv2", nn.Conv2d(12, 16, 3, stride=2)),
        ("relu2", nn.ReLU()),
        ("flatten", nn.Flatten()),
        ("fc1", nn.Linear(256, 48)),
        ("relu3", nn.ReLU()),
        ("fc2", nn.Linear(48, 4)),
    ):
        model.add_module(name, part)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    log, trail, step = TensorBoard(run, "plain"), Trail(), 0
    snapshots = Snapshots(HistogramDump(log), model, 13)
    for epoch in range(22):
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
        values = {"training loss": total, "validation loss": val_loss, "validation accuracy": accuracy}
        log.log(epoch, keep(trail, values))
    log.close()
    if fixed:
        above(trail, "validation accuracy", 0.7)
        steady(trail, "validation loss", 0.3)
    else:
        below(trail, "validation accuracy", 0.4)


# "Deeper must be better": ten hidden layers of nn.Sigmoid in place of the two of the course's exercise.
@pair(
    "too-deep-with-sigmoid",
    ("vanishing-gradient", "loss-plateau", "loss-not-decreasing", "metric-at-chance", "underfit", "saturated-sigmoid"),
    "metrics.csv and gradients in HDF5",
    dumps=True,
)
def spectra_ten_sigmoids(run: Path, seed: int, fixed: bool) -> None:
    """Plastics by ten hidden layers of sigmoids; fixed: of ReLUs with batch norm."""
    of = spectra(seed)
    train, test = loaders(of, 32)
    model = models.mlp((60, *(32,) * 10, 5), "relu" if fixed else "sigmoid", norm=fixed)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=1e-4)
    log, trail, step = Csv(run, "plain", "metrics.csv", "epoch"), Trail(), 0
    snapshots = Snapshots(Hdf5Dump(run), model, 30)
    for epoch in range(18):
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
        log.log(epoch, keep(trail, {"train_loss": total, "valid_loss": val_loss, "valid_acc": accuracy}))
    log.close()
    snapshots.to.close()
    if fixed:
        above(trail, "valid_acc", 0.8)
        steady(trail, "valid_loss", 0.3)
    else:
        below(trail, "valid_acc", 0.35)


class MyLinear(nn.Module):
    """The dense layer of a course's exercise, with parameters of one's own."""

    def __init__(self, inputs: int, outputs: int, zeros: bool) -> None:
        super().__init__()
        start = torch.zeros(inputs, outputs) if zeros else torch.randn(inputs, outputs) * (2 / inputs) ** 0.5
        self.weight, self.bias = nn.Parameter(start), nn.Parameter(torch.zeros(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight + self.bias


# "Only the last bias ever changes": nn.Parameter(torch.zeros(…)) in a layer of one's own, as in "implement nn.Linear yourself".
@pair(
    "zero-initialisation",
    ("poor-initialization", "gradient-all-zero", "all-zero", "unchanged-tensor", "loss-plateau", "metric-at-chance"),
    "JSON lines, and Parquet of weights and gradients",
    dumps=True,
)
def exercise_zero_weights(run: Path, seed: int, fixed: bool) -> None:
    """Digits by two layers of one's own that begin at zero; fixed: at random."""
    train, test = loaders(data.bundled("digits", seed), 64)
    model = nn.Sequential()
    model.add_module("hidden", MyLinear(64, 32, not fixed))
    model.add_module("relu", nn.ReLU())
    model.add_module("output", MyLinear(32, 10, not fixed))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    log, trail, step = JsonLines(run, "plain", "history.jsonl", "iteration"), Trail(), 0
    snapshots = Snapshots(ParquetDump(run), model, 21, "torch")
    for _ in range(14):
        for x, y in train:
            optimizer.zero_grad()
            loss = functional.cross_entropy(model(x), y)
            loss.backward()
            step += 1
            snapshots.take(step)
            optimizer.step()
            if step % 11 == 0:
                log.log(step, keep(trail, {"loss": float(loss)}))
        test_loss, accuracy = evaluate(model, test)
        log.log(step, keep(trail, {"test_loss": test_loss, "test_accuracy": accuracy}))
    log.close()
    snapshots.to.close()
    if fixed:
        above(trail, "test_accuracy", 0.92)
        steady(trail, "test_loss", 0.2)
    else:
        below(trail, "test_accuracy", 0.2)


# "model.fc = nn.Linear(…)" after "optimizer = SGD(model.fc.parameters())" in the transfer-learning tutorial: the new head never trains.
@pair(
    "parameters-not-in-the-optimizer",
    ("unchanged-tensor", "loss-not-decreasing", "metric-at-chance", "updates-too-small", "task-not-learned"),
    "the tutorial's prints, and TensorBoard histograms",
    dumps=True,
)
def transfer_head_replaced(run: Path, seed: int, fixed: bool) -> None:
    """Digits of 5 to 9 on features that were learned of 0 to 4, the optimizer made before the head; fixed: after it."""
    of = digits(seed)
    low, low_val = of.y < 5, of.y_val < 5
    model = nn.Sequential()
    model.add_module("conv1", nn.Conv2d(1, 16, 3))
    model.add_module("relu", nn.ReLU())
    model.add_module("flatten", nn.Flatten())
    model.add_module("layer1", nn.Linear(576, 128))
    model.add_module("relu1", nn.ReLU())
    model.add_module("fc", nn.Linear(128, 5))
    teacher = torch.optim.Adam(model.parameters(), lr=2e-3)
    for x, y in list(loaders(replace(of, x=of.x[low], y=of.y[low]), 32)[0]) * 3:
        teacher.zero_grad()
        functional.cross_entropy(model(x), y).backward()
        teacher.step()
    of = data.Split(of.x[~low], of.y[~low] - 5, of.x_val[~low_val], of.y_val[~low_val] - 5)
    train, val = loaders(of, 32)
    for one in model.parameters():
        one.requires_grad = False
    old = model.get_submodule("fc").requires_grad_(True)
    model.fc = nn.Linear(128, 5)
    optimizer = torch.optim.SGD((model.fc if fixed else old).parameters(), lr=0.03, momentum=0.9)
    out, trail, step = Printed(run, "transfer.log"), Trail(), 0
    snapshots = Snapshots(HistogramDump(run), model, 7, "torch", watched=False)
    for epoch in range(16):
        out(f"Epoch {epoch}/15\n----------")
        total = hits = 0.0
        for x, y in train:
            model.zero_grad()
            outputs = model(x)
            loss = functional.cross_entropy(outputs, y)
            loss.backward()
            step += 1
            snapshots.take(step)
            optimizer.step()
            total += float(loss) * len(x) / len(of.x)
            hits += float((outputs.argmax(1) == y).sum()) / len(of.x)
        val_loss, accuracy = evaluate(model, val)
        keep(trail, {"train": total, "val": val_loss, "acc": accuracy})
        out(f"train Loss: {total:.4f} Acc: {hits:.4f}\nval Loss: {val_loss:.4f} Acc: {accuracy:.4f}\n")
    out.close()
    snapshots.to.close()
    if fixed:
        above(trail, "acc", 0.8)
        steady(trail, "val", 0.2)
    else:
        below(trail, "acc", 0.45)


# "for m in model.modules(): nn.init.normal_(m.weight)" has a standard deviation of 1, which four layers of tanh do not bear.
@pair(
    "huge-initialisation",
    ("saturated-tanh", "poor-initialization", "overfit", "metric-at-chance", "initial-loss", "exploding-gradient"),
    "SummaryWriter with mse/train, mse/test, r2/test, and HDF5 by name",
    dumps=True,
)
def houses_normal_init(run: Path, seed: int, fixed: bool) -> None:
    """Prices of houses by four layers of tanh drawn from a normal distribution of 1; fixed: Xavier's."""
    of = houses(seed)
    mean, spread = of.y.mean(), of.y.std()
    of = replace(of, y=(of.y - mean) / spread, y_val=(of.y_val - mean) / spread)
    train, _ = loaders(of, 32)
    model = models.mlp((10, 64, 64, 64, 64, 1), "tanh")
    for layer in model:
        if isinstance(layer, nn.Linear):
            if fixed:
                nn.init.xavier_normal_(layer.weight)
            else:
                nn.init.normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-4, weight_decay=1e-4)
    log, trail, step = TensorBoard(run, "plain"), Trail(), 0
    snapshots = Snapshots(Hdf5Dump(run, by_name=True), model, 24)
    for epoch in range(20):
        total = 0.0
        for x, y in train:
            optimizer.zero_grad()
            loss = functional.mse_loss(model(x), y)
            loss.backward()
            step += 1
            snapshots.take(step)
            optimizer.step()
            total += float(loss) * len(x) / len(of.x)
        with torch.no_grad():
            outputs = model(of.x_val)
        values = {"mse/train": total, "mse/test": float(functional.mse_loss(outputs, of.y_val))}
        log.log(epoch, keep(trail, values | {"r2/test": float(explained(outputs, of.y_val))}))
    log.close()
    snapshots.to.close()
    if fixed:
        above(trail, "r2/test", 0.7)
        steady(trail, "mse/test", 0.2)
    else:
        below(trail, "r2/test", 0.2)


# "All my samples look the same": reduction="sum" went from the BCE of the VAE example, and the KL term is still a sum.
@pair(
    "kl-outweighs-reconstruction",
    ("posterior-collapse", "loss-plateau", "representation-collapse", "task-not-learned", "low-variance"),
    "the VAE example's prints, and HDF5 with mu and logvar",
    dumps=True,
)
def vae_mean_reduction(run: Path, seed: int, fixed: bool) -> None:
    """A VAE of digits with a mean of the BCE and a sum of the KL; fixed: sums of both."""
    of = digits(seed)
    train, _ = loaders(of, 64)
    encoder, decoder = models.mlp((64, 64, 16)), models.mlp((8, 64, 64))
    model = nn.ModuleDict({"encoder": encoder, "decoder": decoder})
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    out, trail, step = Printed(run, "vae.log"), Trail(), 0
    snapshots = Snapshots(Hdf5Dump(run), model, 63, watched=False)

    def terms(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mu, logvar = encoder(x).chunk(2, 1)
        logits = decoder(mu + torch.randn_like(mu) * (0.5 * logvar).exp())
        bce = functional.binary_cross_entropy_with_logits(logits, x, reduction="sum" if fixed else "mean")
        return bce, -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum(), mu, logvar

    for epoch in range(1, 31):
        total = 0.0
        for index, (x, _y) in enumerate(train):
            optimizer.zero_grad()
            bce, kl, mu, logvar = terms(x.flatten(1))
            (bce + kl).backward()
            step += 1
            snapshots.extra = {"activations/mu": mu.detach().numpy(), "activations/logvar": logvar.detach().numpy()}
            snapshots.take(step)
            optimizer.step()
            total += float(bce + kl)
            if index % 10 == 0:
                where = f"[{index * len(x)}/{len(of.x)} ({100 * index / len(train):.0f}%)]"
                told_now = f"Loss: {float(bce + kl) / len(x):.6f} BCE: {float(bce):.4f} KLD: {float(kl):.4f}"
                out(f"Train Epoch: {epoch} {where}\t{told_now}")
        with torch.no_grad():
            bce, kl, mu, _ = terms(of.x_val.flatten(1))
            mean = functional.binary_cross_entropy_with_logits(decoder(mu), of.x_val.flatten(1))
        keep(trail, {"test": float(bce + kl) / len(of.x_val), "bce": float(mean), "kl": float(kl) / len(of.x_val)})
        out(f"====> Epoch: {epoch} Average loss: {total / len(of.x):.4f}")
        out(f"====> Test set loss: {trail['test'][-1]:.4f}")
    out.close()
    snapshots.to.close()
    blind = float(functional.binary_cross_entropy(of.x.mean(0).clamp(0.001, 0.999).expand_as(of.x_val), of.x_val))
    if fixed:
        require(trail["bce"][-1] < 0.9 * blind and trail["kl"][-1] > 2, f"{blind:.4f}; {told(trail)}")
        steady(trail, "test", 0.05)
    else:
        require(trail["bce"][-1] > 0.97 * blind and trail["kl"][-1] < 0.1, f"{blind:.4f}; {told(trail)}")


# "The loss is at -1 after one epoch, fantastic": SimSiam without the .detach() of z.
@pair(
    "stop-gradient-missing",
    ("representation-collapse", "low-variance", "constant-answer", "metric-at-chance", "task-not-learned"),
    "metrics.csv with loss, z_std, linear_probe_acc, and Parquet of weights and embeddings",
    dumps=True,
)
def simsiam_without_detach(run: Path, seed: int, fixed: bool) -> None:
    """Embeddings of gestures from two noisy views, with nothing against a constant; fixed: z is detached."""
    of = gestures(seed, 500, noise=0.3)
    of = replace(of, x=of.x.flatten(1), x_val=of.x_val.flatten(1))
    train, _ = loaders(of, 64)
    encoder = models.mlp((96, 96, 32), norm=True)
    model = nn.ModuleDict({"encoder": encoder, "predictor": models.mlp((32, 16, 32), norm=True)})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    log, trail, step = Csv(run, "plain", "metrics.csv", "epoch"), Trail(), 0
    snapshots = Snapshots(ParquetDump(run), model, 18, watched=False)

    def similar(p: Tensor, z: Tensor) -> Tensor:
        return -functional.cosine_similarity(p, z.detach() if fixed else z).mean()

    for epoch in range(25):
        total = 0.0
        for x, _y in train:
            optimizer.zero_grad()
            z1, z2 = (encoder(x + 0.3 * torch.randn_like(x)) for _ in range(2))
            p1, p2 = model["predictor"](z1), model["predictor"](z2)
            loss = 0.5 * (similar(p1, z2) + similar(p2, z1))
            loss.backward()
            step += 1
            snapshots.extra = {"activations/z": z1.detach().numpy()}
            snapshots.take(step)
            optimizer.step()
            total += float(loss.detach()) / len(train)
        encoder.eval()
        with torch.no_grad():
            z, z_val = (functional.normalize(encoder(one)) for one in (of.x, of.x_val))
        encoder.train()
        probe = nn.Linear(32, 5)
        descent = torch.optim.SGD(probe.parameters(), lr=1.0, momentum=0.9)
        for _ in range(40):
            descent.zero_grad()
            functional.cross_entropy(probe(z), of.y).backward()
            descent.step()
        accuracy = float((probe(z_val).argmax(1) == of.y_val).float().mean())
        log.log(epoch, keep(trail, {"loss": total, "z_std": float(z_val.std(0).mean()), "linear_probe_acc": accuracy}))
    log.close()
    snapshots.to.close()
    if fixed:
        above(trail, "linear_probe_acc", 0.78)
        above(trail, "z_std", 0.1)
    else:
        below(trail, "z_std", 0.06)
        below(trail, "linear_probe_acc", 0.7)
