"""The `style_mapping` section of params.yaml."""

from pydantic import Field, field_validator, model_validator

from stages.base.config.params import Section


class Network(Section):
    """Sizes of the networks; `size`, `volume` and halvings fix every shape."""

    size: int = Field(ge=32, le=1024)  # width and height of images, px; a power of two
    keypoints: int = Field(ge=12, le=64)  # K; the first twelve lie on landmarks
    channels: int = Field(ge=4)  # of the appearance extractor's first layer
    halvings: int = Field(ge=1, le=4)  # from the image's plane to the volume's
    volume: tuple[int, int]  # channels and depth of the feature volume
    volume_blocks: int = Field(ge=0)  # residual 3D blocks on it
    heat_input: int = Field(ge=16)  # the keypoint extractor sees the image at this size, px
    heat_plane: int = Field(ge=8)  # width and height of its heatmaps
    heat_channels: int = Field(ge=4)
    pose_channels: int = Field(ge=4)
    pose_blocks: int = Field(ge=0)  # residual blocks at each scale of the pose network
    near_channels: int = Field(ge=8, multiple_of=8)  # of what is seen around a keypoint
    near_grid: int = Field(ge=2)  # samples a side
    near_reach: float = Field(gt=0, le=1)  # how far they reach to each side; the image is 2 wide
    motion_channels: int = Field(ge=4)
    motion_halvings: int = Field(ge=0, le=3)  # from the volume's plane to the motion network's
    decoder_channels: int = Field(ge=16)  # at the volume's plane; halved at each doubling
    decoder_blocks: int = Field(ge=1)  # at the volume's plane
    spade_channels: int = Field(ge=0)  # hidden channels of SPADE; 0 leaves it out
    style_channels: int = Field(ge=8)  # hidden units of the style modulation
    skip: bool  # blend the painted image with the neutral image warped by the same flow

    @field_validator("size", "heat_input", "heat_plane")
    @classmethod
    def _power_of_two(cls, value: int) -> int:
        if value & (value - 1):
            raise ValueError("expected a power of two")
        return value

    @model_validator(mode="after")
    def _planes(self) -> "Network":
        if self.heat_input > self.size or self.heat_plane > self.heat_input:
            raise ValueError("expected heat_plane ≤ heat_input ≤ size")
        if self.plane >> self.motion_halvings < 8:
            raise ValueError("motion_halvings leave a motion plane below 8")
        if min(self.volume) < 2:
            raise ValueError("expected at least 2 channels and depth 2 of the volume")
        return self

    @property
    def plane(self) -> int:
        """Width and height of the feature volume."""
        return self.size >> self.halvings


class Weights(Section):
    """Weight of each loss; 0 leaves it out (section 5 of the method, and ours)."""

    pixel: float = Field(ge=0)  # L1 of pixels; ours, for short trainings
    perceptual: float = Field(ge=0)
    gan: float = Field(ge=0)
    feature_matching: float = Field(ge=0)
    equivariance: float = Field(ge=0)
    keypoint_prior: float = Field(ge=0)
    head_pose: float = Field(ge=0)
    expression: float = Field(ge=0)
    landmarks: float = Field(ge=0)  # keypoints to landmarks; ours, for short trainings
    shape: float = Field(ge=0)  # and to each other as those lie; ours


class StyleMappingParams(Section):
    """What the style mapping's training depends on."""

    network: Network
    weights: Weights
    perceptual: str  # network of stages.base.training.perceptual
    taps: tuple[int, ...]  # its layers that are compared; none for its default
    pyramid: tuple[int, ...]  # the perceptual loss looks at the images divided by these
    mouth_focus: float = Field(ge=0)  # the pixel loss weighs the mouth so much more; ours
    discriminator_channels: int = Field(ge=4)
    discriminator_scales: int = Field(ge=1, le=4)
    keypoint_distance: float = Field(ge=0)  # D_t of the keypoint prior
    keypoint_depth: float  # z_t of the keypoint prior
    mirror: bool  # half of the pairs are mirrored
    stretch: float = Field(ge=0, le=0.5)  # pairs are made wider, taller or smaller by so much; ours
    colour: float = Field(ge=0, le=0.5)  # and their colours are scaled by so much; ours
    lent: float = Field(ge=0, le=1)  # share of pairs that begin with the neutral image; ours
    batch: int = Field(ge=1)
    steps: int = Field(ge=1)
    placing: int = Field(ge=0)  # steps before these that learn keypoints and poses alone; ours
    placing_batch: int = Field(ge=1)  # pairs in each of them
    learning_rate: float = Field(gt=0)  # Adam's learning rate
    warmup: int = Field(ge=0)  # steps
    ema: float = Field(ge=0, lt=1)
    held_out_pairs: int = Field(ge=1)  # pairs of held-out frames that judge the result
