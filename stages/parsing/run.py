"""All clips of a subject, side by side, each computed once for the same bytes and params."""

import shutil
from pathlib import Path

import numpy as np

from pipeline import items, parallel, tables, weights
from pipeline.formats import LANDMARKS as FORMAT
from pipeline.formats import PARSING, REGIONS
from pipeline.progress import each
from pipeline.subjects import Subject
from pipeline.versions import version
from pipeline.writing import whole_folder
from stages.clips.ledger import CLIPS, Clip, clips_of
from stages.landmarks.backend import identity
from stages.landmarks.run import LANDMARKS
from stages.parsing.extract import TABLE, assemble, parse
from stages.parsing.params import ParsingParams

PARSED = Path("data/parsing")


def run(
    subject: Subject,
    params: ParsingParams,
    clips: Path = CLIPS,
    landmarks: Path = LANDMARKS,
    parsed: Path = PARSED,
) -> str:
    """Write the label maps of a subject's clips; return a line that says what was found.

    Raises:
        MissingInput: clips or landmarks are not here.
        BadWeights: BiSeNet's weights cannot be fetched.
    """
    found = clips_of(subject, clips)
    for clip in found:
        tables.count(landmarks / str(subject) / f"{clip.id}.parquet", FORMAT)
    if params.backend == "bisenet":
        weights.path("bisenet")  # once, before the workers
    home = landmarks / str(subject)
    with whole_folder(parsed / str(subject)) as part:
        keys = {c.id: _key(c, home / f"{c.id}.parquet", params) for c in found}
        new = [clip for clip in found if not items.fetch(keys[clip.id], part / f".{clip.id}")]
        chunks = [(clip, span) for clip in new for span in parallel.spans(clip.frames, clip.fps)]
        chunks = parallel.even(chunks, [end - first for _, (first, end) in chunks])
        work = part / ".work"
        tasks = [
            (clip, span, home / f"{clip.id}.parquet", params, _piece(work, clip, span))
            for clip, span in chunks
        ]
        for _ in each(parallel.run(parse, tasks), f"parsing {subject}", len(tasks)):
            pass
        for clip in new:
            _fill(keys[clip.id], clip, work, part / f".{clip.id}")
        shutil.rmtree(work, ignore_errors=True)
        shares = [_take(part, clip.id) for clip in found]
    mean = np.concatenate(shares).mean(0) if shares else np.zeros(len(REGIONS))
    told = ", ".join(f"{name} {share:.1%}" for name, share in zip(REGIONS, mean, strict=True))
    return f"{subject}: {len(found)} clips ({len(new)} new), {told}"


def _key(clip: Clip, landmarks: Path, params: ParsingParams) -> str:
    """Address what a clip's label maps are made of."""
    network = weights.sha256("bisenet") if params.backend == "bisenet" else ""
    return items.key(
        stage="parsing",
        version=version("parsing"),
        frames=items.file_hash(clip.video),
        landmarks=items.file_hash(landmarks),
        fps=clip.fps,
        params=params.model_dump(),
        weights=(network, identity("mediapipe")),
    )


def _piece(work: Path, clip: Clip, span: tuple[int, int]) -> Path:
    return work / clip.id / f"{span[0]:08d}.parquet"


def _fill(key: str, clip: Clip, work: Path, folder: Path) -> None:
    """Make one clip's item of its chunks, and fill its folder."""
    pieces = [_piece(work, clip, span) for span in parallel.spans(clip.frames, clip.fps)]
    items.compute(key, folder, lambda part: assemble(pieces, clip.fps, part))


def _take(part: Path, clip: str) -> np.ndarray:
    """Move a clip's table to its place and return its areas, (N, 4)."""
    folder = part / f".{clip}"
    target = part / f"{clip}.parquet"
    (folder / TABLE).replace(target)
    folder.rmdir()
    return tables.read(target, PARSING, ["areas"])["areas"]
