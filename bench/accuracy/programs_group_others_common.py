"""Data and worlds of the programs of groups without torch or Keras."""

import numpy as np

from bench.accuracy.programs_group_keras_common import Arrays


def applicants(seed: int, samples: int = 1200, inputs: int = 16) -> Arrays:
    """Columns on applicants for a loan, and whether it failed, which they tell in part; three in ten fail."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(samples, inputs))
    risk = 1.1 * x[:, 0] - 0.9 * x[:, 1] + 0.8 * (x[:, 2] > 0.5) + 0.6 * x[:, 3] - 1.1
    y = (risk + random.logistic(size=samples) > 0).astype(np.int64)
    cut = samples // 2
    return x[:cut], y[:cut], x[cut:], y[cut:]


class Lake:
    """A frozen lake of 5 by 5 with three holes: 1 at the far corner, 0 elsewhere; ends there, in a hole, or after 40 steps."""

    def __init__(self, seed: int, slip: float = 0.05) -> None:
        self.random, self.slip = np.random.default_rng(seed + 100), slip
        self.cells, self.at, self.steps = 25, 0, 0
        self.goal, self.holes = 24, (7, 13, 16)

    def reset(self) -> int:
        """Back to the near corner."""
        self.at, self.steps = 0, 0
        return 0

    def step(self, action: int) -> tuple[int, float, bool]:
        """Left, down, right or up; at the edge one stays. The cell after it, the reward, and whether it is over."""
        if self.random.random() < self.slip:
            action = int(self.random.integers(4))
        row, column = divmod(self.at, 5)
        down, right = ((0, -1), (1, 0), (0, 1), (-1, 0))[action]
        self.at = 5 * min(max(row + down, 0), 4) + min(max(column + right, 0), 4)
        self.steps += 1
        over = self.at == self.goal or self.at in self.holes or self.steps >= 40
        return self.at, float(self.at == self.goal), over


def greedy(values: np.ndarray) -> int:
    """The first of the best actions."""
    return int(values.argmax())
