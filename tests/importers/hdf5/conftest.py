import pytest

from mlcheck.importers.hdf5 import read as reading
from tests.importers.hdf5.recorder import Recorder


@pytest.fixture
def recorded(monkeypatch):
    """The importer hands its tensors to a collector that keeps them."""
    monkeypatch.setattr(reading, "TensorCollector", Recorder)
