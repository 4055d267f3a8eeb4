"""No metric reads the region weights: a sweep over them is judged by numbers apart from them."""

import ast
from collections.abc import Iterator
from pathlib import Path

from ruamel.yaml import YAML

from tests.conftest import REPO

_WEIGHTS = {"region_weights", "lambda_sp", "style_generator", "RegionWeights", "check_lambda"}


def words(path: Path) -> Iterator[str]:
    """Yield the names and texts of a module's code, without docstrings."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value.value = ""
        match node:
            case ast.Name(id=word) | ast.Attribute(attr=word) | ast.alias(name=word):
                yield word
            case ast.Constant(value=str(word)):
                yield from word.split(".")


def test_neither_the_stage_nor_its_code_names_the_region_weights() -> None:
    stage = YAML(typ="safe").load((REPO / "dvc.yaml").read_text())["stages"]["evaluate"]
    params = {param for param in stage["params"] if isinstance(param, str)}
    assert "evaluation" in params
    assert not {param.partition(".")[0] for param in params} & _WEIGHTS
    modules = sorted((REPO / "stages/evaluation").glob("*.py"))
    found = {path.name: set(words(path)) & _WEIGHTS for path in modules}
    assert {name: these for name, these in found.items() if these} == {}
    trained = set(words(REPO / "stages/generator/train_generator.py"))
    assert trained >= {"region_weights", "lambda_sp"}  # the training does, and would be found
