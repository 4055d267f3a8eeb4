"""The `references` and `match` sections of params.yaml."""

from typing import Annotated

from pydantic import Field

from stages.base.config.params import Section, Share, Weight


class GroupWeights(Section):
    """Weights of the descriptors in the distance to a template.

    Attributes:
        mouth: of the four mouth descriptors together.
        eyes: of lids and brows.
        head: of rotation and translation.
    """

    mouth: Weight
    eyes: Weight
    head: Weight


class ReferenceParams(Section):
    """Section `references` of params.yaml.

    Attributes:
        candidates: frames per template.
        window_s: length of the curve around a frame, s.
        mean_s: length of the running mean that is subtracted from the head's motion, s.
        apart_s: least time between two candidates of one template, s.
        weights: of the groups of descriptors.
        blur: least sharpness, as a share of the person's median.
        blink: least opening of the lids, as a share of the person's median.
    """

    candidates: Annotated[int, Field(ge=1)]
    window_s: Annotated[float, Field(gt=0)]
    mean_s: Annotated[float, Field(gt=0)]
    apart_s: Annotated[float, Field(ge=0)]
    weights: GroupWeights
    blur: Share
    blink: Share


class MatchParams(Section):
    """Section `match` of params.yaml.

    Attributes:
        crop: width and height of the aligned face, the feature network's input, px.
        pose_limit: largest angle between the heads of frame and reference, degrees.
    """

    crop: Annotated[int, Field(ge=32, le=512)]
    pose_limit: Annotated[float, Field(gt=0, le=180)]
