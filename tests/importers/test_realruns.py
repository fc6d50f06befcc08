from collections import Counter
from pathlib import Path

import pytest

from mlcheck.importers.tensorboard import TensorBoardImporter
from tests.importers import witness

SHARED = Path(__file__).parents[3] / "shared"


def event_files(folder: str) -> list[Path]:
    return sorted(path for path in (SHARED / folder).rglob("*tfevents*") if path.is_file())


@pytest.mark.realruns
@pytest.mark.skipif(not (SHARED / "realruns").is_dir(), reason="no real runs here")
def test_every_real_file_reads_as_a_plain_loop_does():
    states = Counter()
    for path in event_files("realruns"):
        imported = TensorBoardImporter().read(path, path.name)
        states[imported.status.status] += 1
        data = path.read_bytes()
        found, end = witness.payloads(data)
        if imported.status.status in ("read", "partial"):
            witness.same(imported, witness.read(data))
            assert (imported.status.status == "partial") == (end < len(data))
            assert imported.status.offset == (end if end < len(data) else None)
        else:
            assert imported.status.reason
            assert len(found) <= 1
    assert states["read"] > 150
    assert states["partial"] > 1


@pytest.mark.realruns
@pytest.mark.skipif(not (SHARED / "smdebug").is_dir(), reason="no SageMaker Debugger trials here")
def test_sagemaker_debuggers_files_are_read_in_whole():
    for path in event_files("smdebug"):
        status = TensorBoardImporter().read(path, path.name).status
        assert status.status == "read", status
        assert status.records == len(witness.payloads(path.read_bytes())[0])
