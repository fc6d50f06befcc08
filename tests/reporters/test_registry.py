import pytest

from mlcheck.errors import UsageError
from mlcheck.reporters.registry import get, names


@pytest.mark.parametrize(("asked", "name"), [("terminal", "terminal"), ("json", "json"), ("md", "markdown")])
def test_get(asked: str, name: str) -> None:
    assert get(asked).name == name


@pytest.mark.parametrize(("asked", "said"), [("markdwn", "did you mean markdown?"), ("zzz", "known formats: terminal")])
def test_an_unknown_name(asked: str, said: str) -> None:
    with pytest.raises(UsageError, match="unknown output format") as error:
        get(asked)
    assert said in str(error.value)


def test_all_names_work() -> None:
    assert all(get(name) for name in names())
