"""Names of parameters and tensors taken apart: `encoder.fc1.weight` is the weight of layer `encoder.fc1`."""

import re
from typing import NamedTuple

from mlcheck.store.tables import Pattern


class Parameter(NamedTuple):
    """A parameter's name in two parts."""

    layer: str
    param: str | None
    """weight, bias, scale, shift or stat; None when the name does not say."""


# Names that PyTorch (torch.nn), Keras and TF 1 give to the parameters of their layers; the last word of a name is looked up here.
_PARAM = Pattern(
    r"^(?:"
    r"(?P<weight>weights?|kernels?|w|(?:recurrent|depthwise|pointwise)_kernel|embeddings?|in_proj_weight|weight_[gv]|lora_[ab]"
    r"|weight_(?:ih|hh)_l\d+(?:_reverse)?|coefs?_?)"
    r"|(?P<bias>bias|biases|b|in_proj_bias|bias_(?:ih|hh)_l\d+(?:_reverse)?|intercepts?_?)"
    r"|(?P<scale>gamma|scale)"
    r"|(?P<shift>beta|shift|offset)"
    r"|(?P<stat>moving_mean|moving_var(?:iance)?|running_mean|running_var|num_batches_tracked)"
    r")$",
    re.IGNORECASE,
)
# Networks by hand: W1 and b1 are of the first layer; coefs_0 and intercepts_0 of scikit-learn's.
_BY_HAND = Pattern(r"^(?:(?P<weight>w|coefs)|(?P<bias>b|intercepts))_?(?P<number>\d+)$", re.IGNORECASE)
# Behind a layer this numbers the layer's own parameters: linear_0.w_0 of PaddlePaddle.
_OF_LAYER = Pattern(r"^[wb]_\d+$", re.IGNORECASE)
_RECURRENT = Pattern(r"^(?:weight|bias)_((?:ih|hh)_l\d+(?:_reverse)?)$", re.IGNORECASE)
_INDEX = Pattern(r"(?<=[A-Za-z])[_:]\d+$")
_SUFFIX = Pattern(r"(?:[/_]hist(?:ogram)?|:\d+)$", re.IGNORECASE)
# A normalisation layer's `weight` multiplies and its `bias` is added: scale and shift by another name.
_NORM = Pattern(
    r"(?:^|[^a-z])(?:bn|ln|gn|norm|(?:batch|layer|group|rms|instance)_?norm(?:alization)?)(?:[^a-z]|$)|norm\d*$", re.I
)
_ACT = Pattern(
    r"(?:^|[^a-z])(relu|tanh|sigmoid|gelu|silu|softmax|elu|selu|leaky_?relu)(?:[^a-z]|$)",
    re.IGNORECASE,
    need=("any", ("elu", "tanh", "sigmoid", "silu", "softmax")),
)


def split_parameter(name: str) -> Parameter:
    """Layer and parameter kind of a name as frameworks write it; without a known last word the whole name is the layer."""
    text = once(_SUFFIX.sub("", name.strip("/")))
    separator = max(text.rfind("/"), text.rfind("."))
    layer, last = text[: max(separator, 0)], text[separator + 1 :]
    by_hand = _BY_HAND.match(last)
    if by_hand and not (layer and _OF_LAYER.match(last)):
        return Parameter(f"{text[: separator + 1]}layer{by_hand['number']}", "weight" if by_hand["weight"] else "bias")
    found = _PARAM.match(last) or _PARAM.match(_INDEX.sub("", last))
    if not found:
        return Parameter(text, None)
    param = found.lastgroup or "weight"
    recurrent = _RECURRENT.match(last)
    if recurrent:
        layer = f"{layer}.{recurrent.group(1)}" if layer else recurrent.group(1)
    if _NORM.search(layer):
        param = {"weight": "scale", "bias": "shift"}.get(param, param)
    return Parameter(layer or text, param)


def activation_function(name: str) -> str | None:
    """The activation function that a layer's name tells (`block1.relu`), in lower case, or None."""
    found = _ACT.search(name)
    return found.group(1).lower().replace("_", "") if found else None


def once(text: str) -> str:
    """A path without repetitions; TensorFlow 1 scopes repeat: `layer1/weights/layer1/weights`, `layer1/layer1/outputs`."""
    parts = text.split("/")
    half = len(parts) // 2
    if half and len(parts) % 2 == 0 and parts[:half] == parts[half:]:
        parts = parts[:half]
    return "/".join(part for i, part in enumerate(parts) if i == 0 or part != parts[i - 1])
