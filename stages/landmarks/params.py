"""The section `landmarks` of params.yaml."""

from typing import Literal

from pydantic import Field

from stages.base.config.params import Section


class LandmarksParams(Section):
    """The landmark backend, and how pose and shoulders are fitted."""

    backend: Literal["mediapipe", "face-alignment"]
    distance: float = Field(gt=1.5, le=100)
    """Distance of the head from the camera where landmarks do not determine it, face heights."""
    max_reprojection: float = Field(gt=0, le=10)
    """Largest RMS reprojection error of a valid frame, face heights."""
    pose_window: float = Field(ge=0, le=60)
    """Length of the Savitzky-Golay filter of the pose, s; 0 for none."""
    shoulder_interval: float = Field(gt=0, le=60)
    """Time between two tracings of the shoulders, s; optical flow tracks them in between."""
