"""Is what a style moves style? Identity A in B's style beside the true "A lively", never seen.

    python bench/crossed_sample.py       # in a project after `make demo`; two minutes

The demo trains on A calm and B lively alone. Here A is drawn lively by the sample's own rule,
saying words that no training heard; its landmarks are found as any clip's. The same voice then
moves A in B's style and in A's own, and both motions are compared with what was drawn.
Displacements count from A's own training mean. D-L: frame by frame. SLD: as in
reports/metrics.json. Amplitudes are standard deviations: of the mouth's opening, and of head
rotation (RMS of yaw, pitch and roll about their means) and translation.
"""

import argparse
import tempfile
from contextlib import chdir
from pathlib import Path

import numpy as np

from pipeline import faces, tables
from pipeline.formats import LANDMARKS
from pipeline.params import Training, section
from pipeline.problems import Problem
from pipeline.subjects import Subject
from stages.clips import __main__ as clips
from stages.clips.ledger import clips_of
from stages.clips.params import ClipsParams
from stages.evaluation import metrics
from stages.evaluation.params import EvaluationParams
from stages.landmarks import run as landmarks
from stages.landmarks.params import LandmarksParams
from stages.motion.predict import join, retarget
from stages.render.actor import Models, load_models
from stages.render.talk import motion_of
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
    models = load_models(args.identity, args.style)
    with tempfile.TemporaryDirectory() as folder:
        truth, valid, sound = _drawn(Path(folder), face.identity, style.style, sample)
        made = {
            f"{args.identity} in the style of {args.style}": args.style,
            f"{args.identity} in its own": args.identity,
        }
        motions = {
            title: _moved(models, args.identity, way, sound, len(valid))
            for title, way in made.items()
        }
    mean = models.motion.person(args.identity).mean_face
    still = {name: np.broadcast_to(values[:1], values.shape) for name, values in truth.items()}
    still["head"] = np.broadcast_to(mean, truth["head"].shape)
    print(f"against {valid.sum()} frames of {face.identity} {style.style}, same voice")
    print("| motion | D-L | SLD | mouth r | mouth | rotation, degrees | translation |")
    print("|---|---|---|---|---|---|---|")
    rows = {"the truth": truth} | motions | {"mean face": still}
    for title, whole in rows.items():
        motion = {name: values[valid] for name, values in whole.items()}
        goal = {name: values[valid] for name, values in truth.items()}
        apart = 100 * np.linalg.norm((goal["head"] - motion["head"])[..., :2], axis=-1).mean()
        r = metrics.correlation(*(faces.mouth_opening(m["head"]) for m in (goal, motion)))
        distance = _distance(goal, motion, mean)
        mouth, turn, shift = _amplitudes(motion)
        print(
            f"| {title} | {apart:.2f} | {distance:.2f} | {r:.2f} |"
            f" {mouth:.4f} | {turn:.2f} | {shift:.4f} |"
        )


def _drawn(
    folder: Path, identity: str, style: str, sample: SampleParams
) -> tuple[Motion, np.ndarray, Path]:
    """Draw a sample that is in no training, find its landmarks; which are valid, and its sound."""
    limits = section("clips", ClipsParams), section("landmarks", LandmarksParams)
    home = Path.cwd()
    with chdir(folder):
        for name in ("params.yaml", "versions.yaml", "dvc.yaml"):
            Path(name).symlink_to(home / name)
        video = Path("data/raw/crossed/crossed.mp4")
        make_sample(
            identity, style, sample.seconds, sample.size, sample.fps, video, Path("truth"), start=5
        )
        clips.run(CROSSED, limits[0])
        landmarks.run(CROSSED, limits[1])
        found = clips_of(CROSSED)
        if len(found) != 1:
            raise Problem(CROSSED, f"expected one clip of the drawn sample, found {len(found)}")
        clip = found[0]
        rows = tables.read(Path(f"data/landmarks/{CROSSED}/{clip.id}.parquet"), LANDMARKS)
    motion = {name: rows[name] for name in ("head", "rotation", "translation")}
    return motion, rows["valid"].astype(bool), folder / clip.audio


def _moved(models: Models, identity: str, style: str, sound: Path, frames: int) -> Motion:
    """Move an identity by a sound in a style."""
    seed = section("training", Training).seed
    motion = join(list(motion_of(models, style, sound, frames, seed)))
    return retarget(motion, models.motion.person(style), models.motion.person(identity))


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
