"""Parse the faces in all clips of one subject: `python -m stages parsing ROLE/NAME`."""

import shutil
from pathlib import Path

import numpy as np

from pipeline.runtime import item_store, process_pool
from pipeline.runtime.atomic_files import atomic_folder
from pipeline.runtime.progress import each
from stages.base.config.code_version import version
from stages.base.config.params import read_section
from stages.base.config.subjects import Subject
from stages.base.io import chunking, tables
from stages.base.training import pretrained
from stages.clips.ledger import CLIPS, Clip, clips_of
from stages.landmarks.artifacts import LANDMARKS as FORMAT
from stages.landmarks.backend import identity
from stages.landmarks.landmarks import LANDMARKS
from stages.parsing.artifacts import PARSING, REGIONS
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
        pretrained.path("bisenet")  # once, before the workers
    home = landmarks / str(subject)
    with atomic_folder(parsed / str(subject)) as part:
        keys = {c.id: _key(c, home / f"{c.id}.parquet", params) for c in found}
        new = [clip for clip in found if not item_store.fetch(keys[clip.id], part / f".{clip.id}")]
        chunks = [
            (clip, span) for clip in new for span in chunking.chunk_spans(clip.frames, clip.fps)
        ]
        chunks.sort(key=lambda chunk: chunk[1][0] - chunk[1][1])  # the longest first
        work = part / ".work"
        tasks = [
            (clip, span, home / f"{clip.id}.parquet", params, _piece(work, clip, span))
            for clip, span in chunks
        ]
        for _ in each(process_pool.run(parse, tasks), f"parsing {subject}", len(tasks)):
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
    network = pretrained.sha256("bisenet") if params.backend == "bisenet" else ""
    return item_store.key(
        stage="parsing",
        version=version("parsing"),
        frames=item_store.file_hash(clip.video),
        landmarks=item_store.file_hash(landmarks),
        fps=clip.fps,
        params=params.model_dump(),
        weights=(network, identity("mediapipe")),
    )


def _piece(work: Path, clip: Clip, span: tuple[int, int]) -> Path:
    return work / clip.id / f"{span[0]:08d}.parquet"


def _fill(key: str, clip: Clip, work: Path, folder: Path) -> None:
    """Make one clip's item of its chunks, and fill its folder."""
    pieces = [_piece(work, clip, span) for span in chunking.chunk_spans(clip.frames, clip.fps)]
    item_store.compute(key, folder, lambda part: assemble(pieces, clip.fps, part))


def _take(part: Path, clip: str) -> np.ndarray:
    """Move a clip's table to its place and return its areas, (N, 4)."""
    folder = part / f".{clip}"
    target = part / f"{clip}.parquet"
    (folder / TABLE).replace(target)
    folder.rmdir()
    return tables.read(target, PARSING, ["areas"])["areas"]


def main(subject: str) -> None:
    """Parse the faces of the subject that the command line names."""
    print(run(Subject.parse(subject), read_section("parsing", ParsingParams)))
