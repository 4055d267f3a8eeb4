"""`dvc plots show` draws without a network, and lists what it can load."""

import re
import shutil
from pathlib import Path

import pytest
from dvc.cli import main
from ruamel.yaml import YAML

from pipeline.report import offline_plots
from tests.conftest import REPO

CURVES = "reports/training/train_motion/plots/metrics"


@pytest.fixture
def plotted(workdir: Path) -> str:
    """Show a curve and an image with the repository's DVC settings; return the page."""
    shutil.copytree(REPO / ".dvc", ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
    config = Path(".dvc/config")
    config.write_text(config.read_text().replace("[core]\n", "[core]\n    no_scm = true\n"))
    plots = YAML(typ="safe").load((REPO / "dvc.yaml").read_text())["plots"]
    assert {CURVES: {"x": "step"}} in plots
    Path("dvc.yaml").write_text(f"plots:\n  - {CURVES}: {{x: step}}\n")
    Path(CURVES).mkdir(parents=True)
    Path(CURVES, "mouth.tsv").write_text("step\tmouth\n0\t0.5\n10\t0.25\n")
    assert main(["plots", "show", "-q"]) == 0
    return Path("dvc_plots/index.html").read_text()


def test_a_page_loads_the_script_that_the_project_wrote(plotted: str, workdir: Path) -> None:
    sources = re.findall(r'<script src="([^"$]+)">', plotted)
    assert [(workdir / "dvc_plots" / source).resolve() for source in sources] == [
        (workdir / offline_plots.SCRIPT).resolve()
    ]
    assert re.search(r"vegaEmbed\('#\w+mouth_tsv', spec\)", plotted)
    assert '"mouth": "0.25"' in plotted


def test_the_script_defines_what_the_page_calls_and_needs_no_other(workdir: Path) -> None:
    pytest.importorskip("vl_convert", reason="needs the extra `plots`")
    offline_plots.write_script()
    text = offline_plots.SCRIPT.read_text()
    assert "window.vegaEmbed=" in text
    assert "</script" not in text.lower()
    assert not re.search(r"^\s*(import|export)\b", text, re.MULTILINE)
