import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import versions
from pipeline.params import read

REPO = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def house(tmp_path: Path) -> Path:
    files = {
        "pipeline/__init__.py": "",
        "pipeline/shared.py": "RATE = 2\n",
        "pipeline/other.py": "X = 1\n",
        "stages/__init__.py": "",
        "stages/one/__init__.py": "",
        "stages/one/__main__.py": "def f():\n    from pipeline.shared import RATE\n    return RATE\n",
        "stages/two/__init__.py": "",
        "stages/two/__main__.py": "from pipeline import other\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def hashes(house: Path) -> tuple[str, str]:
    return versions.compute("stages.one", house), versions.compute("stages.two", house)


def test_a_comment_a_docstring_and_layout_change_no_version(house: Path) -> None:
    before = hashes(house)
    (house / "pipeline/shared.py").write_text('"""Doc."""\n\n# why\nRATE   =  2\n')
    assert hashes(house) == before


def test_a_changed_line_changes_what_imports_it_and_nothing_else(house: Path) -> None:
    before = hashes(house)
    (house / "pipeline/shared.py").write_text("RATE = 3\n")
    after = hashes(house)
    assert (before[0] != after[0], before[1] != after[1]) == (True, False)


def test_an_import_inside_a_function_counts(house: Path) -> None:
    assert house / "pipeline/shared.py" in versions.closure("stages.one", house)


def test_the_recorded_versions_are_those_of_the_code() -> None:
    recorded = read(REPO / "versions.yaml")
    computed = {s: versions.compute(m) for s, m in versions.stage_modules().items()}
    assert recorded == computed, "run `make lock`"


def test_what_was_parsed_before_is_taken_where_the_file_is_the_same_and_nowhere_else(
    tmp_path: Path,
) -> None:
    def written() -> str:
        environment = os.environ | {"PYTHONPATH": str(REPO)}
        command = [sys.executable, "-m", "pipeline.versions"]
        subprocess.run(command, cwd=tmp_path, env=environment, check=True)
        return (tmp_path / "versions.yaml").read_text()

    kept = tmp_path / ".idiolect/parsed.json"
    true = written()
    parsed = json.loads(kept.read_text())
    other = {name: [of, names, "another tree"] for name, (of, names, _) in parsed.items()}
    kept.write_text(json.dumps(other))
    assert written() != true
    kept.write_text(json.dumps({name: ["of before", *rest] for name, (_, *rest) in other.items()}))
    assert written() == true
    kept.write_text("{")
    assert written() == true
    assert json.loads(kept.read_text()) == parsed
