"""Which files are a run's, which are one history, which are separate runs."""

import h5py
import numpy as np
import pytest

from mlcheck.importers.base import Hesitates, Importer, ReadsTogether, Separates
from mlcheck.importers.hdf5.importer import NOT_JUDGED, Hdf5Importer
from mlcheck.importers.hdf5.names import numbered_sets, skeleton, step_of_name
from tests.importers.hdf5.recorder import claims, read, why_not

pytestmark = pytest.mark.usefixtures("recorded")


def write(path, places, value=0.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for place, shape in places.items():
            file[place] = np.full(shape, value, np.float32)
    return path


def dump(path, collection="gradients", steps=(0, 10, 20)):
    return write(path, {f"step_{step}/{collection}/fc1.weight": (2, 3) for step in steps})


def test_it_is_what_discovery_asks_for():
    importer = Hdf5Importer()
    assert isinstance(importer, Hesitates)
    assert isinstance(importer, ReadsTogether)
    assert isinstance(importer, Separates)
    as_importer: Importer = importer
    assert as_importer.format == "hdf5"


@pytest.mark.parametrize(
    "places",
    [
        {"step_1/anything": (3,)},
        {"100/gradients/fc1": (2, 2), "200/gradients/fc1": (2, 2)},
        {"gradients/fc1.weight/100": (2, 2)},
        {"gradients/fc1.weight": (2, 2)},
        {"activations/relu1": (2, 2)},
        {"weights/fc1.weight": (2, 2)},
        {"predictions/logits": (10, 2), "labels/y": (10,)},
        {"loss": (5,), "val_loss": (5,)},
        {"metrics/loss/steps": (3,), "metrics/loss/values": (3,)},
    ],
    ids=str,
)
def test_runs_are_claimed(tmp_path, places):
    path = write(tmp_path / "a.h5", places)
    if "metrics/loss/steps" in places:
        with h5py.File(path, "r+") as file:
            file["metrics/loss/steps"][:] = [1, 2, 3]
    assert claims(path)


@pytest.mark.parametrize(
    "places",
    [
        {"x_train": (100, 4), "y_train": (100,)},
        {"inputs": (100, 4), "labels": (100,)},
        {"data/inputs": (100, 4), "data/targets": (100,)},
        {"0/image": (4, 4), "1/image": (4, 4), "2/image": (4, 4)},
        {"demo_0/observations": (9, 4), "demo_1/observations": (9, 4)},
        {"parameters/alpha": (3,), "parameters/beta": (3,)},
        {"observations": (100, 4), "actions": (100, 2), "rewards": (100,)},
        {"weights": (100,), "features": (100, 3)},
        {"score": (100,), "label": (100,), "x": (100, 3)},
        {"train/features": (100, 3), "train/steps": (100,)},
        {"outputs/velocity": (100, 3), "outputs/pressure": (100,)},
    ],
    ids=str,
)
def test_data_sets_are_not(tmp_path, places):
    path = write(tmp_path / "a.h5", places)
    assert not claims(path)
    assert why_not(path) == NOT_JUDGED
    assert Hdf5Importer().would_read(path, path.read_bytes()[:64])
    found = read(path)
    assert found.status.status == "read"
    assert "no steps in it: one snapshot, at step 0" in found.reason or found.status.records


def test_forecasts_are_not(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["_NCProperties"] = "version=2,netcdf=4.9"
        file["step"] = [0, 6, 12]
        file["step"].make_scale("step")
        file["temperature"] = np.zeros((3, 8, 8))
        file["temperature"].dims[0].attach_scale(file["step"])
    assert not claims(tmp_path / "a.h5")


def test_a_file_without_numbers(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["note"] = "text"
    assert not claims(tmp_path / "a.h5")
    assert why_not(tmp_path / "a.h5") == "HDF5 without numbers: no run data"


def test_other_files_are_none_of_ours(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text("step,loss\n1,2\n")
    assert not claims(path)
    assert why_not(path) is None
    assert not Hdf5Importer().would_read(path, path.read_bytes())


def test_hdf5_under_another_name_is_claimed_by_its_content(tmp_path):
    assert claims(dump(tmp_path / "dump.bin"))


def test_shards_of_a_data_set_are_no_history(tmp_path):
    for index in (0, 1, 2):
        write(tmp_path / f"train_{index:02d}.h5", {"image": (8, 4, 4), "target": (8,)})
    assert not claims(tmp_path / "train_00.h5")


def test_peeking_is_bounded(tmp_path):
    from mlcheck.importers.hdf5.look import PEEK_OBJECTS, look

    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        for step in range(3 * PEEK_OBJECTS):
            file[f"step_{step}/gradients/a"] = 1.0
    layout = look(tmp_path / "a.h5", peek=True).layout
    assert layout.is_cut
    assert 0 < sum(len(source.pieces) for source in layout.sources) < PEEK_OBJECTS
    assert claims(tmp_path / "a.h5")


@pytest.mark.parametrize(
    ("names", "steps"),
    [
        (["weights-00.hdf5", "weights-07.hdf5"], [0, 7]),
        (["ckpt-500.weights.h5", "ckpt-1000.weights.h5"], [500, 1000]),
        (["epoch=3-step=1200.h5", "epoch=4-step=1600.h5"], [1200, 1600]),
        (["weights.01-0.52.hdf5", "weights.02-0.48.hdf5"], [1, 2]),
        (["model_v2_ep3.h5", "model_v2_ep4.h5"], [3, 4]),
        (["resnet50_10.h5", "resnet50_20.h5"], [10, 20]),
        (["cp-0009.h5", "cp-0010.h5"], [9, 10]),
        (["step_5_epoch_1.h5", "step_9_epoch_1.h5"], [5, 9]),
    ],
)
def test_steps_in_names(names, steps):
    sets = numbered_sets(names)
    assert [[one[name].step for name in names] for one in sets] == [steps]


@pytest.mark.parametrize(
    "names",
    [
        ["a.h5", "b.h5"],
        ["seed0.h5", "seed1.h5"],
        ["fold_1.h5", "fold_2.h5"],
        ["weights-01.h5", "history-02.h5"],
        ["x-0.5.h5", "x-0.7.h5"],
    ],
)
def test_no_steps_in_names(names):
    assert numbered_sets(names) == []


def test_seeds_have_histories_of_their_own():
    names = [f"seed{seed}_epoch{epoch}.h5" for seed in (0, 1) for epoch in (1, 2)]
    assert [sorted(one) for one in numbered_sets(names)] == [sorted(names[:2]), sorted(names[2:])]


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("weights-07.h5", 7),
        ("epoch=3-step=1200.h5", 1200),
        ("model.h5", None),
        ("resnet50_10.h5", None),
        ("weights.05-0.32.hdf5", 5),
        ("seed3.h5", None),
    ],
)
def test_step_of_a_single_name(name, step):
    found = step_of_name(name)
    assert (found.step if found else None) == step


def test_suffix_is_no_number():
    assert skeleton("a1.h5").tokens[0].text == "1"
    assert len(skeleton("model.weights.h5").tokens) == 0


def test_files_that_differ_in_a_step_are_one_history(tmp_path):
    paths = [
        write(tmp_path / f"ckpt_{step}.h5", {"fc1.weight": (2, 3), "fc1.bias": (3,)}, value=step)
        for step in (9, 10, 100)
    ]
    assert all(claims(path) for path in paths)
    found = read(*sorted(paths))
    track = found.tensors["fc1.weight"]
    assert [(step, array[0, 0]) for step, _, array in track.rows] == [(9, 9), (10, 10), (100, 100)]
    assert [status.records for status in found.statuses] == [2, 2, 2]


def test_files_with_other_tensors_stand_for_themselves(tmp_path):
    paths = [write(tmp_path / f"part_{number}.h5", {f"weights/fc{number}.weight": (2, 3)}) for number in (1, 2)]
    found = read(*paths)
    assert found.tensors["weights/fc1.weight"].steps == [1]
    assert found.tensors["weights/fc2.weight"].steps == [2]
    assert all("no steps in it: one snapshot" in status.reason for status in found.statuses)


def test_steps_inside_make_no_history_of_files(tmp_path):
    paths = [dump(tmp_path / f"run_{number}.h5") for number in (1, 2)]
    found = read(*paths)
    assert found.groups == 2
    assert found.tensors["gradients/fc1.weight"].steps == [0, 10, 20]


def test_files_that_state_their_steps(tmp_path):
    paths = []
    for name, step in (("late", 20), ("early", 10)):
        paths.append(write(tmp_path / f"{name}.h5", {"weights/fc1.weight": (2, 3)}, value=step))
        with h5py.File(paths[-1], "r+") as file:
            file.attrs["step"] = step
    found = read(*paths)
    assert found.groups == 1
    assert found.tensors["weights/fc1.weight"].steps == [10, 20]


def test_a_checkpoint_that_cannot_be_read_leaves_the_others(tmp_path):
    paths = [write(tmp_path / f"ckpt_{step}.h5", {"fc1.weight": (20, 30)}, value=step) for step in (1, 2, 3)]
    paths[1].write_bytes(paths[1].read_bytes()[:1000])
    found = read(*paths)
    assert found.tensors["fc1.weight"].steps == [1, 3]
    assert [status.status for status in found.statuses] == ["read", "unreadable", "read"]


def test_a_file_that_is_gone(tmp_path):
    from mlcheck.importers.found import FoundFile
    from mlcheck.store.tensors.request import Request

    path = dump(tmp_path / "a.h5")
    files = [FoundFile(path, "a.h5", "", "hdf5", 1), FoundFile(tmp_path / "b.h5", "b.h5", "", "hdf5", 1)]
    result = Hdf5Importer().read_together(files, Request.base())
    assert [imported.status.status for _, imported in result] == ["read", "unreadable"]
    assert "No such file" in result[1][1].status.reason


# Runs


def groups(*paths):
    return {name: sorted(path.name for path in members) for name, members in Hdf5Importer().groups(paths).items()}


def test_the_same_tensors_at_the_same_steps_are_two_runs(tmp_path):
    found = groups(dump(tmp_path / "seed0.h5"), dump(tmp_path / "seed1.h5"))
    assert found == {"seed0": ["seed0.h5"], "seed1": ["seed1.h5"]}


def test_files_that_complete_one_another_are_one_run(tmp_path):
    assert len(groups(dump(tmp_path / "weights.h5", "weights"), dump(tmp_path / "gradients.h5"))) == 1


def test_completing_files_of_two_seeds(tmp_path):
    paths = [dump(tmp_path / f"seed{seed}_{name}.h5", name) for seed in (0, 1) for name in ("weights", "gradients")]
    assert groups(*paths) == {
        "seed0": ["seed0_gradients.h5", "seed0_weights.h5"],
        "seed1": ["seed1_gradients.h5", "seed1_weights.h5"],
    }


def test_files_that_go_on_where_others_end_are_one_run(tmp_path):
    assert len(groups(dump(tmp_path / "dump_0.h5"), dump(tmp_path / "dump_1.h5", steps=(30, 40)))) == 1


def test_a_history_of_files_is_one_run(tmp_path):
    paths = [write(tmp_path / f"ckpt_{step}.h5", {"fc1.weight": (2, 3)}) for step in (1, 2, 3)]
    assert len(groups(*paths, write(tmp_path / "history.h5", {"loss": (3,), "val_loss": (3,)}))) == 1


def test_parts_of_a_run_are_one(tmp_path):
    assert len(groups(dump(tmp_path / "train" / "a.h5"), dump(tmp_path / "val" / "a.h5"))) == 1


def test_what_cannot_be_read_goes_with_its_run(tmp_path):
    broken = tmp_path / "broken.h5"
    broken.write_bytes(b"\x80\x04\x95")
    assert groups(dump(tmp_path / "a.h5"), broken) == {"": ["a.h5", "broken.h5"]}
    several = groups(dump(tmp_path / "seed0.h5"), dump(tmp_path / "seed1.h5"), broken)
    assert several == {"seed0": ["seed0.h5"], "seed1": ["seed1.h5"], "broken.h5": ["broken.h5"]}
    assert groups(broken) == {"broken.h5": ["broken.h5"]}


def test_labels_and_predictions_of_two_files_meet(tmp_path):
    found = read(dump(tmp_path / "labels.h5", "labels"), dump(tmp_path / "predictions.h5", "predictions"))
    assert found.groups == 1


def test_parts_are_told_to_the_collector(tmp_path):
    from tests.importers.hdf5.recorder import Recorder

    read(dump(tmp_path / "a.h5"), part="train")
    assert [one.part for one in Recorder.made] == ["train"]
