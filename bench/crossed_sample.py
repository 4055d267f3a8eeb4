"""Is what a style moves style? Identity A in B's style beside the true "A lively", never seen.

    python bench/crossed_sample.py       # in a project after `make demo`; ten minutes

The demo trains on A calm and B lively alone. Here A is drawn lively by the sample's own rule,
saying sentences that no training heard (three of the Harvard lists); its landmarks are found as
any clip's. The same voice then moves A in B's style and in A's own, the generator draws both, with
B's ISPs and with A's, and landmarks are found in what it drew: `motion` compares the generated
landmarks with those of the true clip, `seen` those found in the drawn pictures with those found in
the true ones, made as small as the generator draws: the detector tells a small mouth from a large
one (the row `the truth, seen` says by how much). The sample's lips move with their sound, people's
50 ms before it: the sound is taken so much later.

Displacements count from A's own training mean. D-L: frame by frame. SLD: as in
reports/metrics.json. Amplitudes are standard deviations: of the mouth's opening, and of head
rotation (RMS of yaw, pitch and roll about their means) and translation. Every row is the mean over
the lists; "nearer" counts the lists in which B's style is nearer to the truth than A's own.
"""

import argparse
import tempfile
from collections.abc import Iterable
from contextlib import chdir
from pathlib import Path

import numpy as np

from pipeline.runtime.user_errors import UserError
from stages.base.config.params import Training, read_section
from stages.base.config.subjects import Subject
from stages.base.face import face_measures, head_pose
from stages.base.io import tables
from stages.base.io.encoding import encode_video
from stages.base.io.image_io import Image, resize
from stages.base.io.timebase import AUDIO_RATE
from stages.base.io.video_frames import read_facts, read_frames
from stages.base.io.wav_files import read_wav, write_wav
from stages.clips import clips
from stages.clips.frames import Frames
from stages.clips.ledger import clips_of
from stages.clips.params import ClipsParams
from stages.evaluation import metrics
from stages.evaluation.params import EvaluationParams
from stages.landmarks import landmarks
from stages.landmarks.artifacts import LANDMARKS
from stages.landmarks.params import LandmarksParams
from stages.motion.predict import join, retarget
from stages.render.actor import Models, load_models, pictures, style_patterns
from stages.render.talk import motion_of
from stages.sample.params import SampleParams
from stages.sample.sample import make_sample
from stages.sample.script import SCRIPTS, Line
from stages.speech.sync import LEAD

LISTS = (
    (
        "The birch canoe slid on the smooth planks.",
        "Glue the sheet to the dark blue background.",
        "It's easy to tell the depth of a well.",
        "These days a chicken leg is a rare dish.",
        "Rice is often served in round bowls.",
        "The juice of lemons makes fine punch.",
        "The box was thrown beside the parked truck.",
        "The hogs were fed chopped corn and garbage.",
    ),
    (
        "The boy was there when the sun rose.",
        "A rod is used to catch pink salmon.",
        "The source of the huge river is the clear spring.",
        "Kick the ball straight and follow through.",
        "Help the woman get back to her feet.",
        "A pot of tea helps to pass the evening.",
        "Smoky fires lack flame and heat.",
        "The soft cushion broke the man's fall.",
    ),
    (
        "The small pup gnawed a hole in the sock.",
        "The fish twisted and turned on the bent hook.",
        "Press the pants and sew a button on the vest.",
        "The swan dive was far short of perfect.",
        "The beauty of the view stunned the young boy.",
        "Two blue fish swam in the tank.",
        "Her purse was full of useless trash.",
        "The colt reared and threw the tall rider.",
    ),
)
SECONDS = 20.0
PIXELS = 256  # drawn pictures are enlarged to this for the landmark detector
MEASURES = ("D-L", "SLD", "mouth r", "mouth", "rotation, degrees", "translation")
AMPLITUDES = MEASURES[3:]
Motion = dict[str, np.ndarray]
Scores = dict[str, float]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Plain)
    parser.add_argument("--identity", default="sample_calm", help="whose face")
    parser.add_argument("--style", default="sample_lively", help="whose style it is lent")
    args = parser.parse_args()
    models = load_models(args.identity, args.style)
    found = [_scores_of(models, args.identity, args.style, list(lines)) for lines in LISTS]
    print("| | " + " | ".join(MEASURES) + " |")
    print("|---" * (len(MEASURES) + 1) + "|")
    for title in found[0]:
        means = [np.mean([scores[title][name] for scores in found]) for name in MEASURES]
        print(f"| {title} | " + " | ".join(f"{mean:.4g}" for mean in means) + " |")
    for kind in ("motion", "seen"):
        lent, own = (f"{kind}, in the style of {way}" for way in (args.style, args.identity))
        for name in MEASURES:
            nearer = sum(_off(s, lent, name) < _off(s, own, name) for s in found)
            print(f"{kind}, {name}: the lent style is nearer in {nearer} of {len(found)}")


class _Plain(argparse.RawDescriptionHelpFormatter):
    pass


def _off(scores: dict[str, Scores], row: str, name: str) -> float:
    """How far a row is from the truth: a distance as it is, an amplitude by its ratio."""
    judge = "the truth, seen" if row.startswith("seen") else "the truth"
    value, truth = scores[row][name], scores[judge][name]
    if name in AMPLITUDES:
        return abs(float(np.log(value / truth)))
    return -value if name == "mouth r" else value


def _scores_of(models: Models, identity: str, style: str, lines: list[str]) -> dict[str, Scores]:
    """The rows of one list of sentences."""
    sample = read_section("sample", SampleParams)
    face, way = sample.subjects[identity], sample.subjects[style]
    mean = models.motion.person(identity).mean_face
    rows: dict[str, Motion] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = folder / "crossed.mp4"
        script, SCRIPTS[face.identity] = SCRIPTS[face.identity], tuple(map(Line, lines))
        try:
            make_sample(
                face.identity, way.style, SECONDS, sample.size, sample.fps, video, folder / "truth"
            )
        finally:
            SCRIPTS[face.identity] = script
        truth, sound = _found(folder / "true", video)
        heard = folder / "heard.wav"
        write_wav(heard, _as_lips_lead(read_wav(sound)[0]))
        rows["the truth"] = truth
        for lent in (style, identity):
            made = _moved(models, identity, lent, heard, len(truth["valid"]))
            rows[f"motion, in the style of {lent}"] = made
            drawn = pictures(models.generator, identity, made, style_patterns(lent), 8)
            rows[f"seen, in the style of {lent}"] = _seen(folder / lent, drawn, sample.fps, sound)
        small = Frames(sound.with_name("frames.parquet"), models.generator.size)
        shown = _seen(folder / "shown", (small[i] for i in range(len(small))), sample.fps, sound)
    still = {key: np.broadcast_to(values[:1], values.shape) for key, values in truth.items()}
    rows["mean face"] = still | {"head": np.broadcast_to(mean, truth["head"].shape)}
    rows["the truth, seen"] = shown
    return {
        title: _scores(shown if title.startswith("seen") else truth, row, mean)
        for title, row in rows.items()
    }


def _seen(folder: Path, drawn: Iterable[Image], fps: float, sound: Path) -> Motion:
    """Find the landmarks of pictures, in a video with the sound that their clip shall have."""
    video = folder.with_suffix(".mp4")
    encode_video(video, (resize(picture, PIXELS) for picture in drawn), fps)
    return _found(folder, video, read_wav(sound))[0]


def _as_lips_lead(sound: np.ndarray) -> np.ndarray:
    """Take the sound later, so that the lips lead it as people's do."""
    late = np.zeros(round(LEAD * AUDIO_RATE), sound.dtype)
    return np.concatenate([late, sound])[: len(sound)]


def _scores(truth: Motion, motion: Motion, mean: np.ndarray) -> Scores:
    both = truth["valid"].astype(bool) & motion.get("valid", truth["valid"]).astype(bool)
    goal, made = ({k: v[both] for k, v in m.items()} for m in (truth, motion))
    apart = 100 * np.linalg.norm((goal["head"] - made["head"])[..., :2], axis=-1).mean()
    r = metrics.correlation(*(face_measures.mouth_opening(m["head"]) for m in (goal, made)))
    return dict(
        zip(MEASURES, (apart, _distance(goal, made, mean), r, *_amplitudes(made)), strict=True)
    )


def _found(
    folder: Path, video: Path, sound: tuple[np.ndarray, int] | None = None
) -> tuple[Motion, Path]:
    """Find the landmarks of a video as those of any clip; and the clip's sound."""
    limits = read_section("clips", ClipsParams), read_section("landmarks", LandmarksParams)
    home, subject = Path.cwd(), Subject("unseen", "crossed")
    folder.mkdir()
    with chdir(folder):
        for name in ("params.yaml", "versions.yaml", "dvc.yaml"):
            Path(name).symlink_to(home / name)
        raw = Path("data/raw/crossed")
        raw.mkdir(parents=True)
        if sound is None:
            (raw / video.name).hardlink_to(video)
        else:
            shown = (picture for _, picture in read_frames(video))
            encode_video(raw / video.name, shown, read_facts(video).fps, sound)
        ledger = clips.run(subject, limits[0])
        landmarks.run(subject, limits[1])
        found = clips_of(subject)
        if len(found) != 1:
            raise UserError(subject, f"expected one clip, found {[row.reason for row in ledger]}")
        rows = tables.read(Path(f"data/landmarks/{subject}/{found[0].id}.parquet"), LANDMARKS)
    motion = {name: rows[name] for name in ("head", "rotation", "translation", "valid")}
    return motion, folder / found[0].audio


def _moved(models: Models, identity: str, style: str, sound: Path, count: int) -> Motion:
    """Move an identity by a sound in a style."""
    seed = read_section("training", Training).seed
    motion = join(list(motion_of(models, style, sound, count, seed)))
    return retarget(motion, models.motion.person(style), models.motion.person(identity))


def _distance(judge: Motion, motion: Motion, mean: np.ndarray) -> float:
    params, fps = (
        read_section("evaluation", EvaluationParams),
        read_section("clips", ClipsParams).fps,
    )
    window, stride = round(params.window_s * fps), max(1, round(params.stride_s * fps))
    return metrics.windowed_distance(judge["head"] - mean, motion["head"] - mean, window, stride)


def _amplitudes(motion: Motion) -> tuple[float, float, float]:
    angles = np.degrees(head_pose.angles_from_rotation(motion["rotation"]))
    return (
        float(face_measures.mouth_opening(motion["head"]).std()),
        float(np.sqrt(angles.var(0).mean())),
        float(np.sqrt(motion["translation"].var(0).mean())),
    )


if __name__ == "__main__":
    main()
