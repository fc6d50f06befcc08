"""Writers of scalars and of tensors, in the shapes and under the names that people use.

A training loop speaks in plain names (PLAIN); a convention says how they are spelled in the log.
"""

import csv
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import Tensor, nn

PLAIN = ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "lr", "grad_norm", "epoch")
"""What loops call the usual scalars. Accuracies are shares."""

CONVENTIONS: dict[str, dict[str, str]] = {
    "slash": {
        "train_loss": "train/loss",
        "val_loss": "val/loss",
        "train_accuracy": "train/accuracy",
        "val_accuracy": "val/accuracy",
        "lr": "train/learning_rate",
        "grad_norm": "train/grad_norm",
    },
    "lightning": {"train_accuracy": "train_acc", "val_accuracy": "val_acc", "lr": "lr-Adam"},
    "huggingface": {
        "train_loss": "train/loss",
        "val_loss": "eval/loss",
        "train_accuracy": "train/accuracy",
        "val_accuracy": "eval/accuracy",
        "lr": "train/learning_rate",
        "grad_norm": "train/grad_norm",
        "epoch": "train/epoch",
    },
    "pytorch": {
        "train_loss": "Loss/train",
        "val_loss": "Loss/test",
        "train_accuracy": "Accuracy/train",
        "val_accuracy": "Accuracy/test",
        "lr": "LR",
        "grad_norm": "Gradients/norm",
    },
    "lower": {
        "train_loss": "loss/train",
        "val_loss": "loss/val",
        "train_accuracy": "acc/train",
        "val_accuracy": "acc/val",
        "lr": "opt/lr",
        "grad_norm": "opt/grad_norm",
    },
    "capital": {
        "train_loss": "Training Loss",
        "val_loss": "Validation Loss",
        "train_accuracy": "Training Accuracy",
        "val_accuracy": "Validation Accuracy",
        "lr": "Learning Rate",
        "grad_norm": "Gradient Norm",
    },
    "keras": {"train_loss": "loss", "train_accuracy": "accuracy", "lr": "learning_rate"},
    "camel": {
        "train_loss": "trainLoss",
        "val_loss": "valLoss",
        "train_accuracy": "trainAcc",
        "val_accuracy": "valAcc",
        "lr": "learningRate",
        "grad_norm": "gradNorm",
    },
    "bare": {"train_loss": "loss", "train_accuracy": "acc", "val_accuracy": "val_acc"},
    "plain": {},
}
"""By convention: spelling by plain name. Names that it does not list stay as they are."""


class Log(Protocol):
    """Takes scalars as the training goes on."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write some scalars of one step, under plain names."""

    def close(self) -> None:
        """Finish the file."""


def spelled(convention: str, values: Mapping[str, float]) -> dict[str, float]:
    """Values under the names of a convention."""
    names = CONVENTIONS[convention]
    return {names.get(name, name): float(value) for name, value in values.items()}


class TensorBoard:
    """Event files: torch's own SummaryWriter, or tensorboardX with `x`."""

    def __init__(self, run: Path, convention: str = "slash", x: bool = False, suffix: str = "") -> None:
        if x:
            from tensorboardX import SummaryWriter
        else:
            from torch.utils.tensorboard import SummaryWriter
        self.writer = SummaryWriter(str(run), filename_suffix=suffix)
        self.convention = convention

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """One scalar event each."""
        for name, value in spelled(self.convention, values).items():
            self.writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Flush and close."""
        self.writer.close()


class KerasDirectories:
    """Event files in train/ and validation/ with epoch_loss, epoch_accuracy, as Keras' callback writes them; steps are epochs."""

    def __init__(self, run: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writers = {"train": SummaryWriter(str(run / "train")), "val": SummaryWriter(str(run / "validation"))}

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """`train_loss` to train/epoch_loss, `val_loss` to validation/epoch_loss, `lr` to train/epoch_learning_rate."""
        for name, value in values.items():
            part, _, rest = name.partition("_")
            writer = self.writers.get(part, self.writers["train"])
            what = rest if part in self.writers else {"lr": "learning_rate"}.get(name, name)
            writer.add_scalar(f"epoch_{what}", float(value), step)

    def close(self) -> None:
        """Flush and close both."""
        for writer in self.writers.values():
            writer.close()


class Csv:
    """A table with one row a step; cells stay empty where nothing was logged (Lightning's CSVLogger: metrics.csv with epoch and step)."""

    def __init__(self, run: Path, convention: str = "lightning", name: str = "metrics.csv", axis: str = "step") -> None:
        self.path, self.convention, self.axis = run / name, convention, axis
        self.rows: list[dict[str, float]] = []

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Keep a row; rows of the same step are not joined, as Lightning does not join what is logged at different times."""
        self.rows.append({**spelled(self.convention, values), self.axis: step})

    def close(self) -> None:
        """Write all rows; a file that is there goes on."""
        columns = list(dict.fromkeys(key for row in self.rows for key in row))
        columns.sort(key=lambda name: name not in ("epoch", self.axis))
        goes_on = self.path.exists()
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            if not goes_on:
                writer.writeheader()
            writer.writerows(self.rows)


class JsonLines:
    """One JSON object a line."""

    def __init__(
        self, run: Path, convention: str = "plain", name: str = "log.jsonl", axis: str = "step", timed: bool = False
    ) -> None:
        self.file = (run / name).open("a", encoding="utf-8")
        self.convention, self.axis, self.timed = convention, axis, timed

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write a line; with the time when `timed`."""
        row = {self.axis: step, **spelled(self.convention, values)}
        if self.timed:
            row["time"] = time.time()
        self.file.write(json.dumps(row) + "\n")

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class TrainerState:
    """A Hugging Face trainer_state.json: train rows with loss, grad_norm, learning_rate, eval rows with eval_*."""

    def __init__(self, run: Path, per_epoch: int, planned: int, every: int = 10) -> None:
        self.path, self.per_epoch, self.planned, self.every = run / "trainer_state.json", per_epoch, planned, every
        self.rows: list[dict[str, float]] = []

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Keep a training row and an evaluation row, of what there is."""
        names = {"train_loss": "loss", "lr": "learning_rate"}
        where = {"epoch": round(step / self.per_epoch, 4), "step": step}
        train = {
            names.get(key, key): float(value) for key, value in values.items() if not key.startswith(("val_", "epoch"))
        }
        val = {
            f"eval_{key.removeprefix('val_')}": float(value) for key, value in values.items() if key.startswith("val_")
        }
        self.rows += [{**part, **where} for part in (train, val) if part]

    def close(self) -> None:
        """Write the state."""
        last = self.rows[-1]
        state = {
            "best_metric": None,
            "epoch": last["epoch"],
            "global_step": last["step"],
            "is_local_process_zero": True,
            "is_world_process_zero": True,
            "log_history": self.rows,
            "logging_steps": self.every,
            "max_steps": self.planned,
            "num_train_epochs": -(-self.planned // self.per_epoch),
        }
        self.path.write_text(json.dumps(state, indent=2), encoding="utf-8")


class Console:
    """A plain training log: lines such as `epoch 3 step 120 loss 0.4312 val_loss 0.51`."""

    def __init__(self, run: Path, convention: str = "plain", name: str = "train.log", axis: str = "step") -> None:
        self.file = (run / name).open("a", encoding="utf-8")
        self.convention, self.axis = convention, axis

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write a line with the time before it."""
        told = ", ".join(f"{name}: {value:.6g}" for name, value in spelled(self.convention, values).items())
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        self.file.write(f"{stamp} INFO {self.axis}: {step}, {told}\n")

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class Hdf5History:
    """history.h5 with one data set per name, axis 0 counting epochs; everything is logged at each epoch."""

    def __init__(self, run: Path, convention: str = "keras", name: str = "history.h5") -> None:
        self.path, self.convention = run / name, convention
        self.columns: dict[str, list[float]] = {}

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append to each column."""
        for name, value in spelled(self.convention, values).items():
            self.columns.setdefault(name, []).append(value)

    def close(self) -> None:
        """Write the file."""
        import h5py

        with h5py.File(self.path, "w") as file:
            for name, values in self.columns.items():
                file[name] = np.asarray(values)


class ParquetLong:
    """scalars.parquet with the columns step, name, value."""

    def __init__(self, run: Path, convention: str = "slash", name: str = "scalars.parquet") -> None:
        self.path, self.convention = run / name, convention
        self.rows: list[dict[str, Any]] = []

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Keep one row for each value."""
        self.rows += [
            {"step": step, "name": name, "value": value} for name, value in spelled(self.convention, values).items()
        ]

    def close(self) -> None:
        """Write the file."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(self.rows), self.path)


class Both:
    """Two or more writers at once, which is what many people do."""

    def __init__(self, *logs: Log) -> None:
        self.logs = logs

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """To each of them."""
        for one in self.logs:
            one.log(step, values)

    def close(self) -> None:
        """Each of them."""
        for one in self.logs:
            one.close()


Tensors = Mapping[str, np.ndarray]
"""Arrays by `collection/name`, such as weights/fc1.weight."""


class Dump(Protocol):
    """Takes tensors as the training goes on."""

    def dump(self, step: int, tensors: Tensors) -> None:
        """Write the tensors of one step."""

    def close(self) -> None:
        """Finish the file."""


class Hdf5Dump:
    """tensors.h5, by step (`step_000100/weights/fc1.weight`) or by name (`weights/fc1.weight/100`)."""

    def __init__(self, run: Path, by_name: bool = False, name: str = "tensors.h5") -> None:
        import h5py

        self.file, self.by_name = h5py.File(run / name, "w"), by_name

    def dump(self, step: int, tensors: Tensors) -> None:
        """One data set for each tensor."""
        for name, values in tensors.items():
            self.file[f"{name}/{step}" if self.by_name else f"step_{step:06d}/{name}"] = values

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class ParquetDump:
    """tensors.parquet, long: step, name, value (a list), shape."""

    def __init__(self, run: Path, name: str = "tensors.parquet") -> None:
        self.path = run / name
        self.rows: list[dict[str, Any]] = []

    def dump(self, step: int, tensors: Tensors) -> None:
        """Keep one row for each tensor."""
        for name, values in tensors.items():
            flat = np.asarray(values, dtype=np.float64).ravel().tolist()
            self.rows.append({"step": step, "name": name, "value": flat, "shape": list(np.shape(values))})

    def close(self) -> None:
        """Write the file."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(self.rows), self.path)


class HistogramDump:
    """TensorBoard histograms through torch's SummaryWriter: one of a TensorBoard log's, or one of its own."""

    def __init__(self, target: Path | TensorBoard) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer: Any = target.writer if isinstance(target, TensorBoard) else SummaryWriter(str(target))

    def dump(self, step: int, tensors: Tensors) -> None:
        """One histogram for each tensor; what is not finite has none."""
        for name, values in tensors.items():
            if np.isfinite(values).all():
                self.writer.add_histogram(name, values, step)

    def close(self) -> None:
        """Flush; the writer may be another's, and closing it twice does no harm."""
        self.writer.close()


def watch(
    model: nn.Module, kinds: tuple[type[nn.Module], ...] = (nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU)
) -> dict[str, Tensor]:
    """The last outputs of activation layers by name, kept up to date by forward hooks while the model trains."""
    seen: dict[str, Tensor] = {}

    def hook(name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def keep(layer: nn.Module, _: Any, output: Tensor) -> None:
            if layer.training:
                seen[name] = output.detach()

        return keep

    for name, layer in model.named_modules():
        if isinstance(layer, kinds):
            layer.register_forward_hook(
                hook(name if type(layer).__name__.lower() in name else f"{type(layer).__name__.lower()}_{name}")
            )
    return seen


def tensors_of(model: nn.Module, activations: Mapping[str, Tensor] | None = None) -> dict[str, np.ndarray]:
    """Copies of weights, gradients (where there are any) and activations, to be taken between backward() and step()."""
    made = {}
    for name, parameter in model.named_parameters():
        made[f"weights/{name}"] = parameter.detach().numpy().copy()
        if parameter.grad is not None:
            gradient = parameter.grad
            made[f"gradients/{name}"] = (gradient.to_dense() if gradient.is_sparse else gradient).numpy().copy()
    for name, value in (activations or {}).items():
        made[f"activations/{name}"] = value.numpy().copy()
    return made
