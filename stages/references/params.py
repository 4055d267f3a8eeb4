"""Key motion templates, style reference images and each frame's best match among them.

`python -m stages references seen/NAME` picks a subject's four style reference images;
`python -m stages match seen/NAME` finds each frame's best match among the four;
`python -m stages.references.learn_templates` measures the templates of data/templates anew.
Method: section "Key motion templates → style reference images" of docs/method.md.
"""

from typing import Annotated

from pydantic import Field

from stages.base.config.params import Section

Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0)]


class GroupWeights(Section):
    """How much each group of descriptors counts in the distance to a template."""

    mouth: Weight
    eyes: Weight
    head: Weight


class ReferenceParams(Section):
    """How style reference images are found (section `references`).

    Args:
        candidates: frames kept per template.
        window_s: length of the curve around a frame that is compared, seconds.
        mean_s: length of the running mean that head motion is measured from, seconds.
        apart_s: least distance in time of two candidates of one template, seconds.
        weights: of the groups of descriptors.
        blur: refuse frames below this share of the person's median sharpness.
        blink: refuse frames whose lids open less than this share of the person's median.
    """

    candidates: Annotated[int, Field(ge=1)]
    window_s: Annotated[float, Field(gt=0)]
    mean_s: Annotated[float, Field(gt=0)]
    apart_s: Annotated[float, Field(ge=0)]
    weights: GroupWeights
    blur: Share
    blink: Share


class MatchParams(Section):
    """How a frame's best match is found (section `match`).

    Args:
        crop: width and height of the aligned face given to the feature network, pixels.
        pose_limit: largest angle between the head's rotations of frame and reference, degrees.
    """

    crop: Annotated[int, Field(ge=32, le=512)]
    pose_limit: Annotated[float, Field(gt=0, le=180)]
