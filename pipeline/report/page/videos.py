"""Videos of each person that play in step, the mouth's curves under them, and the worst frames."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.report.page import charts
from pipeline.report.page.media import link
from pipeline.report.page.project_state import ProjectState
from stages.base.face.face_measures import mouth_opening
from stages.base.io import tables
from stages.clips.artifacts import CLIPS_DIR, LEDGER
from stages.evaluation.artifacts import EVALUATION, SCORES, VOICE_SCORES
from stages.render.artifacts import MOTION, VIDEOS

_WORST = 10
_TITLES = {
    "portrait": "the portrait, on which nobody trained, in this style",
    "onto": "own video, with the mouth of the held-out voice",
}


def section(state: ProjectState) -> dict[str, Any]:
    """Return the videos, the curves and the worst frames of each person."""
    found = {}
    for name in state.people:
        videos = list(_videos(name))
        if videos:
            fps = _fps(state, name)
            chart = _curves(name, fps)
            found[name] = {"videos": videos, "chart": chart, "worst": _worst(name, fps)}
    return {"people": found}


def _videos(name: str) -> Iterator[tuple[str, str]]:
    """Yield the title and the address of each video of a person."""
    folder = VIDEOS / name
    if (folder / "beside.mp4").is_file():
        yield "truth | from true landmarks | from voice", link(folder / "beside.mp4")
    elif (VIDEOS / f"{name}.mp4").is_file():
        yield "from voice", link(VIDEOS / f"{name}.mp4")
    for path in sorted(folder.glob("as_*.mp4")):
        yield f"in the style of {path.stem.removeprefix('as_')}", link(path)
    for path in sorted(folder.glob("*.mp4")):
        if path.stem != "beside" and not path.stem.startswith("as_"):
            yield _TITLES.get(path.stem, path.stem.replace("_", " ")), link(path)


def _fps(state: ProjectState, name: str) -> float:
    path = CLIPS_DIR / state.people[name] / name / "clips.parquet"
    rates = tables.read(path, LEDGER)["fps"] if path.is_file() else np.zeros(0)
    known = rates[rates > 0]
    return float(known[0]) if len(known) else float(state.params["clips"]["fps"])


def _curves(name: str, fps: float) -> charts.Spec | None:
    """Return the openings of the mouth: the truth's, and those of each video's motion."""
    series: dict[str, list[float | None]] = {}
    voice = EVALUATION / "voice.parquet"
    if voice.is_file():
        table = tables.read(voice, VOICE_SCORES)
        own = table["opening"][table["subject"] == name]
        if len(own):
            series["truth"] = _rounded(own)
    paths = {"from voice": VIDEOS / name / f"{name}.parquet"}
    others = sorted((VIDEOS / name).glob("as_*.parquet"))
    paths |= {f"as {path.stem.removeprefix('as_')}": path for path in others}
    for title, path in paths.items():
        if path.is_file():
            series[title] = _rounded(_opening(path))
    if not series:
        return None
    times = [round(i / fps, 3) for i in range(max(map(len, series.values())))]
    return charts.lines(series, times, "s", "mouth's opening, face heights")


def _opening(path: Path) -> Any:
    return mouth_opening(tables.read(path, MOTION)["head"])


def _rounded(values: Any) -> list[float | None]:
    return [round(float(v), 4) if np.isfinite(v) else None for v in values]


def _worst(name: str, fps: float) -> list[dict[str, Any]]:
    """List the drawn frames with the lowest PSNR of the face; `at` is the time in the video."""
    path = EVALUATION / "frames.parquet"
    if not path.is_file():
        return []
    table = tables.read(path, SCORES)
    rows = np.flatnonzero((table["subject"] == name) & (table["answer"] == "generator"))
    if not len(rows):
        return []
    first = {clip: table["frame"][rows][table["clip"][rows] == clip].min()
             for clip in dict.fromkeys(table["clip"][rows])}  # fmt: skip
    only = len(first) == 1  # the video begins with the first clip's held-out frames
    worst = rows[np.argsort(table["psnr_face"][rows], kind="stable")][:_WORST]
    return [
        {
            "clip": table["clip"][i],
            "frame": int(table["frame"][i]),
            "psnr": f"{table['psnr_face'][i]:.1f}",
            "lpips": f"{table['lpips_face'][i]:.3f}",
            "at": _time(table["frame"][i] - first[table["clip"][i]], fps) if only else None,
        }
        for i in worst
    ]


def _time(frames: int, fps: float) -> float:
    return round(float(frames) / fps, 2)
