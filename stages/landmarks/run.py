"""All clips of a subject, side by side, each computed once for the same bytes and params."""

from contextlib import chdir
from pathlib import Path

from pipeline import items, tables
from pipeline.cores import cores
from pipeline.formats import CAMERAS
from pipeline.progress import each
from pipeline.subjects import Subject
from pipeline.versions import version
from pipeline.writing import whole_folder
from stages.clips.ledger import CLIPS, Clip, clips_of
from stages.landmarks import backend
from stages.landmarks.extract import CAMERA, TABLE, extract
from stages.landmarks.params import LandmarksParams

LANDMARKS = Path("data/landmarks")


def run(
    subject: Subject, params: LandmarksParams, clips: Path = CLIPS, landmarks: Path = LANDMARKS
) -> str:
    """Write the landmarks and cameras of a subject's clips; return a line that says what was found.

    Raises:
        MissingInput: the clips, or the backend's weights, are not here.
    """
    from joblib import Parallel, delayed

    found = clips_of(subject, clips)
    weights = backend.identity(params.backend)
    with whole_folder(landmarks / str(subject)) as part:
        work = [(clip, params, weights, part / f".{clip.id}") for clip in found]
        # With one worker joblib runs in this process; a crash in a network is then ours.
        done = Parallel(n_jobs=max(1, min(len(work), cores())), return_as="generator")(
            delayed(_at)(Path.cwd(), *task) for task in work
        )
        made = sum(each(done, f"landmarks {subject}", len(found)))
        cameras = [_take(part, clip.id) for clip in found]
        rows = {name: [camera[name][0] for camera in cameras] for name in CAMERAS.names}
        tables.write(part / "cameras.parquet", CAMERAS, rows)
    valid, frames = sum(rows["valid"]), sum(rows["frames"])
    return f"{subject}: {len(found)} clips ({made} new), a face in {valid} of {frames} frames"


def _at(home: Path, clip: Clip, params: LandmarksParams, weights: str, folder: Path) -> bool:
    """Work on one clip in the project's folder: a process used again may stand elsewhere."""
    with chdir(home):
        return _one(clip, params, weights, folder)


def _one(clip: Clip, params: LandmarksParams, weights: str, folder: Path) -> bool:
    """Fill the folder of one clip, from the store where it is there; tell whether it was new."""
    key = items.key(
        stage="landmarks",
        version=version("landmarks"),
        frames=items.file_hash(clip.video),
        clip=(clip.id, clip.fps, clip.train),
        params=params.model_dump(),
        weights=weights,
    )
    return items.compute(key, folder, lambda part: extract(clip, params, part))


def _take(part: Path, clip: str) -> tables.Columns:
    """Move a clip's table to its place and return its camera."""
    folder = part / f".{clip}"
    camera = tables.read(folder / CAMERA, CAMERAS)
    (folder / CAMERA).unlink()
    (folder / TABLE).replace(part / f"{clip}.parquet")
    folder.rmdir()
    return camera
