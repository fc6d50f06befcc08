"""Keras (on torch) for programs: seeds, fit, what users keep of it, and dumps by callback."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy.data import Split
from bench.accuracy.loggers import Dump, Hdf5History, KerasDirectories
from bench.accuracy.programs_qa_common import Curves

History = dict[str, list[float]]
Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Inputs and targets for training, then for validation."""


def seeded(seed: int) -> Any:
    """Keras, with all its generators at this seed."""
    import keras

    keras.utils.set_random_seed(seed)
    return keras


def arrays(of: Split) -> Arrays:
    """A split as Keras is given it; images get their channels last."""
    x, x_val = (one.numpy() for one in (of.x, of.x_val))
    if x.ndim == 4:
        x, x_val = np.moveaxis(x, 1, -1), np.moveaxis(x_val, 1, -1)
    return x, of.y.numpy(), x_val, of.y_val.numpy()


def fit(model: Any, of: Arrays, epochs: int, callbacks: Sequence[Any] = (), batch: int = 32) -> History:
    """`model.fit` with validation data, quietly; its history."""
    x, y, x_val, y_val = of
    told = model.fit(
        x, y, batch_size=batch, epochs=epochs, validation_data=(x_val, y_val), verbose=0, callbacks=list(callbacks)
    ).history
    return {name: [float(value) for value in values] for name, values in told.items()}


def curves(history: Mapping[str, Sequence[float]], metric: str = "accuracy") -> Curves:
    """A history as curves."""
    found = [list(history.get(name, ())) for name in ("loss", "val_loss", metric, f"val_{metric}")]
    return Curves(*found)


def as_json(run: Path, history: History, name: str = "history.json") -> None:
    """`json.dump(history.history, file)`, as people keep it."""
    (run / name).write_text(json.dumps(history), encoding="utf-8")


def as_hdf5(run: Path, history: History, name: str = "history.h5") -> None:
    """One data set for each key of the history."""
    log = Hdf5History(run, "plain", name)
    for epoch in range(len(history["loss"])):
        log.log(epoch, {key: values[epoch] for key, values in history.items()})
    log.close()


def as_parquet(run: Path, history: History, name: str = "history.parquet") -> None:
    """`pandas.DataFrame(history.history).to_parquet(name)`, with the epoch as a column."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"epoch": list(range(len(history["loss"]))), **history}), run / name)


def as_events(run: Path, history: History, rates: Sequence[float] = ()) -> None:
    """train/ and validation/ with epoch_loss and the rest, as the TensorBoard callback leaves them."""
    log = KerasDirectories(run)
    for epoch in range(len(history["loss"])):
        row = {key if key.startswith("val_") else f"train_{key}": values[epoch] for key, values in history.items()}
        log.log(epoch, row | ({"lr": rates[epoch]} if rates else {}))
    log.close()


def dumping(
    keras: Any, dump: Dump, shown: np.ndarray | None = None, more: Callable[[], Mapping[str, np.ndarray]] | None = None
) -> Any:
    """A callback that dumps weights by their paths (sequential/dense_1/kernel) after each epoch, what the layers make of `shown` as
    LAYER/output, and `more`.
    """

    class Dumping(keras.callbacks.Callback):
        """After each epoch, and the end."""

        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            """One set of tensors."""
            convert = keras.ops.convert_to_numpy
            made = {one.path: np.array(convert(one)) for one in self.model.trainable_variables}
            if shown is not None:
                whole = keras.Model(self.model.inputs, [layer.output for layer in self.model.layers])
                outputs = whole(shown)
                for layer, output in zip(self.model.layers, outputs, strict=True):
                    made[f"{layer.name}/output"] = np.array(convert(output))
            dump.dump(epoch, {**made, **(more() if more else {})})

        def on_train_end(self, logs: Mapping[str, float] | None = None) -> None:
            """Close the file."""
            dump.close()

    return Dumping()
