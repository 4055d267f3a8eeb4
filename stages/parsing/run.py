"""All clips of a subject, side by side, each computed once for the same bytes and params."""

from contextlib import chdir
from pathlib import Path

import numpy as np

from pipeline import items, tables, weights
from pipeline.cores import cores
from pipeline.formats import LANDMARKS as FORMAT
from pipeline.formats import PARSING, REGIONS
from pipeline.progress import each
from pipeline.subjects import Subject
from pipeline.versions import version
from pipeline.writing import whole_folder
from stages.clips.ledger import CLIPS, Clip, clips_of
from stages.landmarks.backend import identity
from stages.landmarks.run import LANDMARKS
from stages.parsing.extract import TABLE, extract
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
    from joblib import Parallel, delayed

    found = clips_of(subject, clips)
    for clip in found:
        tables.count(landmarks / str(subject) / f"{clip.id}.parquet", FORMAT)
    if params.backend == "bisenet":
        weights.path("bisenet")  # once, before the workers
    with whole_folder(parsed / str(subject)) as part:
        work = [
            (clip, landmarks / str(subject) / f"{clip.id}.parquet", params, part / f".{clip.id}")
            for clip in found
        ]
        done = Parallel(n_jobs=max(1, min(len(work), cores())), return_as="generator")(
            delayed(_at)(Path.cwd(), *task) for task in work
        )
        made = sum(each(done, f"parsing {subject}", len(found)))
        shares = [_take(part, clip.id) for clip in found]
    mean = np.concatenate(shares).mean(0) if shares else np.zeros(len(REGIONS))
    told = ", ".join(f"{name} {share:.1%}" for name, share in zip(REGIONS, mean, strict=True))
    return f"{subject}: {len(found)} clips ({made} new), {told}"


def _at(home: Path, clip: Clip, landmarks: Path, params: ParsingParams, folder: Path) -> bool:
    """Work on one clip in the project's folder: a process used again may stand elsewhere."""
    with chdir(home):
        return _one(clip, landmarks, params, folder)


def _one(clip: Clip, landmarks: Path, params: ParsingParams, folder: Path) -> bool:
    """Fill the folder of one clip, from the store where it is there; tell whether it was new."""
    network = weights.sha256("bisenet") if params.backend == "bisenet" else ""
    key = items.key(
        stage="parsing",
        version=version("parsing"),
        frames=items.file_hash(clip.video),
        landmarks=items.file_hash(landmarks),
        fps=clip.fps,
        params=params.model_dump(),
        weights=(network, identity("mediapipe")),
    )
    return items.compute(key, folder, lambda part: extract(clip, landmarks, params, part))


def _take(part: Path, clip: str) -> np.ndarray:
    """Move a clip's table to its place and return its areas, (N, 4)."""
    folder = part / f".{clip}"
    target = part / f"{clip}.parquet"
    (folder / TABLE).replace(target)
    folder.rmdir()
    return tables.read(target, PARSING, ["areas"])["areas"]
