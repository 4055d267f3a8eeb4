"""A stage's code version: a hash of what it imports from here, without comments and docstrings.

versions.yaml holds one hash a stage and is among the stage's params in dvc.yaml, so that changed
code re-runs what imports it and a changed comment runs nothing. `python -m pipeline.versions`
(`make lock`) writes it.
"""

import ast
import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.problems import BadParams
from pipeline.writing import whole_file

VERSIONS = Path("versions.yaml")
ROOT = Path(__file__).resolve().parent.parent
_OURS = ("pipeline", "stages")
_PARSED = Path(".idiolect/parsed.json")  # what was read of each file, for the next stage


@cache
def version(stage: str, path: Path = VERSIONS) -> str:
    """Return the recorded code version of a stage.

    Raises:
        BadParams: none is recorded, or the code has changed since: results must not be filed under
            the version of other code.
    """
    from pipeline.params import read

    recorded, now = read(path).get(stage), compute(stage_modules()[stage])
    _keep_parsed()
    if recorded != now:
        found = "the code has changed since its version was recorded"
        raise BadParams(f"{path}: {stage}", found, "run `make lock`, then `dvc repro`")
    return now


def stage_modules(dvc_yaml: Path = ROOT / "dvc.yaml") -> dict[str, str]:
    """Map each stage of dvc.yaml to the module that its command runs."""
    from pipeline.params import read

    stages = read(dvc_yaml)["stages"]
    commands = {name: (stage.get("do") or stage)["cmd"].split() for name, stage in stages.items()}
    return {name: command[command.index("-m") + 1] for name, command in commands.items()}


def compute(module: str, root: Path = ROOT) -> str:
    """Hash the syntax trees of a module and of all of ours that it imports, at any depth.

    Args:
        module: dotted name of a module or package that is run.
        root: folder of the `pipeline` and `stages` packages.

    Returns:
        16 hex digits; the same for any change of comments, docstrings and layout alone.

    """
    digest = hashlib.sha256()
    for path in sorted(closure(module, root)):
        digest.update(str(path.relative_to(root)).encode())
        digest.update(_read(path, root)[1].encode())
    return digest.hexdigest()[:16]


def closure(module: str, root: Path = ROOT) -> set[Path]:
    """Find the files of a module, its packages and all of ours that they import."""
    entry = _files(module, root) | _files(f"{module}.__main__", root)
    found: set[Path] = set()
    waiting = list(entry)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for name in _read(path, root)[0]:
            waiting.extend(_files(name, root) - found)
    return found


def _files(module: str, root: Path) -> set[Path]:
    """Return the file of a module and the __init__ of every package around it."""
    parts = module.split(".")
    if parts[0] not in _OURS:
        return set()
    around = [root.joinpath(*parts[:i], "__init__.py") for i in range(1, len(parts) + 1)]
    own = root.joinpath(*parts).with_suffix(".py")
    return {path for path in [*around, own] if path.is_file()}


def _read(path: Path, root: Path) -> tuple[list[str], str]:
    """Return what a file imports, and a hash of its syntax tree without docstrings."""
    name, code = str(path.relative_to(root)), path.read_bytes()
    of = hashlib.sha256(code + str(sys.version_info[:2]).encode()).hexdigest()
    parsed = _parsed_before()
    if parsed.get(name, [""])[0] != of:
        parsed[name] = [of, *_parsed(code.decode(), path.relative_to(root).parts[:-1])]
    return parsed[name][1], parsed[name][2]


@cache
def _parsed_before() -> dict[str, list[Any]]:
    """Read what earlier processes have parsed; a file's name to its hash, imports and tree."""
    with suppress(FileNotFoundError, ValueError):
        return dict(json.loads(_PARSED.read_text()))
    return {}


def _keep_parsed() -> None:
    text = json.dumps(_parsed_before())
    with suppress(FileNotFoundError):
        if _PARSED.read_text() == text:
            return
    with whole_file(_PARSED) as part:
        part.write_text(text)


def _parsed(code: str, package: tuple[str, ...]) -> tuple[list[str], str]:
    tree = ast.parse(code)
    names = []
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            name = ".".join([*base, *([node.module] if node.module else [])])
            names += [name, *(f"{name}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:]
    return names, hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and the statements in it, at any depth: expressions hold none."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, name, None)
            waiting.extend(inner if isinstance(inner, list) else [])


def write(path: Path = VERSIONS) -> None:
    """Write versions.yaml for the code as it is, unless that is what it says."""
    lines = [f"{stage}: {compute(module)!r}\n" for stage, module in stage_modules().items()]
    text = "# Written by `make lock`: a hash of each stage's code.\n" + "".join(lines)
    _keep_parsed()
    if path.is_file() and path.read_text() == text:
        return
    with whole_file(path) as part:
        part.write_text(text)


if __name__ == "__main__":
    write()
