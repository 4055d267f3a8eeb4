"""The rules of the house, read from the imports."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent
ORDER = (
    "sample",
    "clips",
    "landmarks",
    "parsing",
    "speech",
    "sheet",
    "references",
    "style_mapping",
    "motion",
    "generator",
    "render",
    "evaluation",
)
RUNNING = (
    "cli",
    "project",
    "demo",
    "check",
    "doctor",
    "timing",
    "formats_page",
    "sweep",
    "promotion",
    "verify",
    "locks",
    "recorded",
    "dag",
    "runner",
    "child",
    "cards",
    "reproduce",
    "live",
    "one_run",
    "saved_lock",
    "rwlock",
    "leftovers",
    "flows",
    "remote",
    "inbox",
)


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def stage_files() -> list[Path]:
    return sorted((REPO / "stages").glob("*/*.py"))


@pytest.mark.parametrize("path", stage_files(), ids=lambda p: f"{p.parent.name}/{p.name}")
def test_a_stage_imports_only_stages_before_it(path: Path) -> None:
    own = ORDER.index(path.parent.name)
    others = {name.split(".")[1] for name in imports(path) if name.startswith("stages.")}
    assert {other for other in others if ORDER.index(other) > own} == set()
    assert own == 0 or "sample" not in others


def test_the_shared_half_imports_neither_stages_nor_what_runs_them() -> None:
    for path in (REPO / "pipeline").glob("*.py"):
        if path.stem in RUNNING:
            continue
        roots = {name.split(".")[0] for name in imports(path)}
        assert roots.isdisjoint({"stages", "prefect", "dvc"}), path.name
        assert not {f"pipeline.{name}" for name in RUNNING} & imports(path), path.name


def test_no_module_has_a_name_that_says_nothing() -> None:
    empty = {"utils", "helpers", "misc", "common", "manager", "util", "tools"}
    assert {p.stem for p in REPO.glob("*/**/*.py") if ".venv" not in p.parts} & empty == set()


def test_nothing_unpickles_or_starts_a_shell() -> None:
    for path in [*(REPO / "pipeline").rglob("*.py"), *(REPO / "stages").rglob("*.py")]:
        text = path.read_text()
        assert "allow_pickle=True" not in text, path
        assert "shell=True" not in text, path
        assert "import pickle" not in text, path
        if "torch.load(" in text:
            assert path.name == "weights.py", path
            assert text.count("torch.load(") == text.count("weights_only=True"), path


def test_every_stage_takes_the_place_of_its_shell() -> None:
    # Debian's sh would stay above it, die of the signal that stops a training, and take it along.
    commands = re.findall(r"^ +cmd: (.*)$", (REPO / "dvc.yaml").read_text(), re.MULTILINE)
    assert len(commands) == 19
    assert all(re.fullmatch(r"exec python -m stages\.[\w.]+( \S+)?", c) for c in commands), commands


def test_help_answers_without_heavy_imports() -> None:
    code = (
        "import sys; sys.argv = ['idiolect', '--help']\n"
        "from pipeline.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'cv2', 'mediapipe', 'dvc', 'pandas', 'av'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPO, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("stage", ["clips", "landmarks", "parsing", "speech"])
def test_the_workers_of_a_stage_are_begun_before_its_own_heavy_imports(stage: str) -> None:
    code = (
        "import sys\n"
        f"import stages.{stage}.__main__\n"
        "heavy = {'numpy', 'pyarrow', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPO)


def test_constraints_name_no_address() -> None:
    text = (REPO / "constraints.txt").read_text()
    assert "://" not in text
    assert " @ " not in text
    assert "torch==2.13.0" in text
