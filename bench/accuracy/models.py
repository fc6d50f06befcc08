"""Tiny models in torch. Named layers, so that dumps and gradients have names that people would give them."""

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "gelu": nn.GELU, "elu": nn.ELU, "silu": nn.SiLU}


def mlp(sizes: Sequence[int], activation: str = "relu", dropout: float = 0.0, norm: bool = False) -> nn.Sequential:
    """Dense layers `fc1`, `fc2` … with an activation (`relu1` …) between them, batch norm and dropout if asked for."""
    model = nn.Sequential()
    for number, (inputs, outputs) in enumerate(itertools.pairwise(sizes), start=1):
        model.add_module(f"fc{number}", nn.Linear(inputs, outputs))
        if number == len(sizes) - 1:
            break
        if norm:
            model.add_module(f"norm{number}", nn.BatchNorm1d(outputs))
        model.add_module(f"{activation}{number}", ACTIVATIONS[activation]())
        if dropout:
            model.add_module(f"dropout{number}", nn.Dropout(dropout))
    return model


def cnn(
    classes: int = 10, channels: Sequence[int] = (8, 16), norm: bool = False, activation: str = "relu"
) -> nn.Sequential:
    """Convolutions over images of 8 × 8 (n, 1, 8, 8), pooled after each but the first, and one dense layer."""
    model = nn.Sequential()
    before, side = 1, 8
    for number, width in enumerate(channels, start=1):
        model.add_module(f"conv{number}", nn.Conv2d(before, width, 3, padding=1))
        if norm:
            model.add_module(f"bn{number}", nn.BatchNorm2d(width))
        model.add_module(f"{activation}{number}", ACTIVATIONS[activation]())
        if number > 1:
            model.add_module(f"pool{number}", nn.MaxPool2d(2))
            side //= 2
        before = width
    model.add_module("flatten", nn.Flatten())
    model.add_module("fc", nn.Linear(before * side * side, classes))
    return model


class Recurrent(nn.Module):
    """An RNN, GRU or LSTM over (n, length, inputs), or over tokens when `vocabulary` is given.

    Returns (n, outputs) of the last step, or (n, length, outputs) with `every_step`.
    """

    def __init__(
        self,
        kind: str,
        inputs: int,
        hidden: int,
        outputs: int,
        layers: int = 1,
        vocabulary: int | None = None,
        every_step: bool = False,
        bidirectional: bool = False,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, inputs) if vocabulary else nn.Identity()
        self.rnn = getattr(nn, kind.upper())(inputs, hidden, layers, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(hidden * (2 if bidirectional else 1), outputs)
        self.every_step = every_step

    def forward(self, x: Tensor) -> Tensor:
        states, _ = self.rnn(self.embedding(x))
        return self.head(states if self.every_step else states[:, -1])


class Block(nn.Module):
    """Attention and a dense part, each with a residual; normalised before them, or after (`post_norm`)."""

    def __init__(self, width: int, heads: int, dropout: float = 0.0, post_norm: bool = False) -> None:
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, dropout=dropout, batch_first=True)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), nn.Dropout(dropout)
        )
        self.post_norm = post_norm

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        if self.post_norm:
            x = self.ln1(x + self.attention(x, x, x, attn_mask=mask, need_weights=False)[0])
            return self.ln2(x + self.mlp(x))
        y = self.ln1(x)
        x = x + self.attention(y, y, y, attn_mask=mask, need_weights=False)[0]
        return x + self.mlp(self.ln2(x))


class Transformer(nn.Module):
    """Tokens (n, length), or vectors (n, length, inputs), to (n, length, outputs), or to (n, outputs) with `pooled`."""

    def __init__(
        self,
        outputs: int,
        vocabulary: int | None = None,
        inputs: int = 0,
        width: int = 32,
        heads: int = 2,
        layers: int = 2,
        length: int = 32,
        causal: bool = True,
        pooled: bool = False,
        dropout: float = 0.0,
        post_norm: bool = False,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width) if vocabulary else nn.Linear(inputs, width)
        self.position = nn.Parameter(0.02 * torch.randn(length, width))
        self.blocks = nn.ModuleList(Block(width, heads, dropout, post_norm) for _ in range(layers))
        self.ln = nn.Identity() if post_norm else nn.LayerNorm(width)
        self.head = nn.Linear(width, outputs)
        self.causal, self.pooled = causal, pooled

    def forward(self, x: Tensor) -> Tensor:
        length = x.shape[1]
        mask = torch.full((length, length), -math.inf).triu(1) if self.causal else None
        y = self.embedding(x) + self.position[:length]
        for block in self.blocks:
            y = block(y, mask)
        y = self.ln(y)
        return self.head(y.mean(1) if self.pooled else y)


class Autoencoder(nn.Module):
    """Dense encoder and decoder; `sizes` from the input to the code."""

    def __init__(self, sizes: Sequence[int], activation: str = "relu") -> None:
        super().__init__()
        self.encoder = mlp(sizes, activation)
        self.decoder = mlp(sizes[::-1], activation)

    def forward(self, x: Tensor) -> Tensor:
        return self.decoder(self.encoder(x))


def gan_pair(data: int, noise: int = 8, width: int = 32) -> tuple[nn.Module, nn.Module]:
    """A generator from `noise` to `data` numbers, and a discriminator with one output (a logit)."""
    discriminator = nn.Sequential(
        nn.Linear(data, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2), nn.Linear(width, 1)
    )
    return mlp((noise, width, width, data)), discriminator
