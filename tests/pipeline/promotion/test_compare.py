"""Two revisions side by side."""

import re
from pathlib import Path

import pytest
from dvc.cli import main

from pipeline.runtime.user_errors import UserError
from tests.pipeline.promotion.promoted import dvc, git, retrain, run

pytestmark = pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # DVC's own


@pytest.mark.slow
def test_two_revisions_side_by_side(project: Path) -> None:
    retrain(quality=1.0)
    run("promote")
    before = git("status", "--porcelain")
    printed = run("compare", "champion/1", "champion/2")
    assert "quality: 0.0 → 1.0" in printed
    assert re.search(r"ann\.reconstruction\.generator\.psnr_face +25 +26  \*", printed)
    assert "better than champion/1" in printed
    page = Path("reports/compare/champion-1_champion-2/index.html")
    text = page.read_text()
    assert "<tr><td>better</td><td>reconstruction.generator.psnr_face</td><td>ann</td>" in text
    assert "\n| " not in text  # a table, and no markdown
    assert '<th class="n">champion/1</th><th class="n">champion/2</th><th class="n">gain' in text
    assert '<td>ann</td><td class="n">25</td><td class="n won">26</td>' in text  # psnr
    assert f"champion/1: commit <code>{git('rev-parse', 'champion/1^{}')[:8]}</code>" in text
    shown = re.findall(r'<img src="([^"]+)"', text)
    assert shown == ["a/evaluation/figures/ann_frames.png", "b/evaluation/figures/ann_frames.png"]
    pictures = [(page.parent / name).read_bytes() for name in shown]
    assert (
        pictures[0] != pictures[1] == Path("reports/evaluation/figures/ann_frames.png").read_bytes()
    )
    assert git("status", "--porcelain") == before
    assert "quality" in run("compare", "champion/1")  # with the workspace
    with pytest.raises(UserError, match="no such revision"):
        run("compare", "nowhere", "champion")


def test_a_revision_that_was_never_run_is_compared_by_params_alone(project: Path) -> None:
    start = git("rev-list", "--max-parents=0", "HEAD")
    printed = run("compare", start, "champion")
    assert "params: the same" in printed
    assert "by promotion.yaml" not in printed


@pytest.mark.slow
def test_an_experiment_is_listed_and_compared_by_name_after_a_later_champion(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    dvc("exp", "run", "--temp", "-S", "quality=1.5", "--name", "trial")
    retrain(quality=1.0)
    run("promote")
    capfd.readouterr()
    assert main(["exp", "show", "--csv"]) == 0
    assert "trial" not in capfd.readouterr().out  # DVC forgets it with the new commit
    table = run("experiments", "--metric", "psnr", "--metric", "lmd").splitlines()
    assert table[0].split() == ["experiment", "after", "params", "who", "psnr", "lmd"]
    assert [line.split() for line in table[2:]] == [
        ["workspace", "ann", "26.000", "1.000"],
        ["trial", "champion/1", "quality=1.5", "ann", "26.500", "1.000"],
    ]
    assert max(map(len, run("experiments").splitlines())) <= 160
    printed = run("compare", "trial", "champion")
    assert "quality: 1.5 → 1.0" in printed
    assert re.search(r"ann\.reconstruction\.generator\.psnr_face +26.5 +26  \*", printed)
    with pytest.raises(UserError, match="no such revision or experiment"):
        run("compare", "trials", "champion")


@pytest.mark.slow
def test_dvc_shows_the_change_of_a_metric_since_the_last_commit(
    project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    retrain(quality=1.0)
    capfd.readouterr()
    assert main(["metrics", "diff"]) == 0
    printed = capfd.readouterr()
    assert "failed" not in printed.err
    assert printed.out.splitlines()[1].split() == [
        *("reports/metrics/ann.json", "psnr", "25.0", "26.0", "1.0")
    ]
