"""The smallest networks that have every part."""

from stages.style_mapping.params import (
    GeometryWeights,
    ImageLossWeights,
    LearnedKeypointParams,
    Network,
    StyleMappingParams,
)

TINY = Network(
    size=32,
    channels=4,
    halvings=1,
    volume=(4, 2),
    volume_blocks=1,
    motion_channels=8,
    motion_halvings=1,
    decoder_channels=16,
    decoder_blocks=1,
    spade_channels=8,
    style_channels=16,
    skip=True,
)

LEARNED = LearnedKeypointParams(
    keypoints=13,
    heat_input=16,
    heat_plane=8,
    heat_channels=4,
    pose_channels=4,
    pose_blocks=0,
    near_channels=8,
    near_grid=3,
    near_reach=0.1,
    weights=GeometryWeights(
        equivariance=10, keypoint_prior=10, head_pose=20, expression=5, landmarks=20, shape=20
    ),
    keypoint_distance=0.1,
    keypoint_depth=0.33,
    placing=2,
    placing_batch=3,
)

# What face-vid2vid's paper names, for the paper preset.
PAPER = Network(
    size=256,
    channels=64,
    halvings=2,
    volume=(32, 16),
    volume_blocks=6,
    motion_channels=64,
    motion_halvings=0,
    decoder_channels=256,
    decoder_blocks=6,
    spade_channels=128,
    style_channels=256,
    skip=False,
)

PAPER_LEARNED = LEARNED.model_copy(
    update={
        "keypoints": 20,
        "heat_input": 64,
        "heat_plane": 64,
        "heat_channels": 32,
        "pose_channels": 64,
        "pose_blocks": 3,
        "near_channels": 64,
        "near_grid": 5,
        "near_reach": 0.12,
    }
)

WEIGHTS = ImageLossWeights(
    pixel=20,
    perceptual=0,
    gan=0,
    feature_matching=0,
)

PARAMS = StyleMappingParams(
    keypoints="learned",
    learned=LEARNED,
    network=TINY,
    weights=WEIGHTS,
    perceptual="mobilenet_v2",
    taps=(1, 3),
    pyramid=(1,),
    mouth_focus=4,
    discriminator_channels=4,
    discriminator_scales=2,
    mirror=True,
    stretch=0.1,
    colour=0.1,
    lent=0.5,
    batch=2,
    steps=4,
    learning_rate=5e-4,
    warmup=1,
    ema=0.9,
    held_out_pairs=4,
)

MESH = PARAMS.model_copy(update={"keypoints": "mesh", "learned": None})
