"""A stage's code version: a hash of what it imports from here, without comments and docstrings.

versions.yaml holds one hash a stage and is among the stage's params in dvc.yaml, so that changed
code re-runs what imports it and a changed comment runs nothing. `python -m
stages.base.config.code_version` (`make lock`) writes it.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from pipeline.runtime.atomic_files import atomic_file
from pipeline.runtime.user_errors import BadParams
from stages.base.config.params import read_params

VERSIONS = Path("versions.yaml")
ROOT = Path(__file__).resolve().parents[3]
ENTRIES = {
    "sample": "stages.sample.sample",
    "neutral": "stages.neutral.neutral",
    "neutral_landmarks": "stages.landmarks.neutral_landmarks",
    "clips": "stages.clips.clips",
    "landmarks": "stages.landmarks.landmarks",
    "parsing": "stages.parsing.parsing",
    "speech": "stages.speech.speech",
    "sheet": "stages.sheet.sheet",
    "train_audio": "stages.speech.train_audio",
    "features": "stages.speech.features",
    "references": "stages.references.references",
    "match": "stages.references.match",
    "train_style_mapping": "stages.style_mapping.train_style_mapping",
    "isp": "stages.style_mapping.isp",
    "train_motion": "stages.motion.train_motion",
    "train_generator_base": "stages.generator.train_generator_base",
    "train_generator": "stages.generator.train_generator",
    "render": "stages.render.render",
    "evaluate": "stages.evaluation.evaluate",
}


@cache
def version(stage: str, path: Path = VERSIONS) -> str:
    """Return the recorded code version of a stage.

    Raises:
        BadParams: none is recorded, or the code has changed since: results must not be filed under
            the version of other code.
    """
    recorded, now = read_params(path).get(stage), compute(ENTRIES[stage])
    if recorded != now:
        found = "the code has changed since its version was recorded"
        raise BadParams(f"{path}: {stage}", found, "run `make lock`, then `dvc repro`")
    return now


def compute(module: str, root: Path = ROOT) -> str:
    """Hash the syntax trees of a module and of all of ours that it imports, at any depth.

    Args:
        module: dotted name of a module or package that is run.
        root: folder of the `stages` package.

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
    entry = _files(module, root)
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
    if parts[0] != "stages":
        return set()
    around = [root.joinpath(*parts[:i], "__init__.py") for i in range(1, len(parts) + 1)]
    own = root.joinpath(*parts).with_suffix(".py")
    return {path for path in [*around, own] if path.is_file()}


@cache
def _read(path: Path, root: Path) -> tuple[list[str], str]:
    """Return what a file imports, and a hash of its syntax tree without docstrings."""
    return _parse(path.read_text(), path.relative_to(root).parts[:-1])


def _parse(code: str, package: tuple[str, ...]) -> tuple[list[str], str]:
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
    lines = [f"{stage}: {compute(module)!r}\n" for stage, module in ENTRIES.items()]
    text = "# Written by `make lock`: a hash of each stage's code.\n" + "".join(lines)
    if path.is_file() and path.read_text() == text:
        return
    with atomic_file(path) as part:
        part.write_text(text)


if __name__ == "__main__":
    write()
