"""What the programs of teams without a deep-learning framework share: a grid to walk in, poles by the dozen, and some data."""

from collections.abc import Mapping, Sequence

import numpy as np

from bench.accuracy import data
from bench.accuracy.programs_field_common import Trail

Array = np.ndarray


def keep(trail: Trail, row: Mapping[str, float]) -> dict[str, float]:
    """Append a row to a trail; the row as plain numbers."""
    plain = {name: float(value) for name, value in row.items()}
    for name, value in plain.items():
        trail.setdefault(name, []).append(value)
    return plain


def cross_entropy(shares: Array, classes: Array) -> float:
    """The mean of -log of the shares that were given to the true classes."""
    return float(-np.log(np.clip(shares[np.arange(len(classes)), classes], 1e-15, 1)).mean())


def loans(seed: int, samples: int = 900, wrong: float = 0.18) -> data.Split:
    """Fourteen columns on borrowers, and whether they failed to pay; this share of the labels is wrong; 2 classes."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, 14))
    risk = x[:, 0] - x[:, 1] + 0.8 * x[:, 2] * (x[:, 3] > 0) + 0.4 * x[:, 4]
    y = (risk > 0.2).astype(np.int64)
    return data.split(x, np.where(random.random(samples) < wrong, 1 - y, y), seed, share=0.4, scaled=False)


class Storehouse:
    """A grid with walls; a robot starts in one corner and is paid 1 where the goods lie. Four moves, a limited number of steps."""

    plan: Sequence[str] = ("S....", ".##..", "...#.", ".#...", "...#G")

    def __init__(self, longest: int = 60) -> None:
        self.longest, self.at, self.steps = longest, (0, 0), 0

    def reset(self) -> int:
        """Back to the start."""
        self.at, self.steps = (0, 0), 0
        return 0

    def step(self, move: int) -> tuple[int, float, bool]:
        """The cell after a move, what is paid, and whether the episode is over."""
        down, right = ((-1, 0), (0, 1), (1, 0), (0, -1))[move]
        row, column = self.at[0] + down, self.at[1] + right
        if 0 <= row < 5 and 0 <= column < 5 and self.plan[row][column] != "#":
            self.at = (row, column)
        self.steps += 1
        found = self.plan[self.at[0]][self.at[1]] == "G"
        return self.at[0] * 5 + self.at[1], float(found), found or self.steps >= self.longest


class Poles:
    """Poles on carts (Barto, Sutton and Anderson 1983), many at once, each until it falls or 200 steps are over."""

    def __init__(self, seed: int, count: int) -> None:
        self.random, self.count = np.random.default_rng(seed), count

    def episodes(self, policy: Array) -> tuple[Array, Array, Array]:
        """States (t, count, 5 with a one), actions (t, count) and whether each still stood (t, count), under a linear policy (5,)."""
        state = self.random.uniform(-0.05, 0.05, (self.count, 4))
        stands = np.ones(self.count, dtype=bool)
        states: list[Array] = []
        actions: list[Array] = []
        standing: list[Array] = []
        while stands.any() and len(states) < 200:
            seen = np.concatenate([state * [1, 1, 10, 2], np.ones((self.count, 1))], 1)
            action = self.random.random(self.count) < 1 / (1 + np.exp(-np.clip(seen @ policy, -30, 30)))
            states.append(seen)
            actions.append(action.astype(float))
            standing.append(stands.copy())
            _, speed, angle, turning = state.T
            pushed = (np.where(action, 10.0, -10.0) + 0.05 * turning**2 * np.sin(angle)) / 1.1
            spin = (9.8 * np.sin(angle) - np.cos(angle) * pushed) / (0.5 * (4 / 3 - 0.1 * np.cos(angle) ** 2 / 1.1))
            pull = pushed - 0.05 * spin * np.cos(angle) / 1.1
            state = np.where(stands[:, None], state + 0.02 * np.stack([speed, pull, turning, spin], 1), state)
            stands = stands & (np.abs(state[:, 0]) <= 2.4) & (np.abs(state[:, 2]) <= 0.2095)
        return np.array(states), np.array(actions), np.array(standing)
