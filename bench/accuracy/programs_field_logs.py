"""How programs of the field write their logs: as detectron2, fairseq, nanoGPT, timm, YOLO, Stable-Baselines3, DVCLive, MLflow, CLU do."""

import csv
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class AddScalars:
    """torch's SummaryWriter with add_scalars, which makes one directory of events for each part: `Loss|train` is part train of Loss."""

    def __init__(self, run: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(run))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Names with a bar are parts of a chart, others are charts."""
        charts: dict[str, dict[str, float]] = {}
        for name, value in values.items():
            chart, _, part = name.partition("|")
            if part:
                charts.setdefault(chart, {})[part] = value
            else:
                self.writer.add_scalar(chart, value, step)
        for chart, parts in charts.items():
            self.writer.add_scalars(chart, parts, step)

    def close(self) -> None:
        """Flush and close all."""
        self.writer.close()


class TensorSummaries:
    """Event files as TensorFlow 2 and CLU write them: scalars are tensors of rank 0 with the metadata of the plug-in."""

    def __init__(self, run: Path) -> None:
        from torch.utils.tensorboard.writer import FileWriter

        self.writer = FileWriter(str(run))

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """One summary for each value."""
        from tensorboard.plugins.scalar.summary_v2 import scalar_pb

        for name, value in values.items():
            self.writer.add_summary(scalar_pb(name, float(value)), step)

    def close(self) -> None:
        """Flush and close."""
        self.writer.close()


class Table:
    """A CSV table whose rows come at once, one for each call; `padded` to columns of 24 as YOLO's results.csv."""

    def __init__(
        self, path: Path, axis: str = "epoch", padded: bool = False, clock: str = "", tab: bool = False
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path, self.axis, self.padded, self.clock = path, axis, padded, clock
        self.delimiter = "\t" if tab else ","
        self.rows: list[dict[str, Any]] = []
        self.began = time.perf_counter()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Keep a row; with the seconds since the last one under the name `clock`."""
        row: dict[str, Any] = {self.axis: step, **{name: float(f"{value:.7g}") for name, value in values.items()}}
        if self.clock:
            now = time.perf_counter()
            row[self.clock], self.began = round(now - self.began, 4), now
        self.rows.append(row)

    def close(self) -> None:
        """Write the table."""
        columns = list(dict.fromkeys(name for row in self.rows for name in row))
        with self.path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter=self.delimiter)
            writer.writerow([name.rjust(24) if self.padded else name for name in columns])
            for row in self.rows:
                cells = [str(row.get(name, "")) for name in columns]
                writer.writerow([cell.rjust(24) if self.padded else cell for cell in cells])


class Detectron:
    """metrics.json of detectron2: one JSON object a line with iteration, time, eta_seconds, lr and the losses."""

    def __init__(self, run: Path, steps: int) -> None:
        self.file = (run / "metrics.json").open("a", encoding="utf-8")
        self.steps, self.before, self.at = steps, time.perf_counter(), 0

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write a line."""
        now = time.perf_counter()
        per_step = (now - self.before) / max(1, step - self.at)
        timing = {"time": per_step, "eta_seconds": (self.steps - step) * per_step}
        if step > self.at:
            self.before, self.at = now, step
            values = {**values, **timing}
        self.file.write(json.dumps({"iteration": step - 1, **values}) + "\n")

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class Fairseq:
    """A log of fairseq with --log-format json: `date time | INFO | train_inner | {…}`, numbers as strings."""

    def __init__(self, run: Path, per_epoch: int) -> None:
        self.file = (run / "train.log").open("a", encoding="utf-8")
        self.per_epoch, self.began = per_epoch, time.time()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """A line of train_inner, or of valid where names begin with valid_."""
        epoch = (step - 1) // self.per_epoch + 1
        valid = any(name.startswith("valid_") for name in values)
        told = {name: f"{value:.6g}" for name, value in values.items()}
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        if valid:
            row = {"epoch": epoch, **told, "valid_num_updates": str(step)}
        else:
            wall = f"{time.time() - self.began:.0f}"
            row = {
                "epoch": epoch,
                "update": round(step / self.per_epoch, 3),
                **told,
                "num_updates": str(step),
                "wall": wall,
            }
        self.file.write(f"{stamp} | INFO | {'valid' if valid else 'train_inner'} | {json.dumps(row)}\n")

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class NanoGpt:
    """Lines as nanoGPT prints them: `iter 10: loss 2.31, time 12.30ms, mfu 1.2%` and `step 250: train loss 1.90, val loss 2.02`."""

    def __init__(self, run: Path) -> None:
        self.file = (run / "out.log").open("w", encoding="utf-8")
        self.file.write("compiling the model... (takes a ~minute)\n")
        self.before = time.perf_counter()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Training values are `loss`, those of an evaluation `train` and `val`."""
        now = time.perf_counter()
        if "val" in values:
            self.file.write(f"step {step}: train loss {values['train']:.4f}, val loss {values['val']:.4f}\n")
        else:
            self.file.write(
                f"iter {step}: loss {values['loss']:.4f}, time {(now - self.before) * 1e3:.2f}ms, mfu -100.00%\n"
            )
        self.before = now

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class DvcLive:
    """Directory of DVCLive: plots/metrics/NAME.tsv with step and value, metrics.json with the last."""

    def __init__(self, run: Path) -> None:
        self.root = run / "dvclive"
        self.rows: dict[str, list[tuple[int, float]]] = {}

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Keep a row of each."""
        for name, value in values.items():
            self.rows.setdefault(name, []).append((step, value))

    def close(self) -> None:
        """Write all files."""
        for name, rows in self.rows.items():
            path = self.root / "plots" / "metrics" / f"{name}.tsv"
            path.parent.mkdir(parents=True, exist_ok=True)
            lines = ["step\t" + path.stem, *(f"{step}\t{value}" for step, value in rows)]
            path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        latest: dict[str, Any] = {name: rows[-1][1] for name, rows in self.rows.items()}
        latest["step"] = max(rows[-1][0] for rows in self.rows.values())
        (self.root / "metrics.json").write_text(json.dumps(latest, indent=4), encoding="utf-8")


class MlFlow:
    """A file store of MLflow: mlruns/0/RUN/metrics/NAME with `timestamp value step`, params, meta.yaml."""

    def __init__(self, run: Path, params: Mapping[str, object]) -> None:
        self.root = run / "mlruns" / "0" / "3f9c1e5a7b2d4e60a1b2c3d4e5f60718"
        (self.root / "metrics").mkdir(parents=True)
        (self.root / "params").mkdir()
        for name, value in params.items():
            (self.root / "params" / name).write_text(str(value), encoding="utf-8")
        started = int(time.time() * 1000)
        meta = f"artifact_uri: ''\nrun_id: {self.root.name}\nrun_name: field\nstart_time: {started}\nstatus: 3\n"
        (self.root / "meta.yaml").write_text(meta, encoding="utf-8")

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append a line to the file of each."""
        for name, value in values.items():
            with (self.root / "metrics" / name).open("a", encoding="utf-8") as file:
                file.write(f"{int(time.time() * 1000)} {value} {step}\n")

    def close(self) -> None:
        """Nothing is open."""


class TrainerState:
    """trainer_state.json of Hugging Face: training rows with loss, grad_norm, learning_rate; eval_… in rows of evaluation."""

    def __init__(self, folder: Path, per_epoch: int, planned: int, every: int = 10) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path, self.per_epoch, self.planned, self.every = folder / "trainer_state.json", per_epoch, planned, every
        self.rows: list[dict[str, float]] = []

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Keep a row."""
        self.rows.append({"epoch": round(step / self.per_epoch, 4), **values, "step": step})

    def close(self) -> None:
        """Write the state."""
        state = {
            "best_metric": None,
            "best_model_checkpoint": None,
            "epoch": self.rows[-1]["epoch"],
            "eval_steps": self.per_epoch,
            "global_step": self.rows[-1]["step"],
            "is_hyper_param_search": False,
            "log_history": self.rows,
            "logging_steps": self.every,
            "max_steps": self.planned,
            "num_train_epochs": -(-self.planned // self.per_epoch),
            "trial_name": None,
        }
        self.path.write_text(json.dumps(state, indent=2), encoding="utf-8")


class Lines:
    """One JSON object a line, with the seconds since the start under `clock`, as of wandb's history or of a script of one's own."""

    def __init__(self, path: Path, axis: str = "step", clock: str = "") -> None:
        self.file = path.open("a", encoding="utf-8")
        self.axis, self.clock, self.began = axis, clock, time.time()

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write a line."""
        row: dict[str, Any] = {self.axis: step, **values}
        if self.clock:
            row[self.clock] = round(time.time() - self.began, 4)
        self.file.write(json.dumps(row) + "\n")

    def close(self) -> None:
        """Close the file."""
        self.file.close()
