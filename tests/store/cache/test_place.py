"""The cache lies where platformdirs says, also where that need not be loaded to know."""

import platformdirs
import pytest

from mlcheck.store.cache import place

HOMES = {"home": "/home/one", "odd home": "/home/two words/", "no home": None, "relative home": "one", "empty home": ""}
CACHES = {"usual": None, "elsewhere": "/var/tmp/cache", "root": "/", "relative": "cache", "empty": "", "blank": " "}


@pytest.mark.parametrize("home", HOMES)
@pytest.mark.parametrize("cache", CACHES)
def test_it_is_where_platformdirs_says(monkeypatch: pytest.MonkeyPatch, home: str, cache: str) -> None:
    monkeypatch.delenv(place.DIRECTORY, raising=False)
    for variable, value in (("HOME", HOMES[home]), ("XDG_CACHE_HOME", CACHES[cache])):
        if value is None:
            monkeypatch.delenv(variable, raising=False)
        else:
            monkeypatch.setenv(variable, value)
    assert place.rules_directory() == platformdirs.user_cache_path("mlcheck", appauthor=False)
