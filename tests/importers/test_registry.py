"""The list of importers says of them what they are: it is read before they are imported."""

import subprocess
import sys

from mlcheck.importers import registry
from mlcheck.importers.base import Accompanies, OwnsDirectories


def test_the_list_says_what_importers_are() -> None:
    for name in registry.IMPORTERS:
        importer = registry.by_format(name)
        assert importer.format == name
        assert isinstance(importer, OwnsDirectories) == (name in registry.OWN_DIRECTORIES)
        assert isinstance(importer, Accompanies) == (name in registry.ACCOMPANY)
    assert [one.format for one in registry.importers()] == list(registry.IMPORTERS)


def test_a_directory_of_event_files_brings_in_no_reader_of_dumps_or_tables() -> None:
    code = (
        "import sys; from mlcheck.importers.discover import discover; found = discover(['fixtures/healthy-classifier']);"
        "assert found.runs; sys.exit(','.join(one for one in sys.modules if one.startswith(('mlcheck.importers.hdf5',"
        "'mlcheck.importers.parquet', 'mlcheck.importers.tables.', 'mlcheck.importers.console'))) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
