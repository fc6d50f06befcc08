"""Built-in rules that come out of the cache are the rules of the files."""

import os
import pickle
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest

from mlcheck.engine import compiled, registry
from mlcheck.engine.loader import load_file
from mlcheck.engine.rule import HELD_BACK, Rule
from mlcheck.engine.schema import InputModel, ParamModel, RuleModel
from mlcheck.engine.spec import InputSpec, ParamSpec, RuleSpec
from mlcheck.lang import expression
from mlcheck.lang.parse import first_comparison, parse
from mlcheck.store import tables
from mlcheck.store.needed import needs_of


@pytest.fixture(scope="module")
def files() -> list[Path]:
    return registry.rule_files(registry.built_in_directory())[:12]


@pytest.fixture(scope="module")
def rules(files: list[Path]) -> list[Rule]:
    return [load_file(path) for path in files]


def test_kept_rules_are_those_of_the_files(files: list[Path], rules: list[Rule], tmp_path: Path) -> None:
    compiled.keep(rules, files, tmp_path)
    kept = compiled.load(files, tmp_path)
    assert kept is not None
    for one, other in zip(kept, rules, strict=True):
        assert one.model == replace(other.model, tests=())
        assert one.info(one.defaults()) == other.info(other.defaults())
        for mine, its in ((one.when, other.when), (one.value, other.value), (one.limit, other.limit)):
            assert (mine.text, mine.names, mine.nodes) == (its.text, its.names, its.nodes)
            assert expression.ast.dump(mine.root) == expression.ast.dump(its.root)
        assert list(one.lets.expressions) == list(other.lets.expressions)
        assert one.texts == other.texts or one.texts.keys() == other.texts.keys()


def test_what_a_run_does_not_ask_of_a_kept_rule_is_not_read(
    files: list[Path], rules: list[Rule], tmp_path: Path
) -> None:
    compiled.keep(rules, files, tmp_path)
    for one, other in zip(compiled.load(files, tmp_path) or (), rules, strict=True):
        assert one.info(one.defaults()) == other.info(other.defaults())
        assert HELD_BACK.isdisjoint(vars(one))
        with pytest.raises(AttributeError, match="nothing"):
            _ = one.nothing
        assert one.among == other.among
        assert vars(one).keys() >= HELD_BACK
        # Sides of a comparison share their nodes with the whole, as in a rule that was never kept.
        assert one.when.root is one.when.root
        for mine, its in ((one.value, other.value), (one.limit, other.limit)):
            assert (mine.side_of is None) == (its.side_of is None)
            assert mine.side_of is None or mine.side_of[0] is one.when


def test_the_tables_of_the_store_come_out_with_the_rules(files: list[Path], rules: list[Rule], tmp_path: Path) -> None:
    compiled.keep(rules, files, tmp_path)
    code = (
        "import sys; from pathlib import Path; from mlcheck.engine import compiled; from mlcheck.store import tables, roles;"
        "assert compiled.load([Path(one) for one in sys.argv[2:]], Path(sys.argv[1]));"
        "assert roles.assign('train/loss').role == 'loss';"
        "sys.exit('they are parsed' if 'tomllib' in sys.modules else None)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    _, _, (kept, needs) = pickle.loads(next(tmp_path.iterdir()).read_bytes())
    assert kept == {path.stem: tomllib.loads(path.read_text(encoding="utf-8")) for path in tables.table_files()}
    assert needs == needs_of(kept)


def test_kept_rules_are_loaded_once_in_a_process(files: list[Path], rules: list[Rule], tmp_path: Path) -> None:
    """What is known of their expressions is kept by the expression: a notebook that scans a hundred runs needs it once."""
    compiled.keep(rules[:1], files[:1], tmp_path)
    first, second = compiled.load(files[:1], tmp_path), compiled.load(files[:1], tmp_path)
    assert first is not None
    assert second is not None
    assert first[0] is second[0]
    assert first is not second


def test_a_changed_file_and_a_file_that_others_may_write_are_not_believed(
    files: list[Path], rules: list[Rule], tmp_path: Path
) -> None:
    own = tmp_path / "one.yaml"
    own.write_bytes(files[0].read_bytes())
    kept = tmp_path / "kept"
    compiled.keep(rules[:1], [own], kept)
    assert compiled.load([own], kept) is not None
    (path,) = kept.iterdir()
    path.chmod(0o666)
    assert compiled.load([own], kept) is None
    path.chmod(0o600)
    os.utime(own, ns=(1, 1))
    assert compiled.load([own], kept) is None


def test_a_file_of_the_right_name_made_of_other_files_is_not_believed(
    files: list[Path], rules: list[Rule], tmp_path: Path
) -> None:
    compiled.keep(rules[:1], files[:1], tmp_path)
    (path,) = tmp_path.iterdir()
    _, *kept = pickle.loads(path.read_bytes())
    path.write_bytes(pickle.dumps(("other", *kept)))
    assert compiled.load(files[:1], tmp_path) is None


def test_kept_rules_need_neither_pydantic_nor_the_yaml_reader(
    files: list[Path], rules: list[Rule], tmp_path: Path
) -> None:
    compiled.keep(rules, files, tmp_path)
    code = (
        "import sys; from pathlib import Path; from mlcheck.engine import compiled, registry;"
        "kept = compiled.load([Path(one) for one in sys.argv[2:]], Path(sys.argv[1])); assert kept;"
        "sys.exit(','.join({'pydantic', 'ruamel'} & {name.split('.')[0] for name in sys.modules}) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("spec", "model"), [(RuleSpec, RuleModel), (InputSpec, InputModel), (ParamSpec, ParamModel)])
def test_plain_rules_hold_what_the_schema_has(spec: type, model: type) -> None:
    """Save what stands in `Rule` itself, parsed."""
    parsed = {"severity", "margin", "merge", "headline", "message", "advice"} if spec is RuleSpec else set()
    assert set(spec.__dataclass_fields__) == set(model.model_fields) - parsed


def test_both_sides_of_a_comparison_share_their_nodes_with_the_whole() -> None:
    whole = parse("a + 1 > b and c > 2", ["a", "b", "c"])
    sides = first_comparison(whole)
    assert sides is not None
    again, left, right = pickle.loads(pickle.dumps((whole, *sides)))
    for expressions in ((whole, *sides), (again, left, right)):
        comparison = expressions[0].root.values[0]
        assert expressions[1].root is comparison.left
        assert expressions[2].root is comparison.comparators[0]
    assert (left.text, right.text) == ("a + 1", "b")
