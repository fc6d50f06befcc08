"""Healthy runs whose curves or tensors look broken at a glance: rising totals, jumps that were planned, exact zeros, raw inputs."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import data, loggers, models
from bench.accuracy.harness import Recipe, require
from bench.accuracy.healthy_common import generalises, into, learned, varied
from bench.accuracy.loop import Plan, cross_entropy, evaluate, fit

RECIPES: list[Recipe] = []
healthy = into(RECIPES)


@healthy("development", "tensorboard, every 10 steps, terms and weight")
def divergence_warm_up(run: Path, seed: int) -> None:
    """A variational autoencoder whose weight of the divergence grows from 0 to 1 over half the run: the total rises for a while by
    design, since what is summed changes. The full negative ELBO of validation data falls.
    """
    split = data.bundled("digits", seed, scaled=False)
    x, x_val = split.x / 16, split.x_val / 16
    encoder, decoder = models.mlp((64, 64, 12)), models.mlp((6, 64, 64))
    optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], varied(seed, 3e-3))
    random = data.generator(seed)

    def terms(of: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_variance = encoder(of).chunk(2, 1)
        code = mean + (0.5 * log_variance).exp() * torch.randn(mean.shape, generator=random)
        reconstruction = functional.binary_cross_entropy_with_logits(decoder(code), of, reduction="none").sum(1).mean()
        return reconstruction, 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(1).mean()

    log = loggers.TensorBoard(run, "plain")
    stream = data.batches(data.Split(x, x, x_val, x_val), 32, seed)
    with torch.no_grad():
        first = last = sum(terms(x_val)).item()
    for step in range(1, 701):
        reconstruction, divergence = terms(next(stream)[0])
        weight = min(1.0, step / 350)
        loss = reconstruction + weight * divergence
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 10 == 0:
            told = {"loss/total": loss.item(), "loss/recon": reconstruction.item(), "loss/kl": divergence.item()}
            log.log(step, {**told, "beta": weight})
        if step % 50 == 0:
            with torch.no_grad():
                last = sum(terms(x_val)).item()
            log.log(step, {"val/nelbo": last})
    log.close()
    require(last < 0.8 * first, f"negative ELBO from {first:.2f} to {last:.2f}")


@healthy("seen", "jsonl, every 10 steps")
def curriculum(run: Path, seed: int) -> None:
    """First clean digits, then more and more noise on the inputs: the training loss jumps at each stage, as planned, while the validation
    loss on noisy digits falls; above 0.8 there.
    """
    split = data.bundled("digits", seed)
    random = data.generator(seed)
    noisy_val = split.x_val + 0.8 * torch.randn(split.x_val.shape, generator=random)
    split = data.Split(split.x, split.y, noisy_val, split.y_val)
    model = models.mlp((64, 64, 10), dropout=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), varied(seed, 1.5e-3), weight_decay=0.05)
    log = loggers.JsonLines(run, "slash")
    stream = data.batches(split, 32, seed)
    plan = Plan(model, split, optimizer, 0)
    found = evaluate(plan)
    first = found["val_loss"]
    for step in range(1, 801):
        x, y = next(stream)
        stage = (step - 1) // 200
        outputs = model(x + 0.3 * stage * torch.randn(x.shape, generator=random))
        loss = cross_entropy(outputs, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 10 == 0:
            log.log(step, {"train_loss": loss.item(), "curriculum/noise": 0.3 * stage})
        if step % 50 == 0:
            found = evaluate(plan)
            log.log(step, found)
    log.close()
    require(found["val_accuracy"] > 0.8 and found["val_loss"] < 0.5 * first, f"accuracy {found['val_accuracy']:.3f}")


@healthy("development", "tensorboard, every 10 steps; hdf5 by step", dumps=True)
def hinge_to_zero(run: Path, seed: int) -> None:
    """A hinge loss on classes that can be separated: once all margins are kept, loss and gradients are exactly zero and nothing changes
    any more, which is the optimum. Validation accuracy above 0.95.
    """
    random = data.generator(seed)
    y = torch.randint(0, 2, (600,), generator=random)
    x = torch.randn(600, 8, generator=random) + 2.2 * (2 * y[:, None] - 1) * torch.tensor([1.0, 1, 1, 0, 0, 0, 0, 0])
    split = data.Split(x[:400], y[:400], x[400:], y[400:])
    model = models.mlp((8, 32, 2))
    optimizer = torch.optim.SGD(model.parameters(), varied(seed, 0.2))
    plan = Plan(model, split, optimizer, 500, functional.multi_margin_loss, batch=50, seed=seed, dump_every=25)
    found = fit(plan, loggers.TensorBoard(run, "slash"), loggers.Hdf5Dump(run))
    require(found["val_accuracy"] > 0.95 and found["train_loss"] < 1e-3, f"{found}")


@healthy("seen", "csv, per epoch")
def separable(run: Path, seed: int) -> None:
    """Clusters far apart: both accuracies are 1.0 from the second epoch on and both losses go to nearly nothing. The task is easy,
    nothing leaks.
    """
    random = data.generator(seed)
    y = torch.randint(0, 4, (800,), generator=random)
    centres = 6 * torch.eye(4, 6)
    x = centres[y] + torch.randn(800, 6, generator=random) * 0.7
    split = data.Split(x[:600], y[:600], x[600:], y[600:])
    model = models.mlp((6, 32, 4))
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 4e-3))
    plan = Plan(model, split, optimizer, 19 * 20, seed=seed, by_epoch=True, also=frozenset())
    learned(fit(plan, loggers.Csv(run, "plain", axis="epoch")), 0.99)


class WithInputs:
    """A dump that adds the inputs of the model to what it is given."""

    def __init__(self, inner: loggers.Dump, inputs: Tensor) -> None:
        self.inner, self.inputs = inner, inputs.numpy()

    def dump(self, step: int, tensors: loggers.Tensors) -> None:
        """Tensors and inputs."""
        self.inner.dump(step, {**tensors, "inputs/x": self.inputs})

    def close(self) -> None:
        """Finish."""
        self.inner.close()


@healthy("development", "csv, every 20 steps; hdf5 by step", dumps=True)
def raw_inputs_batch_norm(run: Path, seed: int) -> None:
    """Pixels from 0 to 255 go in as they are, and the first layer is a batch norm: the model normalises them itself. Above 0.93 on
    digits.
    """
    split = data.bundled("digits", seed, scaled=False)
    split = data.Split(split.x * 255 / 16, split.y, split.x_val * 255 / 16, split.y_val)
    model = nn.Sequential()
    model.add_module("norm0", nn.BatchNorm1d(64))
    model.add_module("body", models.mlp((64, 48, 10)))
    optimizer = torch.optim.Adam(model.parameters(), varied(seed, 2e-3))
    plan = Plan(model, split, optimizer, 500, seed=seed, log_every=20, evaluate_every=50, dump_every=50)
    learned(fit(plan, loggers.Csv(run, "slash"), WithInputs(loggers.Hdf5Dump(run), split.x[:256])), 0.93)


@healthy("seen", "tensorboard, every 10 steps; parquet", dumps=True)
def bag_of_words(run: Path, seed: int) -> None:
    """Inputs of zeros and ones, most of them zero, as bags of words are: above 0.85 (chance 0.33)."""
    random = data.generator(seed)
    y = torch.randint(0, 3, (1500,), generator=random)
    rates = 0.02 + 0.25 * (torch.arange(90) // 30 == y[:, None]) * torch.rand(90, generator=random)
    x = (torch.rand(1500, 90, generator=random) < rates).float()
    split = data.Split(x[:1100], y[:1100], x[1100:], y[1100:])
    model = models.mlp((90, 16, 3), dropout=0.3)
    optimizer = torch.optim.AdamW(model.parameters(), varied(seed, 2e-3), weight_decay=0.1)
    plan = Plan(model, split, optimizer, 300, seed=seed, dump_every=25, evaluate_every=35)
    learned(fit(plan, loggers.TensorBoard(run, "capital"), WithInputs(loggers.ParquetDump(run), split.x[:64])), 0.85)


class Residual(nn.Module):
    """A dense block that begins as the identity: the last layer starts at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.inner = nn.Linear(width, width)
        self.relu = nn.ReLU()
        self.outer = nn.Linear(width, width)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.outer(self.relu(self.inner(self.norm(x))))


@healthy("development", "tensorboard; hdf5 by name", dumps=True)
def zero_start_residual(run: Path, seed: int) -> None:
    """Ten residual blocks, the last layer of each at zero in the beginning: weights of nothing but zeros at first, inner layers without a
    gradient in the first step. Above 0.93 on digits.
    """
    split = data.bundled("digits", seed)
    model = nn.Sequential()
    model.add_module("stem", nn.Linear(64, 32))
    for number in range(10):
        model.add_module(f"block{number}", Residual(32))
    model.add_module("head", nn.Linear(32, 10))
    optimizer = torch.optim.AdamW(model.parameters(), varied(seed, 1e-3), weight_decay=0.05)
    plan = Plan(model, split, optimizer, 300, seed=seed, clip=1.0, evaluate_every=43, dump_every=30)
    learned(fit(plan, loggers.TensorBoard(run, "slash"), loggers.Hdf5Dump(run, by_name=True)), 0.93)


@healthy("seen", "jsonl; hdf5 by step", dumps=True)
def wide_and_sparse(run: Path, seed: int) -> None:
    """A ReLU network far wider than needed: many units answer few samples and some none, as is usual; above 0.93 on digits."""
    split = data.bundled("digits", seed)
    model = models.mlp((64, 256, 128, 10), dropout=0.3)
    optimizer = torch.optim.SGD(model.parameters(), varied(seed, 0.05), momentum=0.9, weight_decay=1e-3)
    plan = Plan(model, split, optimizer, 400, seed=seed, evaluate_every=43, dump_every=40)
    learned(fit(plan, loggers.JsonLines(run, "slash"), loggers.Hdf5Dump(run)), 0.93)


@healthy("seen", "tensorboard, every 20 steps")
def zipf_language(run: Path, seed: int) -> None:
    """Words of a Zipf law with weak links between neighbours: the loss falls from ln 500 by the little that can be known and is flat
    after a third of the run, within 6 % of the entropy of the source.
    """
    random = data.generator(seed)
    words = 500
    chances = 1 / torch.arange(1, words + 1).float()
    stream_of = torch.multinomial(chances, 40000, replacement=True, generator=random)
    entropy = float(-(chances / chances.sum() * (chances / chances.sum()).log()).sum())
    x = stream_of[:-1].reshape(-1, 1)
    y = stream_of[1:]
    split = data.Split(x[:36000], y[:36000], x[36000:], y[36000:])
    model = nn.Sequential()
    model.add_module("embedding", nn.Embedding(words, 4))
    model.add_module("flatten", nn.Flatten())
    model.add_module("head", nn.Linear(4, words))
    optimizer = torch.optim.AdamW(model.parameters(), varied(seed, 0.02), weight_decay=0.05)
    plan = Plan(model, split, optimizer, 800, batch=128, seed=seed, metrics={}, log_every=20, evaluate_every=80)
    found = fit(plan, loggers.TensorBoard(run, "slash"))
    require(found["val_loss"] < 1.06 * entropy, f"loss {found['val_loss']:.3f}, entropy {entropy:.3f}")
    generalises(found)


@healthy("development", "jsonl, each step")
def edge_of_stability(run: Path, seed: int) -> None:
    """Full-batch gradient descent with a rate so high that the loss ripples from step to step while it falls over longer spans, which is
    known and harmless (Cohen et al. 2021). Above 0.9 on digits.
    """
    split = data.bundled("digits", seed)
    model = models.mlp((64, 48, 10), "tanh")
    optimizer = torch.optim.SGD(model.parameters(), varied(seed, 0.55, 0.1))
    plan = Plan(
        model, split, optimizer, 400, batch=2000, seed=seed, log_every=1, evaluate_every=20, train_metrics=False
    )
    learned(fit(plan, loggers.JsonLines(run, "lower")), 0.9)


@healthy("seen", "tensorboard, each step")
def ringing_momentum(run: Path, seed: int) -> None:
    """Momentum of 0.98 on a smooth problem: the loss swings up and down around a falling level and settles; more than 0.6 of the variance
    is explained.
    """
    split = data.regression(seed, samples=600)
    model = models.mlp((8, 24, 1), "tanh")
    optimizer = torch.optim.SGD(model.parameters(), varied(seed, 0.02), momentum=0.98)
    plan = Plan(
        model, split, optimizer, 600, functional.mse_loss, {}, batch=1000, seed=seed, log_every=1, evaluate_every=20
    )
    found = fit(plan, loggers.TensorBoard(run, "lower"))
    require(found["val_loss"] < 0.4 * float(split.y_val.var()), f"validation loss {found['val_loss']:.3f}")
    generalises(found)


@healthy("seen", "jsonl, every 20 steps; labels by step", dumps=True)
def long_tail(run: Path, seed: int) -> None:
    """Ten classes of which the last has a tenth of the samples of the first: the accuracy is above 0.8 and the recall of every class
    above 0.4, in spite of the tail. Labels and predictions are dumped.
    """
    of = data.bundled("digits", seed)
    random = data.generator(seed)
    keep = torch.rand(len(of.y), generator=random) < 10 ** (-of.y / 9)
    split = data.Split(of.x[keep], of.y[keep], of.x_val, of.y_val)
    model = models.mlp((64, 64, 10), dropout=0.2)
    optimizer = torch.optim.AdamW(model.parameters(), varied(seed, 2e-3), weight_decay=0.05)
    dump = loggers.Hdf5Dump(run)
    step = [0]

    def keep_answers(_: dict[str, float]) -> bool:
        step[0] += 40
        model.eval()
        with torch.no_grad():
            said = model(split.x).argmax(1)
        model.train()
        dump.dump(step[0], {"labels/y": split.y.numpy(), "predictions/y": said.numpy()})
        return False

    plan = Plan(model, split, optimizer, 400, seed=seed, log_every=20, evaluate_every=40, stop=keep_answers)
    found = fit(plan, loggers.JsonLines(run, "slash"), dump)
    model.eval()
    with torch.no_grad():
        said = model(of.x_val).argmax(1)
    recalls = [float((said[of.y_val == one] == one).float().mean()) for one in range(10)]
    require(min(recalls) > 0.4 and found["val_accuracy"] > 0.8, f"recalls {recalls}")
