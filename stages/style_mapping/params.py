"""The `style_mapping` section of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stages.base.config.params import PowerOfTwo, Section, Weight


class Network(Section):
    """Sizes of the networks; `size`, `volume` and `halvings` determine every shape.

    Attributes:
        size: width and height of images, px; a power of two.
        channels: of the appearance extractor's first layer.
        halvings: from the image's plane to the volume's.
        volume: channels and depth of the feature volume.
        volume_blocks: residual 3D blocks on it.
        motion_channels: of the dense motion network.
        motion_halvings: from the volume's plane to the dense motion network's.
        decoder_channels: at the volume's plane; halved at each doubling.
        decoder_blocks: at the volume's plane.
        spade_channels: hidden channels of SPADE; 0 turns it off.
        style_channels: hidden units of the style modulation.
        skip: change the neutral image warped by the flow, instead of painting a new one.
    """

    size: PowerOfTwo = Field(ge=32, le=1024)
    channels: int = Field(ge=4)
    halvings: int = Field(ge=1, le=4)
    volume: tuple[Annotated[int, Field(ge=2)], Annotated[int, Field(ge=2)]]
    volume_blocks: int = Field(ge=0)
    motion_channels: int = Field(ge=4)
    motion_halvings: int = Field(ge=0, le=3)
    decoder_channels: int = Field(ge=16)
    decoder_blocks: int = Field(ge=1)
    spade_channels: int = Field(ge=0)
    style_channels: int = Field(ge=8)
    skip: bool

    @model_validator(mode="after")
    def _planes(self) -> "Network":
        if (plane := self.plane >> self.motion_halvings) < 8:
            raise ValueError(f"motion_halvings leave a motion plane of {plane}, expected 8 or more")
        return self

    @property
    def plane(self) -> int:
        """Width and height of the feature volume."""
        return self.size >> self.halvings


class ImageLossWeights(Section):
    """Weight of each loss of the image; 0 leaves it out (method, section 5).

    Attributes:
        pixel: L1 of pixels; ours, for short trainings.
        perceptual: feature maps of a pre-trained network.
        gan: hinge loss of the discriminator.
        feature_matching: feature maps of the discriminator.
    """

    pixel: Weight
    perceptual: Weight
    gan: Weight
    feature_matching: Weight


class GeometryWeights(Section):
    """Weight of each loss of learned keypoints; 0 leaves it out (method, section 5).

    Attributes:
        equivariance: of keypoints under deformations.
        keypoint_prior: distances and mean depth of the keypoints.
        head_pose: predicted against fitted pose.
        expression: size of the expression deltas.
        landmarks: keypoints against landmarks; ours, for short trainings.
        shape: vectors between keypoints against those between landmarks; ours.
    """

    equivariance: Weight
    keypoint_prior: Weight
    head_pose: Weight
    expression: Weight
    landmarks: Weight
    shape: Weight


class LearnedKeypointParams(Section):
    """Networks that extract keypoints, pose and expression from the image, and their losses.

    Attributes:
        keypoints: K; the first twelve follow landmarks.
        heat_input: width and height of the keypoint extractor's input, px.
        heat_plane: width and height of its heatmaps.
        heat_channels: of its first layer.
        pose_channels: of the pose network's first layer.
        pose_blocks: residual blocks at each of its scales.
        near_channels: of the patches around keypoints that expressions are read from.
        near_grid: samples a side of a patch.
        near_reach: half of its width; the image is 2 wide.
        weights: of the losses.
        keypoint_distance: D_t of the keypoint prior.
        keypoint_depth: z_t of the keypoint prior.
        placing: number of initial steps that train keypoints and poses only; ours.
        placing_batch: pairs in each of them.
    """

    keypoints: int = Field(ge=12, le=64)
    heat_input: PowerOfTwo = Field(ge=16)
    heat_plane: PowerOfTwo = Field(ge=8)
    heat_channels: int = Field(ge=4)
    pose_channels: int = Field(ge=4)
    pose_blocks: int = Field(ge=0)
    near_channels: int = Field(ge=8, multiple_of=8)
    near_grid: int = Field(ge=2)
    near_reach: float = Field(gt=0, le=1)
    weights: GeometryWeights
    keypoint_distance: float = Field(ge=0)
    keypoint_depth: float = Field(ge=-1, le=1)
    placing: int = Field(ge=0)
    placing_batch: int = Field(ge=1)

    @model_validator(mode="after")
    def _planes(self) -> "LearnedKeypointParams":
        if self.heat_plane > self.heat_input:
            raise ValueError("expected heat_plane ≤ heat_input")
        return self


class StyleMappingParams(Section):
    """Section `style_mapping` of params.yaml.

    Attributes:
        keypoints: `mesh` takes c, R, τ and ε from the face mesh and the fitted pose (ours);
            `learned` extracts them from the image, as the paper does.
        learned: networks and losses of learned keypoints; required if keypoints: learned, else
            absent.
        network: sizes of the networks.
        weights: weights of the losses of the image.
        perceptual: network of stages.base.training.perceptual.
        taps: its layers to compare; empty for its default.
        pyramid: divisors of the image size in the perceptual loss.
        mouth_focus: additional weight of the mouth in the pixel loss; ours.
        discriminator_channels: of its first layer.
        discriminator_scales: levels of its image pyramid.
        mirror: mirror half of the pairs.
        stretch: largest logarithm of a pair's random scale in x and y; ours.
        colour: largest logarithm of the random scale of its colours; ours.
        lent: share of pairs whose first image is the neutral image warped to a training frame;
            ours.
        batch: pairs per step.
        steps: optimizer steps after those of `learned.placing`.
        learning_rate: Adam's.
        warmup: steps of linear warm-up.
        ema: decay of the averaged weights.
        held_out_pairs: pairs of held-out frames for the evaluation.
    """

    keypoints: Literal["mesh", "learned"]
    learned: LearnedKeypointParams | None = None
    network: Network
    weights: ImageLossWeights
    perceptual: str
    taps: tuple[Annotated[int, Field(ge=0)], ...]
    pyramid: tuple[Annotated[int, Field(ge=1)], ...]
    mouth_focus: float = Field(ge=0)
    discriminator_channels: int = Field(ge=4)
    discriminator_scales: int = Field(ge=1, le=4)
    mirror: bool
    stretch: float = Field(ge=0, le=0.5)
    colour: float = Field(ge=0, le=0.5)
    lent: float = Field(ge=0, le=1)
    batch: int = Field(ge=1)
    steps: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    warmup: int = Field(ge=0)
    ema: float = Field(ge=0, lt=1)
    held_out_pairs: int = Field(ge=1)

    @model_validator(mode="after")
    def _learned(self) -> "StyleMappingParams":
        if (self.keypoints == "learned") != (self.learned is not None):
            raise ValueError(
                "expected the section `learned` (see presets/paper.yaml) with keypoints: learned "
                "and no other"
            )
        if self.learned and self.learned.heat_input > self.network.size:
            raise ValueError("expected learned.heat_input ≤ network.size")
        return self

    @property
    def placing(self) -> int:
        """Number of initial steps that train keypoints and poses only; 0 without learned ones."""
        return self.learned.placing if self.learned else 0


class IspParams(Section):
    """Section `isp` of params.yaml.

    Attributes:
        size: width and height of an ISP, px; beyond `network.size` the neutral image keeps its
            detail.
    """

    size: PowerOfTwo = Field(ge=32, le=1024)
