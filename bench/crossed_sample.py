"""Is what a style moves style? Identity A in B's style beside the true "A lively", never seen.

    python bench/crossed_sample.py       # in a project after `make demo`; two minutes

The demo trains on A calm and B lively alone and renders A's held-out voice in both styles. Here
A is drawn lively by the sample's own rule (a voice of other words), its landmarks are found as any
clip's, and both renders are compared with it. Displacements count from A's own training mean. SLD
as in reports/metrics.json; amplitudes are standard deviations: of the mouth's opening, and of head
rotation (RMS of yaw, pitch and roll about their means) and translation.
"""

import argparse
import tempfile
from contextlib import chdir
from pathlib import Path

import numpy as np

from pipeline import faces, tables
from pipeline.formats import LANDMARKS, MOTION
from pipeline.params import section
from pipeline.subjects import Subject
from stages.clips import __main__ as clips
from stages.clips.ledger import clips_of
from stages.clips.params import ClipsParams
from stages.evaluation import metrics
from stages.evaluation.params import EvaluationParams
from stages.landmarks import run as landmarks
from stages.landmarks.params import LandmarksParams
from stages.sample import make_sample
from stages.sample.__main__ import SampleParams

CROSSED = Subject("unseen", "crossed")
Motion = dict[str, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--identity", default="sample_calm", help="whose face")
    parser.add_argument("--style", default="sample_lively", help="whose style it is lent")
    args = parser.parse_args()
    sample = section("sample", SampleParams)
    face, style = sample.subjects[args.identity], sample.subjects[args.style]
    truth = _drawn(face.identity, style.style, sample)
    folder = Path("reports/videos") / args.identity
    own = _rendered(folder / f"{args.identity}.parquet")
    lent = _rendered(folder / f"as_{args.style}.parquet")
    mean = _mean_head(Subject("seen", args.identity))
    half = len(truth["head"]) // 2
    judge = {name: values[:half] for name, values in truth.items()}
    rest = {name: values[half:] for name, values in truth.items()}
    frames = min(len(motion["head"]) for motion in (rest, lent, own))
    print(f"against the first {half} frames of {face.identity} {style.style}")
    print("| motion | frames | SLD | mouth | rotation, degrees | translation |")
    print("|---|---|---|---|---|---|")
    for title, whole in (
        ("its own second half", rest),
        (f"{args.identity} in the style of {args.style}", lent),
        (f"{args.identity} in its own", own),
    ):
        motion = {name: values[:frames] for name, values in whole.items()}
        distance = _distance(judge, motion, mean)
        mouth, turn, shift = _amplitudes(motion)
        print(f"| {title} | {frames} | {distance:.2f} | {mouth:.4f} | {turn:.2f} | {shift:.4f} |")
    mouth, turn, shift = _amplitudes(judge)
    print(f"| these frames' amplitudes | {half} | | {mouth:.4f} | {turn:.2f} | {shift:.4f} |")


def _drawn(identity: str, style: str, sample: SampleParams) -> Motion:
    """Draw a sample that is in no training, and find its landmarks."""
    limits = section("clips", ClipsParams), section("landmarks", LandmarksParams)
    home = Path.cwd()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        for name in ("params.yaml", "versions.yaml", "dvc.yaml"):
            Path(name).symlink_to(home / name)
        video = Path("data/raw/crossed/crossed.mp4")
        make_sample(
            identity, style, sample.seconds, sample.size, sample.fps, video, Path("truth"), start=5
        )
        clips.run(CROSSED, limits[0])
        landmarks.run(CROSSED, limits[1])
        rows = [
            tables.read(Path(f"data/landmarks/{CROSSED}/{clip.id}.parquet"), LANDMARKS)
            for clip in clips_of(CROSSED)
        ]
    valid = [row["valid"].astype(bool) for row in rows]
    return {
        name: np.concatenate([row[name][good] for row, good in zip(rows, valid, strict=True)])
        for name in ("head", "rotation", "translation")
    }


def _rendered(path: Path) -> Motion:
    return tables.read(path, MOTION, ["head", "rotation", "translation"])


def _mean_head(subject: Subject) -> np.ndarray:
    heads = []
    for clip in clips_of(subject):
        path = Path(f"data/landmarks/{subject}/{clip.id}.parquet")
        row = tables.read(path, LANDMARKS, ["head", "valid"], *clip.train)
        heads.append(row["head"][row["valid"].astype(bool)])
    return np.concatenate(heads).mean(0)


def _distance(judge: Motion, motion: Motion, mean: np.ndarray) -> float:
    params, fps = section("evaluation", EvaluationParams), section("clips", ClipsParams).fps
    window, stride = round(params.window_s * fps), max(1, round(params.stride_s * fps))
    return metrics.windowed_distance(judge["head"] - mean, motion["head"] - mean, window, stride)


def _amplitudes(motion: Motion) -> tuple[float, float, float]:
    angles = np.degrees(faces.angles_from_rotation(motion["rotation"]))
    return (
        float(faces.mouth_opening(motion["head"]).std()),
        float(np.sqrt(angles.var(0).mean())),
        float(np.sqrt(motion["translation"].var(0).mean())),
    )


if __name__ == "__main__":
    main()
