"""Names of columns, and what they stand for; in the normal form of `tables.writers.normal`."""

from mlcheck.importers.tables.writers import generic

STEPS = (
    "train/global_step",
    "trainer/global_step",
    "global_step",
    "global_steps",
    "step",
    "steps",
    "_step",
    "train_step",
    "train/step",
    "iteration",
    "iterations",
    "training_iteration",
    "iter",
    "iters",
    "update",
    "num_timesteps",
    "total_timesteps",
    "time/total_timesteps",
    "env_steps",
)
"""In order of preference. Fewer than in a CSV of metrics: Parquet is the format of data sets, whose rows have a `batch` or a `round`."""

EPOCHS = ("epoch", "epochs", "train/epoch", "trainer/epoch")

NAMES = (
    "name",
    "tag",
    "tensor_name",
    "tensor",
    "series",
    "metric",
    "metric_name",
    "key",
    "variable",
    "parameter",
    "param",
)
"""Text columns that name the quantity of a row."""

OWNERS = ("layer", "layer_name", "module", "param_group", "group")
"""Text columns that name what the quantities of a row belong to."""

VALUES = ("value", "values", "val", "data", "array", "tensor", "tensor_value", "scalar", "metric_value")

COLLECTION = ("collection", "collections")
MODES = generic().modes
WORKERS = ("worker", "rank", "worker_id", "global_rank", "process_index")
RUNS = ("run", "run_id", "run_name", "run_uuid")
STAMPS = generic().stamps
ELAPSED = generic().elapsed
SHAPES = ("shape", "shapes", "dims")
DTYPES = ("dtype",)
SEGMENTS = ("segment",)
AXES = ("axis",)
ORDERS = ("order",)

EXAMPLES = ("example_id", "sample_id", "example", "id", "uid")
LABELS = ("label", "labels", "target", "targets", "y_true", "ground_truth", "true_label")
PREDICTIONS = (
    "prediction",
    "predictions",
    "pred",
    "preds",
    "y_pred",
    "predicted",
    "predicted_label",
    "predicted_class",
)
SCORES = ("scores", "score", "probabilities", "probability", "probs", "prob", "logits")
EMBEDDINGS = ("embedding", "embeddings")

TRAJECTORY = frozenset(
    {"frame_index", "episode_index", "is_first", "is_last", "is_terminal", "next.done", "next_observation"}
)
"""Columns of recorded episodes, whose `step` is no step of a training."""
