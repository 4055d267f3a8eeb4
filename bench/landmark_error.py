"""Measure the error of landmarks, pose and shoulders against the sample's truth.

    python bench/landmark_error.py     # three minutes; a second run takes seconds

Generates the sample people of params.yaml, runs clips and landmarks on them (landmarks.backend) and
transforms the truth into the stored frames by the clip's window. The truth is a mesh that MediaPipe
detected in one photograph, moved by rule: errors that MediaPipe makes on every picture of this face
do not show, errors of what moves do.

Distances are in px of the stored frame and in % of the mean true face height, nasion to chin. The
truth's 68 points are other mesh vertices than ours on jaw, nose and lower lip, so the mesh is read
at the truth's; `ours` is the mean distance of the points as stored. Pose: one constant rotation and
shift between the two conventions is removed. Shoulders: the points' displacement from their mean,
against the drawn one. Lag: the shift, in parts of a frame, at which true and detected curves
correlate best; positive: the detected curve is late.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import testbed
from numpy.typing import NDArray

from stages.base.arrays import Floats
from stages.base.config.params import read_section
from stages.base.face import face_measures, head_pose, landmark_groups
from stages.base.io import tables
from stages.clips.artifacts import FRAMES, LEDGER
from stages.clips.ledger import Clip
from stages.landmarks import backend, pose
from stages.landmarks.artifacts import CAMERAS, LANDMARKS
from stages.landmarks.landmarks import LandmarksStage
from stages.landmarks.params import LandmarksParams
from stages.sample.artifacts import TRUTH
from stages.sample.contours import IBUG_68

Columns = dict[str, NDArray[Any]]

GROUPS = {
    "contour": ("contour",),
    "brows": ("brows",),
    "eyes": ("eyes",),
    "nose": ("nose",),
    "lips": ("outer_lips", "inner_lips"),
    "all": tuple(landmark_groups.GROUPS),
}
_LONGEST_LAG = 0.2  # seconds
_WINDOWS = (0.0, 1.0)  # seconds of the pose's filter, beside the one of params.yaml


def main() -> None:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    ).parse_args()
    with testbed.own_folder():
        for name in testbed.samples():
            clips, truth = testbed.sample(name)
            for clip in clips:
                report(name, clip, truth)


def report(name: str, clip: Clip, truth: Path) -> None:
    """Print the tables of one clip."""
    folder = Path("data/landmarks/seen") / name
    found = tables.read(folder / f"{clip.id}.parquet", LANDMARKS)
    cameras = tables.read(folder / "cameras.parquet", CAMERAS)
    focal = float(cameras["focal"][list(cameras["clip"]).index(clip.id)])
    true = stored_truth(clip, truth)
    valid = found["valid"].astype(bool)
    seen, goal = ({k: v[valid] for k, v in rows.items()} for rows in (found, true))
    height = float(np.linalg.norm(goal["points"][:, 27] - goal["points"][:, 8], axis=1).mean())
    print(
        f"\n{clip.id}: a face in {valid.sum()} of {clip.frames} frames of {clip.size} px,"
        f" {height:.1f} px high"
    )
    again = _again(clip)
    same = again[read_section("landmarks", LandmarksParams).pose_window][valid]
    _landmarks(seen, same, goal, height)
    _pose(seen, goal, focal)
    _torso(found, true, height)
    print("| opening of | filter of the pose, s | lag, ms | r at lag 0 | slope |")
    print("|---|---|---|---|---|")
    for what, measure in (("lips", face_measures.mouth_opening), ("lids", _lids)):
        for window, points in sorted(again.items()):
            # In px, as they are stored: the filter moves points too.
            values = measure(goal["points"]), measure(points[valid])
            print(f"| {what} | {window:g} | {_following(*values, clip.fps)} |")


def stored_truth(clip: Clip, truth: Path) -> Columns:
    """Bring the truth of the frames that a clip shows into its stored pixels.

    Returns:
        TRUTH's columns at the clip's frames; `points` (N, 68, 2), `irises`, `torso` and `focal` in
        stored pixels.
    """
    ledger = tables.read(clip.path.parent / "clips.parquet", LEDGER, ["clip", "window"])
    x, y, side = ledger["window"][list(ledger["clip"]).index(clip.id)]
    rows = tables.read(truth / "truth.parquet", TRUTH)
    shown = tables.read(clip.video, FRAMES, ["time"])["time"]
    # A frame's truth stands at its middle, its presentation time is where it begins.
    half = rows["time"][0]
    at = np.abs(rows["time"][None] - half - shown[:, None]).argmin(1)
    scale = clip.size / side
    rows = {name: values[at] for name, values in rows.items()}
    return rows | {
        "points": (rows["landmarks"] - [x, y]) * scale,
        "irises": (rows["irises"] - [x, y]) * scale,
        "torso": rows["torso"] * scale,
        "focal": rows["focal"] * scale,
    }


def _again(clip: Clip) -> dict[float, Floats]:
    """Detect the landmarks again, at the truth's vertices where the backend is a mesh.

    Returns:
        Points, (N, 68, 2), px, by the length of the pose's filter in s.
    """
    params = read_section("landmarks", LandmarksParams)
    ours = backend._TO_68.copy()
    if params.backend == "mediapipe":
        backend._TO_68[:] = np.eye(478)[list(IBUG_68)]
    with tempfile.TemporaryDirectory() as folder:
        piece = Path(folder) / "piece.npz"
        stage = LandmarksStage(params, backend.weights_id(params.backend))
        stage.compute(clip, (0, clip.frames), piece)
        seen = dict(np.load(piece))
    backend._TO_68[:] = ours
    points, depth = seen["points"], seen["depth"]
    train = np.zeros(len(points), bool)
    train[slice(*clip.train)] = True
    return {
        window: pose.fit(
            points, depth, clip.size, params.distance, train, round(window * clip.fps)
        ).points
        for window in (params.pose_window, *_WINDOWS)
    }


def _landmarks(seen: Columns, same: Floats, goal: Columns, height: float) -> None:
    print("| group | mean, px | median | 95 % | mean, % of face height | ours, px |")
    print("|---|---|---|---|---|---|")
    stored, apart = (
        np.linalg.norm(points - goal["points"], axis=-1) for points in (seen["points"], same)
    )
    table = []
    for group, lines in GROUPS.items():
        chosen = sorted(
            {p for name in lines for line in landmark_groups.GROUPS[name] for p in line.points}
        )
        table.append((group, apart[:, chosen], stored[:, chosen]))
    irises = np.linalg.norm(seen["irises"] - goal["irises"], axis=-1)
    for group, values, kept in (*table, ("irises", irises, irises)):
        print(
            f"| {group} | {values.mean():.2f} | {np.median(values):.2f} |"
            f" {np.quantile(values, 0.95):.2f} | {100 * values.mean() / height:.2f} |"
            f" {kept.mean():.2f} |"
        )


def _pose(seen: Columns, goal: Columns, focal: float) -> None:
    R, true_R = seen["rotation"].astype(float), goal["R"].astype(float)
    # True R is found R times what turns one head's frame into the other's, the same every frame.
    U, _, Vt = np.linalg.svd((np.swapaxes(R, 1, 2) @ true_R).mean(0))
    apart = head_pose.angles_from_rotation(np.swapaxes(R @ (U @ Vt), 1, 2) @ true_R)
    angles = np.degrees(head_pose.angles_from_rotation(true_R))
    rows = [
        (axis, np.degrees(np.abs(apart[:, i])), angles[:, i].std(), "°")
        for i, axis in enumerate(("yaw", "pitch", "roll"))
    ]
    whole = np.degrees(np.linalg.norm(apart, axis=1))
    rows.append(("rotation", whole, np.degrees(np.linalg.norm(np.radians(angles.std(0)))), "°"))
    # A camera of another focal length sees the same head in proportion nearer or farther.
    t = seen["translation"] * [1, 1, goal["focal"][0] / focal]
    free = np.concatenate([R, np.broadcast_to(np.eye(3), R.shape)], axis=2).reshape(-1, 6)
    fitted = free @ np.linalg.lstsq(free, (goal["t"] - t).reshape(-1), rcond=None)[0]
    rest = 100 * np.abs(goal["t"] - t - fitted.reshape(-1, 3))
    for i, axis in enumerate("xyz"):
        rows.append((f"translation {axis}", rest[:, i], 100 * goal["t"][:, i].std(), " %"))
    print("| pose | mean error | 95 % | standard deviation of the truth |")
    print("|---|---|---|---|")
    for title, values, spread, unit in rows:
        print(
            f"| {title} | {values.mean():.2f}{unit} | {np.quantile(values, 0.95):.2f}{unit} |"
            f" {spread:.2f}{unit} |"
        )


def _torso(found: Columns, true: Columns, height: float) -> None:
    """Compare how the shoulders move; single points may slide along them, their mean may not."""
    valid = found["shoulders_valid"].astype(bool)
    title = f"shoulders, valid in {valid.mean():.0%}"
    print(f"| {title} | mean error, px | of face height | 95 %, px | r x, y | slope x, y |")
    print("|---|---|---|---|---|---|")
    if not valid.any():
        return
    torso = true["torso"][valid] - true["torso"][valid].mean(0)
    points = found["shoulders"][valid] - found["shoulders"][valid].mean(0)
    still = np.zeros((len(torso), 1, 2))
    for title, moved in (
        ("each point", points),
        ("mean of 18", points.mean(1, keepdims=True)),
        ("were they still", still),
    ):
        apart = np.linalg.norm(moved - torso[:, None], axis=-1)
        print(
            f"| {title} | {apart.mean():.2f} | {100 * apart.mean() / height:.2f} % |"
            f" {np.quantile(apart, 0.95):.2f} | {_following_torso(moved.mean(1), torso)} |"
        )


def _following_torso(moved: Floats, torso: Floats) -> str:
    if not moved.any():
        return "|"
    r = [np.corrcoef(moved[:, i], torso[:, i])[0, 1] for i in (0, 1)]
    slope = [(moved[:, i] @ torso[:, i]) / (torso[:, i] @ torso[:, i]) for i in (0, 1)]
    return f"{r[0]:.2f}, {r[1]:.2f} | {slope[0]:.2f}, {slope[1]:.2f}"


def _lids(points: Floats) -> Floats:
    lids: Floats = face_measures.eye_opening(points).mean(-1)
    return lids


def _following(true: Floats, found: Floats, fps: float) -> str:
    r = np.corrcoef(true, found)[0, 1]
    slope = np.polyfit(true, found, 1)[0]
    return f"{1000 * lag(true, found, fps):+.1f} | {r:.3f} | {slope:.2f}"


def lag(true: Floats, found: Floats, fps: float) -> float:
    """Tell how much later than the true curve the found one moves, seconds."""
    from scipy.interpolate import CubicSpline

    frames = np.arange(len(true))
    curve = CubicSpline(frames, found)
    reach = round(_LONGEST_LAG * fps)
    inside = frames[reach : len(frames) - reach]
    steps = np.arange(-reach, reach + 1e-9, fps / 1000)  # of a millisecond
    r = [np.corrcoef(true[inside], curve(inside + step))[0, 1] for step in steps]
    return float(steps[int(np.argmax(r))] / fps)


if __name__ == "__main__":
    main()
