import shutil
from pathlib import Path

import pytest

from stages.base.config import code_version
from stages.base.config.params import read_params

REPO = Path(__file__).resolve().parents[4]


@pytest.fixture
def house(tmp_path: Path) -> Path:
    files = {
        "pipeline/__init__.py": "",
        "pipeline/runtime.py": "X = 1\n",
        "stages/base/__init__.py": "",
        "stages/base/shared.py": "RATE = 2\n",
        "stages/__init__.py": "",
        "stages/one/__init__.py": "",
        "stages/one/one.py": "def f():\n    from stages.base.shared import RATE\n    return RATE\n",
        "stages/two/__init__.py": "",
        "stages/two/two.py": "from pipeline import runtime\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def hashes(house: Path) -> tuple[str, str]:
    code_version._read.cache_clear()
    return code_version.compute("stages.one.one", house), code_version.compute(
        "stages.two.two", house
    )


def test_a_comment_a_docstring_and_layout_change_no_version(house: Path) -> None:
    before = hashes(house)
    (house / "stages/base/shared.py").write_text('"""Doc."""\n\n# why\nRATE   =  2\n')
    assert hashes(house) == before


def test_a_changed_line_changes_only_the_versions_of_its_importers(house: Path) -> None:
    before = hashes(house)
    (house / "stages/base/shared.py").write_text("RATE = 3\n")
    after = hashes(house)
    assert (before[0] != after[0], before[1] != after[1]) == (True, False)


def test_code_that_decides_no_byte_changes_no_version(house: Path) -> None:
    before = hashes(house)
    (house / "pipeline/runtime.py").write_text("X = 2\n")
    assert hashes(house) == before


def test_an_import_inside_a_function_counts(house: Path) -> None:
    assert house / "stages/base/shared.py" in code_version.closure("stages.one.one", house)


def test_the_recorded_versions_are_those_of_the_code() -> None:
    recorded = read_params(REPO / "versions.yaml")
    computed = {s: code_version.compute(m) for s, m in code_version.ENTRIES.items()}
    assert recorded == computed, "run `make lock`"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """Copy this repository's code."""
    for package in ("stages", "pipeline"):
        shutil.copytree(REPO / package, tmp_path / package)
    return tmp_path


def versions(code: Path) -> dict[str, str]:
    code_version._read.cache_clear()
    return {name: code_version.compute(entry, code) for name, entry in code_version.ENTRIES.items()}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_an_edit_of_the_pipeline_makes_no_stage_stale(code: Path) -> None:
    before = versions(code)
    edit(code / "pipeline/runtime/progress.py", "rate", "speed")
    edit(code / "pipeline/report/columns.yaml", "frame", "picture")
    assert versions(code) == before


@pytest.mark.slow
def test_an_edit_of_a_face_module_makes_stale_exactly_the_stages_that_import_it(
    code: Path,
) -> None:
    before = versions(code)
    stale_of_any = set()
    for module in sorted((code / "stages/base/face").glob("[!_]*.py")):
        text = module.read_text()
        module.write_text(text + "\nEDITED = 1\n")
        after = versions(code)
        stale = {name for name in before if after[name] != before[name]}
        importing = {
            name
            for name, entry in code_version.ENTRIES.items()
            if module in code_version.closure(entry, code)
        }
        assert stale == importing
        stale_of_any |= stale
        module.write_text(text)
    without = {"sample", "neutral", "population", "train_audio", "features"}
    assert set(before) - stale_of_any == without
