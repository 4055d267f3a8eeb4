"""The flow `retrain`, really run: which champion it leaves, and why."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.promotion import promoted
from tests.stages.clips.small_media import face_clip

pytest.importorskip("prefect", reason="needs the extra `flows`")

# One retraining a step, after an edit of params.yaml.
MAIN = """
import json
from pathlib import Path
from pipeline.flows.retrain import retrain
from pipeline.promotion import champions
from tests.pipeline.promotion import promoted
states = []
for step in json.loads(Path("steps.json").read_text()):
    promoted.edit(**step)
    state = retrain("in", "ann", check_project=False, return_state=True)
    there = champions.champion()
    states.append([state.name, state.message, there.number if there else 0])
print("result: " + json.dumps(states))
"""


def retrained(*steps: dict[str, Any]) -> list[Any]:
    Path("steps.json").write_text(json.dumps(steps))
    done = subprocess.run(
        [sys.executable, "-c", MAIN], capture_output=True, text=True, timeout=550, check=False
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("result: ")]
    assert lines, done.stdout + done.stderr
    return list(json.loads(lines[0].removeprefix("result: ")))


@pytest.mark.slow
def test_only_a_better_retraining_replaces_the_champion_and_bad_videos_do_not_count_as_new(
    project: Path,
) -> None:
    Path("in/empty.mp4").write_bytes(b"")
    Path("in/text.mp4").write_text("this is no video")
    first, better, worse, bad, broken = retrained(
        {}, {"quality": 1.0}, {"quality": 0.2}, {}, {"quality": "no number"}
    )
    assert (first[0], first[2]) == ("Promoted", 1)
    assert (better[0], better[2]) == ("Promoted", 2)
    assert (worse[0], worse[2]) == ("Kept", 2)
    assert "champion 2 stays" in worse[1]
    assert (bad[0], bad[2]) == ("Nothing new", 2)
    assert "empty.mp4: " in bad[1]
    assert "text.mp4: " in bad[1]
    assert (broken[0], broken[2]) == ("Failed", 2)
    assert "failed: evaluate: " in broken[1]
    assert sorted(path.name for path in Path("data/raw/ann").iterdir()) == ["one.mp4"]
    assert len(list(Path("reports/promotion").glob("*.md"))) == 3
    assert promoted.git("status", "--porcelain", "dvc.lock") != ""  # train ran, evaluate failed


NOWHERE = """
from pipeline.flows import server
from pipeline.flows.retrain import retrain
with server.running():
    state = retrain("nowhere", "ann", check_project=False, return_state=True)
print(f"{state.name}: {state.message}")
"""


@pytest.mark.slow
def test_a_missing_inbox_fails_the_run_in_one_line_and_the_whole_log_is_kept(
    project: Path,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", NOWHERE], capture_output=True, text=True, timeout=300, check=False
    )
    why = "not promoted: nowhere: no such folder; name one that holds videos"
    assert done.stdout == f"Failed: {why}\n"
    assert why in done.stderr
    assert "Traceback" not in done.stderr
    assert "Error logging to API" not in done.stderr


LINKED = """
import json
from pipeline.flows import page_server, server
from pipeline.flows.retrain import retrain
from pipeline.report.page.project_state import PAGE
from prefect.client.orchestration import get_client
with page_server.serving(PAGE) as address, server.running():
    state = retrain("nowhere", "ann", return_state=True)
    with get_client(sync_client=True) as client:
        (run,) = client.read_flow_runs()
        found = client.read_artifacts()
    print(json.dumps([a.data for a in found if a.flow_run_id == run.id and address in a.data]))
"""


@pytest.mark.slow
def test_each_run_links_to_the_page_even_one_that_ends_before_its_stages(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LINKED], capture_output=True, text=True, timeout=300, check=False
    )
    (link,) = json.loads(done.stdout)
    assert link.startswith("[reports/index.html](http://127.0.0.1:"), link


@pytest.mark.slow
def test_a_good_video_is_added_trained_on_promoted_and_not_new_again(project: Path) -> None:
    make = Path("make.py").read_text()
    for old, new in (
        ("f\"weights {params['quality']}\"", "str(sorted(Path('data/raw/ann').iterdir()))"),
        (
            'quality = params["quality"]',
            'quality = Path("models/generator.safetensors").read_text().count(".mp4")',
        ),
    ):
        assert make.count(old) == 1
        make = make.replace(old, new)
    Path("make.py").write_text(make)
    promoted.edit(quality=1.0)  # both stages run anew
    promoted.git("commit", "-qam", "quality by the number of videos")
    assert retrained({})[0][::2] == ["Promoted", 1]

    good = face_clip(Path("in/good.mp4"), 100, 256)
    Path("in/text.mp4").write_text("this is no video")
    there = {path: path.read_bytes() for path in Path("in").iterdir()}
    better, again = retrained({}, {})
    assert (better[0], better[2]) == ("Promoted", 2), better
    assert (again[0], again[2]) == ("Nothing new", 2), again
    assert "text.mp4: " in again[1]
    assert "good.mp4" not in again[1]
    assert {path: path.read_bytes() for path in Path("in").iterdir()} == there
    assert Path("data/raw/ann/good.mp4").read_bytes() == good.read_bytes()
    assert "good.mp4" in Path("models/generator.safetensors").read_text()
    recorded = promoted.git("diff", "--name-only", "champion/1", "champion/2").splitlines()
    assert {"data/raw/ann.dvc", "dvc.lock"} <= set(recorded)
    assert promoted.git("status", "--porcelain", "--untracked-files=no") == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("inbox", "subject", "message"),
    [
        ("/nope", "ann", "error: /nope: no such folder; name one that holds videos\n"),
        ("in", "ANN", "error: ANN: a subject's name has "),
        ("nope://x", "ann", "error: nope://x: cannot be read: Protocol not known: nope\n"),
    ],
)
def test_arguments_are_checked_before_a_server_starts(
    project: Path, inbox: str, subject: str, message: str
) -> None:
    command = "from pipeline.cli.app import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", command, "retrain", "--inbox", inbox, "--subject", subject],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith(message), done.stderr
    assert not Path(".idiolect/logs/prefect.log").exists()
