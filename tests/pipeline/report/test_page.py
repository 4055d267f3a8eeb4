"""reports/index.html, of real clips, in a real browser."""

import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from threading import Timer

import pytest

from pipeline.execution.dvc_project import Dag, Node
from pipeline.execution.stage_run import StageRun, State
from pipeline.report.page.build import write_page
from pipeline.report.page.people import AMPLITUDES
from pipeline.report.page.project_state import read_state
from pipeline.report.page.reasons import group, why
from pipeline.report.page.updater import PageUpdater
from pipeline.runtime.user_errors import UserError
from stages.base.io import tables
from stages.clips.artifacts import FRAMES, LEDGER
from stages.evaluation.artifacts import SCORES_JSON
from stages.evaluation.page import arrowed
from stages.references.person import GROUPS, NAMES
from tests.conftest import REPO
from tests.pipeline.report.browser import open_browser

DAG = Dag(
    {
        "clips@sample_calm": Node("clips@sample_calm"),
        "landmarks@sample_calm": Node("landmarks@sample_calm", frozenset({"clips@sample_calm"})),
        "train_motion": Node("train_motion", frozenset({"landmarks@sample_calm"})),
    },
    {"clips@sample_calm": ["params clips"]},
)
LOCK = """
schema: '2.0'
stages:
  clips@sample_calm:
    cmd: exec python -m stages clips seen/sample_calm
    params:
      params.yaml: {clips: {size: 64, fps: 25.0}}
      versions.yaml: {clips: 0123abcd}
    outs: [{path: data/clips/seen/sample_calm, md5: 89abcdef01234567.dir}]
"""


@pytest.fixture
def project(workdir: Path) -> Path:
    """A project with a lock, one used clip and one that was rejected."""
    params = (REPO / "params.yaml").read_text()
    Path("params.yaml").write_text(params.replace("  fps: 25.0", "  fps: 30.0", 1))
    Path("dvc.lock").write_text(LOCK)
    rows = {c.name: [0, 0] for c in LEDGER.columns if not c.shape and c.type != "string"}
    rows |= {c.name: ["", ""] for c in LEDGER.columns if c.type == "string"}
    rows |= {c.name: [[0] * c.shape[0]] * 2 for c in LEDGER.columns if c.shape}
    rows |= {"video": ["a.mp4", "b.mp4"], "sha256": ["a" * 64, "b" * 64], "clip": ["a-001", ""]}
    rows |= {"status": ["ok", "rejected"], "reason": ["", "no face in <most> frames"]}
    rows |= {"fps": [25.0, 25.0], "frames": [1500, 0], "sharpness": [200.0, 2.0]}
    tables.write(Path("data/clips/seen/sample_calm/clips.parquet"), LEDGER, rows)
    curve = Path("reports/training/train_motion/plots/metrics/mouth.tsv")
    curve.parent.mkdir(parents=True)
    curve.write_text("step\tmouth\n1\t0.5\n2\t0.25\n")
    return workdir


def test_a_changed_param_and_what_it_reaches_are_named_as_reasons(project: Path) -> None:
    state = read_state(DAG)
    reasons = list(why(state, "clips@sample_calm"))
    assert any("clips.size has changed from 64 to" in reason for reason in reasons)
    (reason,) = why(state, "landmarks@sample_calm")
    assert reason == "it depends on clips@sample_calm, which is stale"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("data/raw/a modified", "data/raw/a has changed since it ran"),
        ("data/raw/a deleted", "data/raw/a is missing"),
        ("data/raw/a new", "data/raw/a is new since it ran"),
        ("data/raw/a not in cache", "data/raw/a is not in DVC's cache"),
        ("code", "the code of its stage has changed"),
        ("command", "its command has changed"),
    ],
)
def test_a_changed_file_is_named_in_words(project: Path, change: str, reason: str) -> None:
    state = read_state(Dag(DAG.nodes, {"clips@sample_calm": [change]}))
    assert list(why(state, "clips@sample_calm")) == [reason]


def test_people_whose_reasons_differ_in_their_name_alone_share_a_row() -> None:
    reason = "it depends on clips@{}, which is stale"
    people = ("anna", "bob", "cy", "dan")
    causes = {f"landmarks@{name}": ("stale", [reason.format(name)]) for name in people}
    causes |= {"speech@anna": ("failed", ["no sound"]), "sheet@anna": ("up to date", [])}
    causes |= {name: ("waiting", ["it has never run"]) for name in ("render@bob", "evaluate")}
    shared, alone, waiting = group(causes)
    assert shared.stages == [("landmarks@… of 4 people", "landmarks@anna")]
    assert shared.why == [reason.format("…")]
    assert (alone.stages, alone.why) == ([("speech@anna", "speech@anna")], ["no sound"])
    assert [name for _, name in waiting.stages] == ["render@bob", "evaluate"]
    (single,) = group({"landmarks@anna": causes["landmarks@anna"]})
    assert single.why == [reason.format("anna")]


def test_a_lock_that_dvc_is_writing_is_read_when_it_is_whole(project: Path) -> None:
    Path("dvc.lock").write_text("")
    Timer(0.3, lambda: Path("dvc.lock").write_text(LOCK)).start()
    assert "clips@sample_calm" in read_state(DAG).lock


def test_a_stage_of_the_run_that_has_ended_is_up_to_date(project: Path) -> None:
    run = StageRun("clips@sample_calm", frozenset(), trains=False, changes=(), state=State.RAN)
    state = read_state(DAG, [run])
    assert state.state("clips@sample_calm") == "up to date"
    assert list(why(state, "clips@sample_calm")) == []
    assert state.state("train_motion") == "never run"


def test_the_page_loads_without_errors_and_without_the_network(project: Path) -> None:
    page = write_page(DAG)
    with open_browser() as browser:
        for width in (1280, 390):
            browser.open(page, width, 4000)
            browser.wait("document.querySelectorAll('.chart svg').length > 3")
            assert browser.value("document.documentElement.scrollWidth") <= width
        assert browser.errors == []
        assert {url.partition(":")[0] for url in browser.requests} <= {"file", "data"}
        assert browser.value("document.querySelectorAll('svg .box').length") >= 6


def test_a_link_to_a_stage_of_many_people_opens_all_that_it_is_folded_into(project: Path) -> None:
    names = [f"clips@{name}" for name in ("anna", "bob", "cy", "sample_calm")]
    page = write_page(Dag({name: Node(name) for name in names}))
    shown = "document.getElementById('stage-clips@bob').querySelector('table').checkVisibility()"
    with open_browser() as browser:
        browser.open(page)
        assert not browser.value(shown)
        browser.value("location.hash = 'stage-clips@bob'")
        browser.wait(shown)
        assert browser.errors == []


def test_a_chart_is_titled_with_the_unit_and_the_limit_and_drawn_from_two_points_on(
    project: Path,
) -> None:
    single = Path("reports/training/train_motion/plots/metrics/pose.tsv")
    single.write_text("step\tpose\n3\t0.125\n")
    text = write_page(DAG).read_text()
    assert ">face height, px (at least 64)</span>" in text
    assert ">clipped (at most 0.3)</span>" in text
    assert '"series":"mouth"' in text
    assert '"series":"pose"' not in text
    assert "pose 0.125, step 3" in text


def test_a_style_card_names_the_units_of_its_statistics(project: Path) -> None:
    scores = {"behaviour": {"truth": {"blink_rate": 12.5}, "generated": {"blink_rate": 10.0}}}
    SCORES_JSON.parent.mkdir(parents=True)
    SCORES_JSON.write_text(json.dumps({"subjects": {"sample_calm": scores}}))
    text = write_page(DAG).read_text()
    assert '<td title="blinks">blink rate, a minute</td><td class="n">12.5</td>' in text
    assert "Not readable" not in text


def test_a_section_whose_files_are_of_an_older_version_says_so(project: Path) -> None:
    clip = Path("data/clips/seen/sample_calm/clips.parquet")
    rows = tables.read(clip, LEDGER)
    tables.write(clip, FRAMES, {"frame": [0], "time": [0.0], "jpeg": [b""]}, 25)
    text = write_page(DAG).read_text()
    assert text.count("Not readable: data/clips/seen/sample_calm/clips.parquet: ") >= 1
    assert "clips.size has changed from 64" in text
    tables.write(clip, LEDGER, rows)
    assert "Not readable" not in write_page(DAG).read_text()


def test_the_card_of_a_person_never_trained_on_has_the_motion_in_the_own_style(
    project: Path,
) -> None:
    rates = {"truth": 12.5, "as_other": 9.0, "as_sample_calm": 10.25}
    scores = {"behaviour": {row: {"blink_rate": rate} for row, rate in rates.items()}}
    scores["reconstruction"] = {"portrait": {"psnr_face": 23.75}}
    SCORES_JSON.parent.mkdir(parents=True)
    SCORES_JSON.write_text(json.dumps({"unseen": {"sample_calm": scores}}))
    text = write_page(DAG).read_text()
    assert '<td class="n">12.5</td><td class="n">10.2</td>' in text
    assert "23.8" in text  # the headline's PSNR


def test_the_tables_can_be_read_without_scripts(project: Path) -> None:
    page = write_page(DAG)
    text = page.read_text()
    assert "1 × rejected: no face in &lt;most&gt; frames" in text
    assert "clips.size has changed from 64" in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text


def test_videos_play_in_step(project: Path, shared_data: Path) -> None:
    video = next(iter(sorted((shared_data / "may").glob("*.mp4"))))
    folder = project / "reports/videos/sample_calm"
    folder.mkdir(parents=True)
    for name in ("beside", "as_sample_lively", "onto", "portrait"):
        shutil.copyfile(video, folder / f"{name}.mp4")
    page = write_page(DAG)
    titles = re.findall(r"</video><figcaption>([^<]+)", page.read_text())
    assert [title.split()[0] for title in titles] == ["truth", "in", "own", "the"]
    with open_browser() as browser:
        browser.open(page)
        browser.value("document.querySelector('button.play').click()")
        times = "[...document.querySelectorAll('video')].map(v => v.currentTime)"
        browser.wait(f"Math.min(...{times}) > 0.5")
        browser.value("document.querySelector('button.play').click()")
        shown = browser.value(times)
        assert max(shown) - min(shown) < 0.25
        assert browser.errors == []


def test_a_run_writes_the_page_at_its_start_and_when_a_stage_starts_or_ends(project: Path) -> None:
    updater = PageUpdater()
    updater.on_plan(DAG, list(DAG.nodes))
    page = Path("reports/index.html")
    _wait(lambda: page.is_file())
    assert "data-running" in page.read_text()
    run = StageRun("clips@sample_calm", frozenset(), trains=False, changes=(), state=State.RUNNING)
    updater.on_change([run])
    _wait(lambda: '<p>Running: <a href="#stage-clips@sample_calm">' in page.read_text())
    run.state, run.note = State.FAILED, "the disk is full"
    updater.on_change([run])
    _wait(lambda: "the disk is full" in page.read_text())
    assert updater.close([run]) == page
    assert "<body>" in page.read_text()


def test_an_error_that_ends_a_run_leaves_no_active_run_on_the_page(project: Path) -> None:
    with pytest.raises(UserError), PageUpdater() as updater:
        updater.on_plan(DAG, list(DAG.nodes))
        _wait(Path("reports/index.html").is_file)
        raise UserError("params.yaml", "portrait: section missing")
    assert "<body>" in Path("reports/index.html").read_text()


def _wait(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_measure_that_is_best_at_the_truth_has_no_arrow() -> None:
    assert arrowed("level_correlation") == "level_correlation"
    assert arrowed("correlation") == "correlation ↑"


def test_the_amplitudes_of_a_style_card_are_those_of_the_references() -> None:
    shown = [name.replace(" ", "_") for names in AMPLITUDES.values() for name in names]
    assert [name.removeprefix("mouth_") for name in NAMES] == shown
    assert [len(names) for names in AMPLITUDES.values()] == [
        len(NAMES[part]) for part in GROUPS.values()
    ]
