"""Params of the stage for small videos."""

from pathlib import Path

from stages.landmarks.params import LandmarksParams

PARAMS = LandmarksParams(
    backend="mediapipe", distance=8.0, max_reprojection=0.05, pose_window=0.0, shoulder_interval=1.0
)
FOUND = Path("data/landmarks/seen/somebody")
