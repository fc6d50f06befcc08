"""The HDF5 inputs of `make bench`: `python bench/make_dumps.py large|small PATH`.

large: 500 contiguous float32 tensors of 1024 x 1024 (2 GB): 25 tensors over 20 steps. small: 20,000 data sets of 32 x 32: 200 tensors
over 100 steps.
"""

import sys

import h5py
import numpy as np


def write(path: str, tensors: int, steps: int, side: int) -> None:
    random = np.random.default_rng(0)
    values = random.standard_normal((side, side), dtype=np.float32)
    with h5py.File(path, "w") as file:
        for step in range(steps):
            for number in range(tensors):
                # Another scale and offset for each, so that no statistic repeats.
                file[f"step_{step * 10:06d}/weights/layer{number}.weight"] = values * np.float32(1 + number + step / 7)


if __name__ == "__main__":
    if sys.argv[1] == "large":
        write(sys.argv[2], 25, 20, 1024)
    else:
        write(sys.argv[2], 200, 100, 32)
