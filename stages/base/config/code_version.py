"""Code versions: a hash of each stage's import closure in `stages`, without comments.

versions.yaml holds one hash per stage, which dvc.yaml lists among the stage's params: changed code
re-runs the stages that import it; a changed comment or docstring does not. `make lock` writes it:

    python -m stages.base.config.code_version
"""

import ast
import hashlib
from functools import cache
from pathlib import Path

from pipeline.runtime.atomic_files import write_atomic
from pipeline.runtime.user_errors import BadParams
from stages.base.config.params import read_params

VERSIONS = Path("versions.yaml")
ROOT = Path(__file__).resolve().parents[3]
_DOCUMENTED = ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
ENTRIES = {
    "sample": "stages.sample.sample",
    "neutral": "stages.neutral.neutral",
    "neutral_landmarks": "stages.landmarks.neutral_landmarks",
    "population": "stages.clips.population",
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
    "transfer_style": "stages.transfer.transfer_style",
    "train_generator_base": "stages.generator.train_generator_base",
    "train_generator": "stages.generator.train_generator",
    "donors": "stages.donors.donors",
    "render": "stages.render.render",
    "evaluate": "stages.evaluation.evaluate",
}


@cache
def version(stage: str, path: Path = VERSIONS) -> str:
    """Return the recorded code version of a stage.

    Raises:
        BadParams: no version is recorded, or the code has changed since: results must not be
            stored under the version of other code.
    """
    recorded, current = read_params(path).get(stage), compute(ENTRIES[stage])
    if recorded != current:
        found = "the code has changed since its version was recorded"
        raise BadParams(f"{path}: {stage}", found, "run `make lock`, then `idiolect repro`")
    return current


def compute(module: str, root: Path = ROOT) -> str:
    """Hash the syntax trees of a module and of all modules of `stages` that it imports.

    Args:
        module: dotted name of a module or package.
        root: folder of the `stages` package.

    Returns:
        16 hex digits; comments, docstrings and layout do not affect them.
    """
    digest = hashlib.sha256()
    for path in sorted(closure(module, root)):
        digest.update(str(path.relative_to(root)).encode())
        digest.update(_read(path, root)[1].encode())
    return digest.hexdigest()[:16]


def closure(module: str, root: Path = ROOT) -> set[Path]:
    """Return the files of a module, its packages, and all modules of `stages` that they import."""
    files: set[Path] = set()
    pending = _files(module, root)
    while pending:
        path = pending.pop()
        files.add(path)
        for name in _read(path, root)[0]:
            pending |= _files(name, root) - files
    return files


def _files(module: str, root: Path) -> set[Path]:
    """Return the file of a module and the __init__ of every package around it."""
    parts = module.split(".")
    if parts[0] != "stages":
        return set()
    packages = [root.joinpath(*parts[:i], "__init__.py") for i in range(1, len(parts) + 1)]
    own = root.joinpath(*parts).with_suffix(".py")
    return {path for path in [*packages, own] if path.is_file()}


@cache
def _read(path: Path, root: Path) -> tuple[list[str], str]:
    """Return what a file imports, and a hash of its syntax tree without docstrings."""
    tree, package = ast.parse(path.read_text()), path.relative_to(root).parts[:-1]
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            name = ".".join([*base, *([node.module] if node.module else [])])
            names += [name, *(f"{name}.{alias.name}" for alias in node.names)]
        elif isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return names, hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def write(path: Path = VERSIONS) -> None:
    """Write versions.yaml for the present code, unless it is up to date."""
    lines = [f"{stage}: {compute(module)!r}\n" for stage, module in ENTRIES.items()]
    text = "# Written by `make lock`: a hash of each stage's code.\n" + "".join(lines)
    if path.is_file() and path.read_text() == text:
        return
    write_atomic(path, text)


if __name__ == "__main__":
    write()
