"""What the PyTorch programs of groups share: an epoch of training, its evaluation, proofs, and the data of several fields."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from bench.accuracy import data
from bench.accuracy.harness import require

Loss = Callable[[Tensor, Tensor], Tensor]


def minibatches(count: int, size: int, random: torch.Generator) -> Iterator[Tensor]:
    """Indices of the batches of one epoch, shuffled."""
    yield from torch.split(torch.randperm(count, generator=random), size)


def epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Loss,
    of: data.Split,
    size: int,
    random: torch.Generator,
    *,
    between: Callable[[], None] = lambda: None,
    after: Callable[[float], None] = lambda _: None,
) -> float:
    """Train for one epoch; the mean loss. `between` runs before a step of the optimizer, `after` behind it with the loss."""
    model.train()
    total = 0.0
    for chosen in minibatches(len(of.x), size, random):
        optimizer.zero_grad()
        value = loss(model(of.x[chosen]), of.y[chosen])
        value.backward()
        between()
        optimizer.step()
        after(float(value.detach()))
        total += float(value.detach()) * len(chosen)
    return total / len(of.x)


@torch.no_grad()
def judge(model: nn.Module, loss: Loss, of: data.Split) -> tuple[float, Tensor]:
    """Loss and outputs on the validation data."""
    model.eval()
    outputs = model(of.x_val)
    return float(loss(outputs, of.y_val)), outputs


def share(outputs: Tensor, targets: Tensor) -> float:
    """Share of the classes that are hit."""
    return float((outputs.argmax(-1) == targets).float().mean())


def r2(outputs: Tensor, targets: Tensor) -> float:
    """Share of the variance of the targets that is explained."""
    return float(1 - (outputs - targets).square().mean() / (targets - targets.mean(0)).square().mean())


def settled(curve: Sequence[float], slack: float, what: str = "validation loss") -> None:
    """Require that a curve ends at most this share of its whole fall above its best."""
    fall = max(curve) - min(curve)
    require(curve[-1] - min(curve) <= slack * fall, f"{what} ends {curve[-1]:.4g}, best {min(curve):.4g}")


def keywords(seed: int, samples: int = 640, frames: int = 20, bands: int = 8) -> data.Split:
    """Filter banks (n, frames, bands) of 5 words, each a rise or fall of a band somewhere before the last frames; 5 classes."""
    random = np.random.default_rng(seed)
    y = random.integers(0, 5, samples)
    paths = np.array([[0, 2, 4, 6], [6, 4, 2, 0], [3, 3, 6, 6], [1, 5, 1, 5], [7, 7, 3, 0]])
    x = 0.5 * random.normal(size=(samples, frames, bands))
    begin = random.integers(0, 6, samples)
    for part in range(8):
        x[np.arange(samples), begin + part, paths[y, part // 2]] += random.uniform(1.2, 2.2, samples)
    of = data.split(x.reshape(samples, -1), y, seed, scaled=False)
    return data.Split(of.x.reshape(-1, frames, bands), of.y, of.x_val.reshape(-1, frames, bands), of.y_val)


def lesions(seed: int, samples: int = 200, side: int = 20) -> data.Split:
    """Slices (n, 1, side, side) with one or two bright lesions and noise; masks of the same shape with 0 and 255."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:side, 0:side]
    x, y = np.zeros((samples, 1, side, side)), np.zeros((samples, 1, side, side))
    for image, mask in zip(x, y, strict=True):
        image[0] = 0.3 * np.sin(rows / random.uniform(2, 5) + random.uniform(0, 6))
        for _ in range(random.integers(1, 3)):
            row, column = random.integers(3, side - 3, 2)
            inside = ((rows - row) / random.uniform(1.5, 3.5)) ** 2 + (
                (columns - column) / random.uniform(1.5, 3.5)
            ) ** 2 <= 1
            mask[0][inside] = 255
            image[0][inside] += random.uniform(1.0, 1.6)
    x += 0.3 * random.normal(size=x.shape)
    xs, ys = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    cut = samples * 3 // 4
    return data.Split(xs[:cut], ys[:cut], xs[cut:], ys[cut:])


def ratings(seed: int, users: int = 120, films: int = 80, known: int = 6000) -> data.Split:
    """Pairs of a user and a film (n, 2) and how much better than usual the user found it (n,), of about -2 to 2."""
    random = np.random.default_rng(seed)
    taste, kind = random.normal(size=(users, 2)), random.normal(size=(films, 2))
    table = 0.6 * taste @ kind.T + 0.5 * random.normal(size=(users, 1)) + 0.5 * random.normal(size=films)
    cells = random.permutation(users * films)[:known]
    x = torch.tensor(np.stack([cells // films, cells % films], 1))
    scores = (table.ravel()[cells] + 0.4 * random.normal(size=known)).clip(-2.5, 2.5)
    y = torch.tensor(scores, dtype=torch.float32)
    cut = known * 4 // 5
    return data.Split(x[:cut], y[:cut], x[cut:], y[cut:])


def arm(seed: int, samples: int = 900) -> data.Split:
    """Angles of four joints (n, 4) and where the hand then is (n, 2), standardised."""
    random = np.random.default_rng(seed)
    angles = random.uniform(-1.6, 1.6, (samples, 4))
    along = angles.cumsum(1)
    lengths = np.array([0.4, 0.35, 0.25, 0.1])
    hand = np.stack([(lengths * np.cos(along)).sum(1), (lengths * np.sin(along)).sum(1)], 1)
    hand = (hand - hand.mean(0)) / hand.std(0) + 0.05 * random.normal(size=(samples, 2))
    return data.split(angles, hand, seed)


def landcover(seed: int, samples: int = 560) -> data.Split:
    """Patches (n, 4, 8, 8) of four bands as reflectances of 0 to 10,000; water, forest, field, soil and town: 5 classes."""
    random = np.random.default_rng(seed)
    spectra = np.array(
        [
            [600, 500, 350, 200],
            [400, 700, 450, 3200],
            [700, 1000, 800, 2700],
            [1400, 1700, 2200, 2600],
            [1500, 1600, 1700, 2100],
        ]
    )
    rough = np.array([60, 250, 200, 250, 700])
    y = random.integers(0, 5, samples)
    light = random.normal(1, 0.2, (samples, 1, 1, 1))
    x = spectra[y][:, :, None, None] * light + 250 * random.normal(size=(samples, 4, 1, 1))
    x = (x + rough[y][:, None, None, None] * random.normal(size=(samples, 4, 8, 8))).clip(0, 10_000)
    of = data.split(x.reshape(samples, -1), y, seed, scaled=False)
    return data.Split(of.x.reshape(-1, 4, 8, 8), of.y, of.x_val.reshape(-1, 4, 8, 8), of.y_val)


def volatility(seed: int, days: int = 1100, window: int = 15) -> data.Split:
    """Log-volatilities of the last days (n, window) and of the next (n, 1), standardised; later days validate."""
    random = np.random.default_rng(seed)
    slow = np.zeros(days + window)
    for day in range(1, slow.size):
        slow[day] = 0.95 * slow[day - 1] + 0.3 * random.normal()
    seen = slow + 0.35 * random.normal(size=slow.size)
    seen = (seen - seen.mean()) / seen.std()
    x = torch.tensor(np.lib.stride_tricks.sliding_window_view(seen[:-1], window).copy(), dtype=torch.float32)
    y = torch.tensor(seen[window:, None], dtype=torch.float32)
    cut = len(y) * 3 // 4
    return data.Split(x[:cut], y[:cut], x[cut:], y[cut:])


def toxicity(seed: int, samples: int = 1200, bits: int = 48, assays: int = 8) -> data.Split:
    """Fingerprints (n, bits) of 0 and 1 and which of the assays a molecule turns positive (n, assays), about two in five."""
    random = np.random.default_rng(seed)
    x = (random.random((samples, bits)) < 0.3).astype(np.float64)
    pull = x @ random.normal(size=(bits, assays)) * 1.2
    pull = pull - np.quantile(pull, 0.6, axis=0) + 0.5 * random.logistic(size=pull.shape)
    return data.split(x, (pull > 0).astype(np.float64), seed, scaled=False)
