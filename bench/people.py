"""The people that benches measure: the sample's, and real clips, cut and found as a user's are.

They lie in .idiolect/bench below the project, never in its data; what was computed for the same
params and code is taken from the item store there.
"""

from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

from pipeline.runtime import item_store
from pipeline.runtime.user_errors import MissingInput
from stages.base.config.code_version import version
from stages.base.config.params import read_section
from stages.base.config.subjects import Subject
from stages.clips import clips
from stages.clips.ledger import Clip, clips_of
from stages.clips.params import ClipsParams
from stages.landmarks import landmarks
from stages.landmarks.params import LandmarksParams
from stages.sample.params import SampleParams
from stages.sample.sample import make_sample

FOLDER = Path(".idiolect/bench")
SHARED = Path("../shared/data")  # real clips, beside the project


@contextmanager
def own_folder() -> Iterator[Path]:
    """Work in the benches' folder, by the project's params; give the project's folder."""
    home = Path.cwd()
    FOLDER.mkdir(parents=True, exist_ok=True)
    with chdir(FOLDER):
        for name in ("params.yaml", "versions.yaml", "dvc.yaml"):
            Path(name).unlink(missing_ok=True)
            Path(name).symlink_to(home / name)
        yield home


def samples() -> list[str]:
    return list(read_section("sample", SampleParams).subjects)


def sample(name: str) -> tuple[list[Clip], Path]:
    """Make a sample subject, its clips and landmarks; return the clips and the truth's folder."""
    params = read_section("sample", SampleParams)
    one = params.subjects[name]

    def make(part: Path) -> None:
        video = part / name / f"{name}.mp4"
        make_sample(
            one.identity,
            one.style,
            params.seconds,
            params.size,
            params.fps,
            video,
            part / "truth" / name,
        )

    made = Path("sample") / name
    key = item_store.key(
        stage="sample", version=version("sample"), name=name, all=params.model_dump()
    )
    item_store.compute(key, made, make)
    return _found(Subject("seen", name), made), made / "truth" / name


def shared(home: Path) -> dict[str, list[Clip]]:
    """Cut the real clips, a subject each, as their folders are; none where they are absent."""
    folder = home / SHARED
    if not folder.is_dir():
        return {}
    names = sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name != "audio")
    return {name: _found(Subject("seen", name), folder) for name in names}


def _found(subject: Subject, raw: Path) -> list[Clip]:
    """Run clips and landmarks on a folder of videos."""
    limits = read_section("clips", ClipsParams)
    for row in clips.run(subject, limits, raw=raw):
        if row.status != "ok":
            print(f"{subject.name}: {row.video} {row.status}: {row.reason}")
    found = clips_of(subject)
    if not found:
        raise MissingInput(subject, "no usable clip")
    landmarks.run(subject, read_section("landmarks", LandmarksParams))
    return found
