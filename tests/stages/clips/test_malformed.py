"""Malformed videos of every known kind: each gets its row and affects no other."""

import os
from collections import Counter
from pathlib import Path

import pytest

from stages.base.config import code_version
from stages.base.config.subjects import Subject
from stages.base.io import tables
from stages.clips.artifacts import LEDGER
from stages.clips.clips import run, summary
from tests.stages.clips.malformed import KINDS, malformed
from tests.stages.clips.settings import PARAMS
from tests.stages.clips.small_media import face_clip

SEEN = Subject("seen", "s")
BOUNDED = PARAMS.model_copy(
    update={"time_floor": 30.0, "max_memory": 1.0, "min_face": 20.0, "min_seconds": 1.0}
)


def state(folder: Path) -> dict[str, tuple[int, int, int, bytes]]:
    """List a folder's content without reading endless files."""
    found = {}
    for path in folder.iterdir():
        about = path.lstat()
        plain = path.is_file() and not path.is_symlink()
        content = path.read_bytes() if plain and os.access(path, os.R_OK) else b""
        found[path.name] = (about.st_mtime_ns, about.st_size, about.st_mode, content)
    return found


def outputs(stem: str) -> dict[str, bytes]:
    folder = Path("data/clips/seen/s")
    files = (path for path in folder.glob(f"{stem}-*/*"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def campaign(good: dict[str, Path], count: int, seed: int) -> Counter[tuple[str, str]]:
    """Run the stage on good clips, then with malformed ones among them; check, and count reasons."""
    code_version.write(Path("versions.yaml"))
    raw = Path("data/raw/s")
    raw.mkdir(parents=True)
    for name, clip in good.items():
        (raw / f"{name}{clip.suffix}").write_bytes(clip.read_bytes())
    run(SEEN, BOUNDED)
    alone = {name: outputs(name) for name in good}
    assert all(alone.values())
    kinds = malformed(raw, list(good.values()), count, seed)
    before = state(raw)
    assert len(before) == count + len(good)
    rows = run(SEEN, BOUNDED)
    assert state(raw) == before
    assert {name: outputs(name) for name in good} == alone
    assert {os.fsencode(row.file) for row in rows} == {os.fsencode(name) for name in before}
    ledger = tables.read(Path("data/clips/seen/s/clips.parquet"), LEDGER)
    assert list(ledger["video"]) == [row.video for row in rows]
    for row in rows:
        assert row.status in ("ok", "rejected", "failed")
        assert (row.status == "ok") != bool(row.reason)
        assert (row.video + row.reason).isprintable()
    lines = summary(SEEN, rows)
    assert len(lines) == 1 + sum(row.status != "ok" for row in rows)
    assert all(line.isprintable() for line in lines)
    made = {path.name for path in Path("data/clips/seen/s").iterdir()}
    assert made == {row.clip for row in rows if row.status == "ok"} | {"clips.parquet"}
    assert all(name.isprintable() and len(name.encode()) < 140 for name in made)
    assert not any(name.startswith(("-", ".")) for name in made)
    kind_of = {path.name: kind.rpartition(" ")[0] for kind, path in kinds.items()}
    found = Counter[tuple[str, str]]()
    for row in rows:
        text = "".join(c for c in row.reason if not c.isdigit())
        found[kind_of.get(row.file, "good"), f"{row.status}: {text}"] += 1
    return found


@pytest.mark.slow
def test_every_kind_of_malformed_file_gets_its_row_and_disturbs_no_other(workdir: Path) -> None:
    clip = face_clip(workdir / "clip.mp4", 60)
    found = campaign({"good": clip}, len(KINDS), seed=0)
    status = {kind: reason.partition(":")[0] for kind, reason in found}
    assert status["good"] == "ok"
    for kind in ("spaces and quotes", "newline", "dash", "no UTF-8", "long", "markup", "address"):
        assert status[kind] == "ok", kind
    for kind in ("empty", "noise", "text", "playlist", "endless zeros", "pipe", "forbidden"):
        assert status[kind] == "failed", kind
    reasons = dict(found.keys())
    for kind in ("large raw", "wide pixels"):
        assert "megapixels" in reasons[kind]


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_three_hundred_malformed_files(workdir: Path, request: pytest.FixtureRequest) -> None:
    good = {"good": face_clip(workdir / "clip.mp4", 60)}
    shared = Path(__file__).resolve().parents[4] / "shared" / "data"
    for name in ("may/5s.mp4", "grid/bbaf2n.mpg", "obama/weekly_720_f.mp4", "senator/8s.mp4"):
        if (shared / name).is_file():
            good[f"good {Path(name).stem}"] = shared / name
    found = campaign(good, 300, seed=1)
    print()
    for (kind, reason), count in sorted(found.items()):
        print(f"{count:4d}  {kind}: {reason}")
    states = Counter(reason.partition(":")[0] for _, reason in found.elements())
    print(dict(states))
