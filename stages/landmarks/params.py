"""Params of this stage: the section `landmarks` of params.yaml."""

from typing import Literal

from pydantic import Field

from stages.base.config.params import Section


class LandmarksParams(Section):
    """What finds the landmarks, and how pose and shoulders are fitted to them."""

    backend: Literal["mediapipe", "face-alignment"]
    distance: float = Field(gt=1.5)
    """Distance of the head from the camera where the clip does not show it, face heights."""
    max_reprojection: float = Field(gt=0)
    """A frame is invalid where the posed face is further off, RMS, face heights."""
    pose_window: float = Field(ge=0)
    """Length of the zero-phase quadratic filter of the pose, s; 0 leaves it raw."""
    shoulder_interval: float = Field(gt=0)
    """The shoulders are traced anew after this time and followed by optical flow between, s."""
