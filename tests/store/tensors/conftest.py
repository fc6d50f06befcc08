"""Tests of what is measured run twice: with the compiled pass, where it is built, and with numpy."""

import os

import pytest

from mlcheck import native

BOTH_WAYS = ("test_change", "test_measure", "test_units")


def pytest_generate_tests(metafunc):
    """The ways in which a module's tests are run."""
    if metafunc.module.__name__.rpartition(".")[2] in BOTH_WAYS:
        metafunc.fixturenames.append("path")
        metafunc.parametrize("path", ["compiled", "numpy"], indirect=True, scope="module")


@pytest.fixture(scope="module")
def path(request):
    """Which of the two ways measures."""
    if request.param == "compiled":
        if native.module("statistics") is None:
            pytest.skip("mlcheck.native.statistics is not built (python hatch_build.py)")
        yield
        return
    before = os.environ.get(native.SWITCH)
    os.environ[native.SWITCH] = "0"
    native.module.cache_clear()
    yield
    if before is None:
        del os.environ[native.SWITCH]
    else:
        os.environ[native.SWITCH] = before
    native.module.cache_clear()
