"""Measure whether a style transfer moves the style: identity A in B's style against the true one.

    python bench/crossed_sample.py       # in a project after `make demo`; ten minutes
    python bench/crossed_sample.py --motion --lists 2 --sentences 5    # draw nothing; shorter

The demo trains on A calm and B lively alone. This bench draws A lively by the sample's own rule,
saying sentences outside the training data (three of the Harvard lists), and detects its landmarks
as any clip's. The same voice then moves A in B's style and in A's own, the generator draws both,
with B's ISPs and with A's, and landmarks are detected in the drawn frames. Rows `motion` compare
the generated landmarks with those of the true clip; rows `redetected` compare landmarks detected in
the drawn frames with those detected in the true frames at the generator's size (the row `the truth,
redetected` gives the detector's own error at that size). The sound is delayed as the training
delayed that of A and B: by how much earlier it was measured than people's.

Displacements are relative to A's own training mean. D-L: frame by frame. SLD: as in
reports/metrics.json. Amplitudes are standard deviations: of the mouth's opening, and of head
rotation (RMS of yaw, pitch and roll about their means) and translation. Every row is the mean over
the lists. `another list` compares the true motion of two lists: the floor of SLD. `still` is the
true mean face. The second table takes SLD apart (sld_parts.py). "Gap closed" is
(own - lent) / (own - floor), of an amplitude (lent - own) / (truth - own). "Nearer" counts the
lists in which B's style is nearer to the truth than A's own.
"""

import argparse
import tempfile
from collections.abc import Iterable
from contextlib import chdir
from pathlib import Path

import numpy as np
from sld_parts import motions_with_true_parts, print_parts
from testbed import SENTENCES

from pipeline.runtime.user_errors import UserError
from stages.base.config.params import Training, read_section
from stages.base.config.paths import DATA
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
from stages.evaluation.lent_styles import style_windows
from stages.evaluation.params import EvaluationParams
from stages.evaluation.style_scores import style_distances
from stages.evaluation.track import Track
from stages.generator.driving import Driving
from stages.generator.isps import read_isps
from stages.landmarks import landmarks
from stages.landmarks.artifacts import LANDMARKS
from stages.landmarks.params import LandmarksParams
from stages.motion.features import sync_offsets
from stages.motion.predict import join, retarget
from stages.render.any_audio import predict_motion
from stages.render.params import RenderParams
from stages.render.trained_models import Models, load_models
from stages.sample.params import SampleParams
from stages.sample.sample import make_sample
from stages.sample.script import SCRIPTS, Line

LISTS = [SENTENCES[10 * i : 10 * i + 10] for i in range(3)]
SECONDS_A_SENTENCE = 2.5
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
    parser.add_argument("--motion", action="store_true", help="draw nothing")
    parser.add_argument("--lists", type=int, default=len(LISTS), choices=range(2, len(LISTS) + 1))
    parser.add_argument("--sentences", type=int, default=8, choices=range(4, 11), help="a list")
    args = parser.parse_args()
    drawn_size = read_section("render", RenderParams).drawn_size
    models = load_models((args.identity, args.style), drawn_size)
    mean = models.motion.person(args.identity).mean_face
    moved = [
        _move_list(
            models, args.identity, args.style, lines[: args.sentences], motion_alone=args.motion
        )
        for lines in LISTS[: args.lists]
    ]
    found = [
        {
            title: _scores(
                rows["the truth, redetected" if title.startswith("redetected") else "the truth"],
                row,
                mean,
            )
            for title, row in rows.items()
        }
        for rows in moved
    ]
    for scores, rows, others in zip(found, moved, [*moved[1:], moved[0]], strict=True):
        nan = dict.fromkeys(MEASURES, float("nan"))
        sld = _distance(rows["the truth"], others["the truth"], mean)
        scores["another list"] = nan | {"SLD": sld}
    print("| | " + " | ".join(MEASURES) + " |")
    print("|---" * (len(MEASURES) + 1) + "|")
    for title in found[0]:
        means = [np.mean([scores[title][name] for scores in found]) for name in MEASURES]
        print(f"| {title} | " + " | ".join(f"{mean:.4g}" for mean in means) + " |")
    _print_gap(found, args.identity, args.style)
    _print_parts(moved, mean, args.identity, args.style)
    for kind in ("motion",) if args.motion else ("motion", "redetected"):
        lent, own = (f"{kind}, in the style of {way}" for way in (args.style, args.identity))
        for name in MEASURES:
            nearer = sum(_error(s, lent, name) < _error(s, own, name) for s in found)
            print(f"{kind}, {name}: the lent style is nearer in {nearer} of {len(found)}")


def _print_gap(found: list[dict[str, Scores]], identity: str, style: str) -> None:
    """Print how much of the way from A's own style to the truth B's style goes, in motion."""
    lent, own = (f"motion, in the style of {way}" for way in (style, identity))
    for name in ("SLD", *AMPLITUDES):
        goal = "another list" if name == "SLD" else "the truth"
        ends = [np.mean([scores[row][name] for scores in found]) for row in (own, lent, goal)]
        print(f"{name}: gap closed {(ends[1] - ends[0]) / (ends[2] - ends[0]):.2f}")


def _print_parts(moved: list[dict[str, Motion]], mean: np.ndarray, *names: str) -> None:
    """Print what SLD of the generated motion is made of."""
    rows: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for motions, other in zip(moved, [*moved[1:], moved[0]], strict=True):
        true, floor, own, lent = (
            (each["head"] - mean)[..., :2].astype(float)
            for each in (
                motions["the truth"],
                other["the truth"],
                *(motions[f"motion, in the style of {name}"] for name in names),
            )
        )
        compared = {"own": own, "lent": lent, "another list": floor}
        for title, motion in (compared | motions_with_true_parts(true, lent)).items():
            rows.setdefault(title, []).append((true, motion))
    fps = read_section("clips", ClipsParams).fps
    print_parts(rows, style_windows(read_section("evaluation", EvaluationParams), fps))


class _Plain(argparse.RawDescriptionHelpFormatter):
    pass


def _error(scores: dict[str, Scores], row: str, name: str) -> float:
    """Return a row's distance to the truth: of an amplitude, the absolute log ratio."""
    judge = "the truth, redetected" if row.startswith("redetected") else "the truth"
    value, truth = scores[row][name], scores[judge][name]
    if name in AMPLITUDES:
        return abs(float(np.log(value / truth)))
    return -value if name == "mouth r" else value


def _move_list(
    models: Models, identity: str, style: str, lines: list[str], *, motion_alone: bool
) -> dict[str, Motion]:
    """Return the motion of the table's rows for one list of sentences."""
    sample = read_section("sample", SampleParams)
    face, way = sample.subjects[identity], sample.subjects[style]
    mean = models.motion.person(identity).mean_face
    rows: dict[str, Motion] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = folder / "crossed.mp4"
        script, SCRIPTS[face.identity] = SCRIPTS[face.identity], tuple(map(Line, lines))
        try:
            seconds, pictures = len(lines) * SECONDS_A_SENTENCE, (sample.size, sample.fps)
            make_sample(face.identity, way.style, seconds, *pictures, video, folder / "truth")
        finally:
            SCRIPTS[face.identity] = script
        truth, sound = _detect(folder / "true", video)
        delayed = folder / "delayed.wav"
        write_wav(delayed, _delay(read_wav(sound)[0], _early(identity, style)))
        rows["the truth"] = truth
        for lent in (style, identity):
            moved = _animate(models, identity, lent, delayed, len(truth["valid"]))
            rows[f"motion, in the style of {lent}"] = moved
            if motion_alone:
                continue
            source = models.generator.default_source(identity)
            isps = read_isps(lent).chosen_images()
            drawn = models.generator.frames(source, Driving.from_columns(moved), isps)
            rows[f"redetected, in the style of {lent}"] = _redetect(
                folder / lent, drawn, sample.fps, sound
            )
        if not motion_alone:
            small = Frames(sound.with_name("frames.parquet"), models.generator.drawn_size)
            rows["the truth, redetected"] = _redetect(
                folder / "redetected", (small[i] for i in range(len(small))), sample.fps, sound
            )
    still = {key: np.broadcast_to(values[:1], values.shape) for key, values in truth.items()}
    rows["mean face"] = still | {"head": np.broadcast_to(mean, truth["head"].shape)}
    return rows


def _redetect(folder: Path, drawn: Iterable[Image], fps: float, sound: Path) -> Motion:
    """Detect the landmarks of images, encoded as a video with the given sound."""
    video = folder.with_suffix(".mp4")
    encode_video(video, (resize(picture, PIXELS) for picture in drawn), fps)
    return _detect(folder, video, read_wav(sound))[0]


def _early(*people: str) -> float:
    """Return by how much earlier than people's the sound of the training is, s, on average."""
    offsets = [o for p in people for o in sync_offsets(Subject("seen", p), DATA).values()]
    return -float(np.mean(offsets)) / (2 * read_section("clips", ClipsParams).fps)


def _delay(sound: np.ndarray, seconds: float) -> np.ndarray:
    late = np.zeros(max(0, round(seconds * AUDIO_RATE)), sound.dtype)
    return np.concatenate([late, sound])[: len(sound)]


def _scores(truth: Motion, motion: Motion, mean: np.ndarray) -> Scores:
    both = truth["valid"].astype(bool) & motion.get("valid", truth["valid"]).astype(bool)
    goal, result = ({k: v[both] for k, v in m.items()} for m in (truth, motion))
    apart = 100 * np.linalg.norm((goal["head"] - result["head"])[..., :2], axis=-1).mean()
    r = metrics.correlation(*(face_measures.mouth_opening(m["head"]) for m in (goal, result)))
    return dict(
        zip(MEASURES, (apart, _distance(goal, result, mean), r, *_amplitudes(result)), strict=True)
    )


def _detect(
    folder: Path, video: Path, sound: tuple[np.ndarray, int] | None = None
) -> tuple[Motion, Path]:
    """Run clips and landmarks on a video; return its motion and the clip's sound."""
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
            redetected = (picture for _, picture in read_frames(video))
            encode_video(raw / video.name, redetected, read_facts(video).fps, sound)
        ledger = clips.run(subject, limits[0])
        landmarks.run(subject, limits[1])
        found = clips_of(subject)
        if len(found) != 1:
            raise UserError(subject, f"expected one clip, found {[row.reason for row in ledger]}")
        rows = tables.read(Path(f"data/landmarks/{subject}/{found[0].id}.parquet"), LANDMARKS)
    motion = {name: rows[name] for name in ("head", "rotation", "translation", "valid")}
    return motion, folder / found[0].audio


def _animate(models: Models, identity: str, style: str, sound: Path, count: int) -> Motion:
    """Animate an identity by a sound in a style."""
    seed = read_section("training", Training).seed
    motion = join(list(predict_motion(models, style, sound, count, seed)))
    return retarget(motion, models.motion.person(style), models.motion.person(identity))


def _distance(judge: Motion, motion: Motion, mean: np.ndarray) -> float:
    params, fps = (
        read_section("evaluation", EvaluationParams),
        read_section("clips", ClipsParams).fps,
    )
    real, moved = _track(judge["head"], fps), _track(motion["head"], fps)
    return style_distances(real, mean, moved, mean, style_windows(params, fps)).sld


def _track(head: np.ndarray, fps: float) -> Track:
    count, still = len(head), np.zeros((len(head), 6))
    span, valid = np.zeros(count, np.int64), np.ones(count, bool)
    return Track(fps, span, valid, head.astype(float), still, still[:, 0], still[:, :2])


def _amplitudes(motion: Motion) -> tuple[float, float, float]:
    angles = np.degrees(head_pose.angles_from_rotation(motion["rotation"]))
    return (
        float(face_measures.mouth_opening(motion["head"]).std()),
        float(np.sqrt(angles.var(0).mean())),
        float(np.sqrt(motion["translation"].var(0).mean())),
    )


if __name__ == "__main__":
    main()
