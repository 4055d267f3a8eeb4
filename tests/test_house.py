"""Rules of the repository that no linter keeps."""

import ast
import re
import subprocess
import sys
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from stages.base.config.code_version import ENTRIES

REPO = Path(__file__).resolve().parent.parent
MEDIA = {".png", ".jpg", ".jpeg", ".mp4", ".mov", ".wav", ".mp3", ".npy", ".npz", ".parquet",
         ".safetensors", ".onnx", ".pt", ".pth", ".dat"}  # fmt: skip
# The face that a project without a portrait is trained with, and two pictures of the docs.
ALLOWED = {"stages/neutral/default.png", "docs/prefect.png", "docs/studio.png", "docs/film.gif"}
LARGEST = 400_000  # bytes
LONGEST = 300  # lines of a module; a longer one says "Long because …" in its docstring


@cache
def tracked() -> tuple[Path, ...]:
    """List the files that git tracks or would add."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "-z"]
    names = subprocess.check_output(command, cwd=REPO, text=True).split("\0")
    return tuple(path for name in names if name and (path := REPO / name).is_file())


def modules(*rooms: str) -> list[Path]:
    files = [path for path in tracked() if path.suffix == ".py"]
    return [path for path in files if path.relative_to(REPO).parts[0] in rooms]


def test_git_holds_no_media_but_the_neutral_face_and_the_pictures_of_the_docs() -> None:
    names = {str(path.relative_to(REPO)) for path in tracked() if path.suffix in MEDIA}
    assert names <= ALLOWED


def test_git_holds_no_large_file() -> None:
    film = REPO / "docs/film.gif"
    assert [path for path in tracked() if path != film and path.stat().st_size > LARGEST] == []
    assert film.stat().st_size < 1_000_000


def test_no_module_has_a_name_without_meaning() -> None:
    empty = {"utils", "util", "helpers", "misc", "common", "manager", "tools"}
    assert {path.stem for path in modules("stages", "pipeline", "tests", "bench")} & empty == set()


def test_nothing_unpickles_starts_a_shell_or_catches_everything() -> None:
    for path in modules("stages", "pipeline"):
        text = path.read_text()
        for forbidden in ("allow_pickle=True", "shell=True", "except:"):
            assert forbidden not in text, (path, forbidden)
        # Its one unpickler admits numpy arrays alone.
        assert path.name == "pretrained.py" or "import pickle" not in text, path
        if "torch.load(" in text:
            assert path.name == "pretrained.py", path
            assert text.count("torch.load(") == text.count("weights_only=True"), path


def test_no_module_is_long_without_a_reason() -> None:
    for path in modules("stages", "pipeline"):
        text = path.read_text()
        docstring = ast.get_docstring(ast.parse(text)) or ""
        assert text.count("\n") <= LONGEST or "Long because" in docstring, path


def test_no_test_module_imports_another() -> None:
    for path in modules("tests"):
        assert not re.search(
            r"^\s*(from|import) tests\.\S*\btest_", path.read_text(), re.MULTILINE
        ), path


def test_every_stage_replaces_its_shell_and_has_an_entry() -> None:
    # Debian's sh stays above a command without `exec`, dies of the signal that stops a training,
    # and takes DVC's exit code along.
    commands = re.findall(r"^ +cmd: (.*)$", (REPO / "dvc.yaml").read_text(), re.MULTILINE)
    names = [re.fullmatch(r"exec python -m stages (\w+)( \S+)?", command) for command in commands]
    assert [name and name[1] for name in names] == list(ENTRIES)


@pytest.mark.parametrize(("stage", "module"), ENTRIES.items())
def test_a_stages_entry_is_the_file_named_after_it(stage: str, module: str) -> None:
    assert module.rpartition(".")[2] == stage
    assert REPO.joinpath(*module.split(".")).with_suffix(".py").is_file()
    assert callable(import_module(module).main)


def test_help_answers_without_heavy_imports() -> None:
    code = (
        "import sys; sys.argv = ['idiolect', '--help']\n"
        "from pipeline.cli.app import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'cv2', 'mediapipe', 'dvc', 'pandas', 'av'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=REPO, stdout=subprocess.DEVNULL)


def test_constraints_name_no_address() -> None:
    text = (REPO / "constraints.txt").read_text()
    assert "://" not in text
    assert " @ " not in text
    assert "torch==2.13.0" in text


@pytest.mark.parametrize(
    "name",
    [
        "README.md",
        *(
            f"docs/{n}.md"
            for n in (
                "method",
                "accuracy",
                "how-to",
                "tutorial",
                "reference/operations",
                "reference/weights",
            )
        ),
    ],
)
def test_the_docs_name_files_and_functions_that_exist(name: str) -> None:
    text = (REPO / name).read_text()
    for path in re.findall(r"\b(?:stages|pipeline|bench|tests|docs)/[\w/]+\.\w+", text):
        assert (REPO / path).exists(), path
    for path, names in re.findall(r"`(stages/[\w/]+\.py): ([\w., ]+)`", text):
        code = (REPO / path).read_text()
        for function in names.split(", "):
            assert re.search(rf"^\s*(def|class) {function}\b|^{function}\b", code, re.MULTILINE), (
                path,
                function,
            )
    for module in re.findall(r"python -m ([\w.]+)", text):
        file = REPO.joinpath(*module.split("."))
        assert file.with_suffix(".py").is_file() or (file / "__main__.py").is_file(), module


@pytest.mark.parametrize("page", [*sorted(REPO.glob("docs/**/*.md")), REPO / "README.md"], ids=str)
def test_links_of_the_docs_lead_to_files_and_headings(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.+)$", file.read_text(), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}
            assert anchor in anchors, target


@pytest.mark.parametrize("target", ["quick", "test", "soak"])
def test_make_runs_pytest_and_hears_its_failure(target: str) -> None:
    printed = subprocess.run(
        ["make", "--no-print-directory", "-n", target],
        cwd=REPO,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert printed.splitlines()[-1].startswith("pytest ")


def test_make_install_for_a_gpu_replaces_the_cpus_faiss() -> None:
    recipes = [
        subprocess.run(
            ["make", "--no-print-directory", "-n", "-B", "install", *variables],
            cwd=REPO,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for variables in ([], ["GPU=1"])
    ]
    for line in ("pip uninstall --quiet --yes faiss-cpu", "-e '.[gpu]'"):
        assert [line in recipe for recipe in recipes] == [False, True]
