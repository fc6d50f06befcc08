"""Compiles the C sources of mlcheck/native where there is a compiler; without one, mlcheck reads with numpy, to the same results.

python hatch_build.py      compile in place, for a checkout on PYTHONPATH
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ModuleNotFoundError:  # compiling in place needs no hatchling
    BuildHookInterface = object

ROOT = Path(__file__).resolve().parent
NATIVE = ROOT / "mlcheck" / "native"
LIMITED_API = "0x030B0000"
"""The stable interface of Python 3.11: one build serves all later versions."""


def compile_in_place() -> list[Path]:
    """Build every mlcheck/native/*.c into a module beside it; their paths. Raises what setuptools raises without a compiler."""
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    options = ["-O3", "-std=c11", "-fvisibility=hidden", "-fopenmp-simd", "-Wall", "-Wextra"]
    # Sums are rounded as numpy rounds them, to the same statistics.
    options = [] if sys.platform == "win32" else [*options, "-ffp-contract=off"]
    extensions = [
        Extension(
            f"mlcheck.native.{source.stem}",
            [str(source.relative_to(ROOT))],
            depends=[str(header.relative_to(ROOT)) for header in NATIVE.glob("*.h")],
            extra_compile_args=options,
            define_macros=[("Py_LIMITED_API", LIMITED_API)],
            py_limited_api=True,
        )
        for source in sorted(NATIVE.glob("*.c"))
    ]
    distribution = Distribution({"name": "mlcheck-native", "ext_modules": extensions, "packages": []})
    with tempfile.TemporaryDirectory() as scratch:
        command = build_ext(distribution)
        command.build_temp, command.build_lib = scratch, str(ROOT)
        command.ensure_finalized()
        command.run()
        return [Path(one).resolve() for one in command.get_outputs()]


class NativeBuildHook(BuildHookInterface):  # type: ignore[misc, unused-ignore]
    """Compiles, and puts the modules into the wheel."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds a wheel, or an editable install."""
        if self.target_name != "wheel":
            return
        try:
            built = compile_in_place()
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            self.app.display_warning(f"mlcheck is installed without its compiled readers ({error}): it reads slower")
            return
        if version != "editable":
            build_data["pure_python"] = False
            build_data["force_include"] |= {str(path): path.relative_to(ROOT).as_posix() for path in built}
            build_data["tag"] = _tag()


def _tag() -> str:
    from packaging.tags import sys_tags

    return f"cp311-abi3-{next(iter(sys_tags())).platform}"


if __name__ == "__main__":
    for path in compile_in_place():
        print(path.relative_to(ROOT))
