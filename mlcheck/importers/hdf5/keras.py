"""Names of weights in Keras' files: 1 and 2 write `dense/dense/kernel:0`, 3 writes `layers/dense/vars/0` and no names at all."""

import re
from collections.abc import Mapping, Sequence

from mlcheck.importers.hdf5.tree import Place
from mlcheck.importers.hdf5.words import WRAPPERS

_OUTPUT_INDEX = re.compile(r":\d+$")
_RECURRENT = re.compile(r"(?:^|_)(?:lstm|gru|rnn|cell)(?:_|$|\d)|(?:lstm|gru|rnn)_?cell", re.IGNORECASE)
_BATCH_NORM = re.compile(r"batch_?norm|(?:^|_)bn(?:_|\d|$)", re.IGNORECASE)
_NORM = re.compile(r"norm", re.IGNORECASE)
_EMBEDDING = re.compile(r"embed", re.IGNORECASE)
_SEPARABLE = re.compile(r"separable", re.IGNORECASE)

Shape = tuple[int, ...]


def without_repetition(place: Place) -> Place:
    """A weight's place without `:0` and without the layer's name once more.

    Keras keeps a group for each layer, and in it the weight under its whole name: `dense/dense/kernel:0`, `lstm/sequential/lstm/kernel`,
    in Keras 1 `dense_1/dense_1_W`.
    """
    if not place:
        return place
    if place[0] in WRAPPERS and len(place) > 1:
        return (place[0], *without_repetition(place[1:]))
    names = [*place[:-1], _OUTPUT_INDEX.sub("", place[-1])]
    # Keras 3 nests `layers` in `layers`.
    if len(names) > 2 and names[0] in names[1:-1] and names[0] != "layers":
        names = names[1:]
    if len(names) == 2 and re.fullmatch(re.escape(names[0]) + r"_(W|b|U|W_[a-z]|U_[a-z]|b_[a-z])", names[1]):
        names[1] = names[1][len(names[0]) + 1 :]
    return tuple(names)


def names_of_vars(layer: str, shapes: Sequence[Shape]) -> list[str | None]:
    """Names of the variables of a Keras 3 layer, by their number, shapes and the layer's name; None for those that nothing tells."""
    flat = len(shapes) > 0 and all(len(shape) == 1 for shape in shapes) and len(set(shapes)) == 1
    if flat:
        return _of_normalisation(layer, len(shapes))
    if len(shapes) in (2, 3) and _RECURRENT.search(layer) and len(shapes[0]) == len(shapes[1]) == 2:
        return _filled(["kernel", "recurrent_kernel", "bias"], len(shapes))
    if len(shapes) in (2, 3) and _SEPARABLE.search(layer):
        return _filled(["depthwise_kernel", "pointwise_kernel", "bias"], len(shapes))
    if len(shapes) == 1 and len(shapes[0]) == 2 and _EMBEDDING.search(layer):
        return ["embeddings"]
    names: list[str | None] = [None] * len(shapes)
    if shapes and len(shapes[0]) >= 2:
        names[0] = "kernel"
        if len(shapes) > 1 and 1 <= len(shapes[1]) <= len(shapes[0]):
            names[1] = "bias"
    return names


def _of_normalisation(layer: str, count: int) -> list[str | None]:
    """Variables of one length: what scales and shifts each channel, and its running moments."""
    if count == 4:
        return ["gamma", "beta", "moving_mean", "moving_variance"]
    if _BATCH_NORM.search(layer):
        # `scale=False` is usual before a ReLU: then there is no gamma.
        names = {3: ["beta", "moving_mean", "moving_variance"], 2: ["moving_mean", "moving_variance"]}
        return _filled(names.get(count, []), count)
    if count <= 2 and _NORM.search(layer):
        return _filled(["gamma", "beta"], count)
    return [None] * count


def _filled(names: Sequence[str], count: int) -> list[str | None]:
    return [*names[:count], *[None] * (count - len(names))]


def name_vars(places: Mapping[Place, Shape]) -> dict[Place, Place]:
    """Places of Keras 3 variables (`layers/dense/vars/0`) to places with names (`layers/dense/kernel`); those of an optimizer and
    those that nothing tells keep theirs.
    """
    layers: dict[Place, dict[int, Shape]] = {}
    for place, shape in places.items():
        if len(place) >= 3 and place[-2] == "vars" and place[-1].isdecimal() and "optimizer" not in place:
            layers.setdefault(place[:-1], {})[int(place[-1])] = shape
    named = {}
    for group, shapes in layers.items():
        numbers = sorted(shapes)
        if numbers != list(range(len(numbers))):
            continue
        for number, name in zip(numbers, names_of_vars(_layer_name(group), [shapes[n] for n in numbers]), strict=True):
            if name is not None:
                named[(*group, str(number))] = (*group[:-1], name)
    return named


def _layer_name(group: Place) -> str:
    """`lstm` for `layers/lstm/cell/vars`, `batch_normalization_1` for `layers/batch_normalization_1/vars`."""
    own = group[-2]
    return f"{group[-3]}_{own}" if own == "cell" and len(group) >= 3 else own


def is_keras(places: Sequence[Place], attributes: Mapping[str, object]) -> bool:
    """Whether a file is a model or its weights as Keras writes them."""
    if "layer_names" in attributes or "keras_version" in attributes:
        return True
    return any(
        place[:1] in (("model_weights",), ("optimizer_weights",))
        or (len(place) >= 3 and place[-2] == "vars" and place[-1].isdecimal())
        for place in places
    )
