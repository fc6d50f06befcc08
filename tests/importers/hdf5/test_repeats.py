"""Groups that repeat others: what is found of them is what is found of their data sets one by one, whatever else is in the file."""

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlcheck.importers.hdf5.data import Reader
from mlcheck.importers.hdf5.heaps import Heaps
from mlcheck.importers.hdf5.importer import Hdf5Importer
from mlcheck.importers.hdf5.layout import lay_out
from mlcheck.importers.hdf5.repeats import FEWEST
from mlcheck.importers.hdf5.walk import walk
from tests.importers.hdf5.recorder import read

NAMES = [f"layer{number}.weight" for number in range(FEWEST)]


def write(path, places, names=NAMES, extra=None):
    with h5py.File(path, "w") as file:
        for at, place in enumerate(places):
            for number, name in enumerate(names):
                file[f"{place}/{name}"] = np.full((3, 2), at + number / 100, dtype=np.float32)
        if extra is not None:
            extra(file)
    return path


def found(path, spread):
    """Layout, with each step as (step, path, offset, shape), and how many repeats stayed together."""
    with Reader(path) as reader:
        tree = walk(reader.file, Heaps(reader.descriptor, reader.size), reader.size)
        if spread:
            tree.spread()
        layout = lay_out(tree, reader.values)
        kept = sum(len(one.alike.steps) for one in layout.sources if one.alike is not None)
        sources = [
            (one.key, one.hints, [(p.step, p.leaf.path, p.leaf.offset, p.shape, p.outer) for p in one.pieces])
            for one in layout.sources
        ]
        flags = (layout.has_steps, layout.has_numbers, layout.is_keras, layout.is_cut, layout.collections)
        return (sources, flags, sorted(layout.lost), sorted(layout.left_out), layout.snapshots), kept


def assert_same(path):
    together, kept = found(path, spread=False)
    one_by_one, none = found(path, spread=True)
    assert together == one_by_one
    assert none == 0
    return kept


def test_steps_that_hold_the_same_stay_together(tmp_path):
    path = write(
        tmp_path / "a.h5", [f"step_{step}/{what}" for step in (0, 10, 9, 100) for what in ("weights", "gradients")]
    )
    assert assert_same(path) == 2 * 3 * len(NAMES)


@pytest.mark.usefixtures("recorded")
def test_their_values_are_read_in_order_of_the_steps(tmp_path):
    path = write(tmp_path / "a.h5", [f"step_{step}/weights" for step in (5, 20, 100, 3)])
    track = read(path).tensors["weights/layer1.weight"]
    assert track.steps == [3, 5, 20, 100]
    np.testing.assert_allclose([one[0, 0] for _, _, one in track.rows], [3.01, 0.01, 1.01, 2.01], rtol=1e-6)


def test_their_statistics_are_of_their_steps(tmp_path):
    path = write(tmp_path / "a.h5", [f"step_{step}/weights" for step in (5, 20, 100, 3)])
    series = {one.tag: one for one in Hdf5Importer().read(path, "a.h5").series}
    assert series.keys() == {f"weights/{name}" for name in NAMES}
    one = series["weights/layer1.weight"]
    assert one.steps.tolist() == [3, 5, 20, 100]
    np.testing.assert_allclose(one.columns["mean"], [3.01, 0.01, 1.01, 2.01], rtol=1e-6)


def test_a_file_that_ends_within_one_of_them_loses_that_one_only(tmp_path):
    path = write(tmp_path / "a.h5", [f"step_{step}/weights" for step in (0, 1, 2)])
    (sources, *_), _ = found(path, spread=False)
    last = max((offset, name) for _, _, pieces in sources for _, name, offset, _, _ in pieces)
    with Reader(path) as reader:
        tree = walk(reader.file, Heaps(reader.descriptor, reader.size), last[0] + 4)
    assert [leaf.path for leaf in tree.leaves if leaf.refused is not None] == [last[1]]


def attributes(file):
    file["step_20/weights"].attrs["mode"] = "eval"


def attribute_of_a_data_set(file):
    file["step_20/weights/layer3.weight"].attrs["step"] = 77


def counter(file):
    file["step"] = np.arange(3)


def soft_link(file):
    file["latest"] = h5py.SoftLink("/step_20/weights/layer2.weight")


def hard_link(file):
    file["again"] = file["step_20/weights/layer2.weight"]


def number(file):
    file["step_30/weights/7"] = np.ones((3, 2), np.float32)


def of_another_type(file):
    for name in NAMES:
        file[f"step_40/weights/{name}"] = np.ones((3, 2), np.float64)
        file[f"step_50/weights/{name}"] = np.ones((3, 2), ">f4")


def without_a_step(file):
    for name in NAMES:
        file[f"final/weights/{name}"] = np.ones((3, 2), np.float32)


def more_members(file):
    file["step_20/weights/extra"] = np.ones(4)


EXTRAS = [
    None,
    attributes,
    attribute_of_a_data_set,
    counter,
    soft_link,
    hard_link,
    number,
    of_another_type,
    without_a_step,
    more_members,
]


@pytest.mark.parametrize("extra", EXTRAS, ids=lambda one: one.__name__ if one else "nothing")
@pytest.mark.parametrize(
    "form",
    [
        "step_{}/weights",
        "weights/step_{}",
        "epoch_{}/weights",
        "epoch_1/step_{}/weights",
        "{}/weights",
        "model_weights/step_{}",
        "step_{}/rank_0/weights",
    ],
)
def test_whatever_else_there_is(tmp_path, form, extra):
    def also(file):
        if extra is not None:
            file.require_group("step_20/weights").require_dataset("layer2.weight", (3, 2), np.float32)
            file["step_20/weights"].require_dataset("layer3.weight", (3, 2), np.float32)
            extra(file)

    assert_same(write(tmp_path / "a.h5", [form.format(step) for step in (0, 1, 5)], extra=also))


def test_a_link_to_one_of_their_data_sets_is_named(tmp_path):
    def link(file):
        file["step_9/zz"] = file["step_1/weights/layer2.weight"]

    path = write(tmp_path / "a.h5", [f"step_{step}/weights" for step in (0, 1)], extra=link)
    (_, _, _, left_out, _), kept = found(path, spread=False)
    assert kept == len(NAMES)
    assert ("/step_9/zz", "another name of /step_1/weights/layer2.weight: read once") in left_out


WORDS = st.sampled_from(
    ["step_0", "step_1", "step_12", "epoch_2", "3", "weights", "gradients", "val", "rank_1", "layer", "vars"]
)
LEAF_NAMES = st.sampled_from(
    [
        NAMES,
        [f"{90 + number}" for number in range(FEWEST)],
        [f"step_{90 + number}" for number in range(FEWEST)],
        [*NAMES, "step"],
    ]
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(
    groups=st.lists(
        st.tuples(
            st.lists(WORDS, min_size=1, max_size=3, unique=True), LEAF_NAMES, st.sampled_from(["<f4", "<f8", ">f4"])
        ),
        min_size=1,
        max_size=8,
    )
)
def test_groups_of_all_kinds(tmp_path_factory, groups):
    path = tmp_path_factory.mktemp("repeats") / "a.h5"
    with h5py.File(path, "w") as file:
        for place, names, dtype in groups:
            group = file.require_group("/".join(place))
            for name in names:
                if name not in group:
                    group[name] = np.ones((2, 3), dtype)
    assert_same(path)
