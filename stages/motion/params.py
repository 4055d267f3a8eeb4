"""Motion: audio to the 68 landmarks, head pose, eyes and shoulders of a style."""

from pydantic import Field

from stages.base.config.params import Section


class MouthParams(Section):
    """Sizes and training of the mouth network.

    Attributes:
        look_ahead_s: how far the audio runs ahead of the mouth that is predicted from it, s.
        width: size of the projected pair of features and of the two layers after the LSTM.
        hidden: units of each LSTM layer.
        layers: LSTM layers.
        dropout: between layers, in training.
        noise: standard deviation of noise on the normalised features, in training.
        lips: weight of a lip point in the squared error; every other point has 1.
        velocity: weight of the squared error of the frame-to-frame change.
        rate: learning rate.
        decay: weight decay.
        ridge: of the regression whose rest the network learns, see `direct`; 0 for none.
        judged: last share of each training span that tells how far to trust the network.
    """

    look_ahead_s: float
    width: int
    hidden: int
    layers: int
    dropout: float
    noise: float
    lips: float
    velocity: float
    rate: float
    decay: float
    ridge: float = Field(ge=0)
    judged: float = Field(ge=0, lt=1)


class PoseParams(Section):
    """Sizes, training and sampling of the head pose network.

    Attributes:
        look_ahead_s: how far the audio runs ahead of the pose that is predicted from it, s.
        blocks: stacks of dilated layers; the dilation starts again at 1 in each.
        layers: layers a block; the receptive field is blocks · (2 ^ layers - 1) + 1 frames.
        channels: of the residual path.
        skip: channels of the skip path.
        condition: size of the projected pair of features.
        dropout: share of the history's frames that training hides.
        sigma: smallest standard deviation of the Gaussian, in normalised units.
        temperature: factor on the standard deviation where poses are sampled.
        smooth_s: standard deviation of the Gaussian that smooths sampled poses, s.
        rate: learning rate.
    """

    look_ahead_s: float
    blocks: int
    layers: int
    channels: int
    skip: int
    condition: int
    dropout: float
    sigma: float
    temperature: float
    smooth_s: float
    rate: float


class ManifoldParams(Section):
    """Projection of features onto the style's own (LSP's manifold projection).

    Attributes:
        rows: training features kept for each subject; 0 turns the projection off.
        neighbours: nearest features that a feature is rebuilt from.
    """

    rows: int
    neighbours: int


class MotionParams(Section):
    """Section `motion` of params.yaml.

    Attributes:
        steps: optimizer steps.
        batch: windows a step.
        window_s: length of a window, s.
        style: size of a subject's style vector.
    """

    steps: int
    batch: int
    window_s: float
    style: int
    mouth: MouthParams
    pose: PoseParams
    manifold: ManifoldParams


def frames_in(seconds: float, fps: float) -> int:
    """Convert a duration to whole frames, at least one unless it is zero."""
    return max(1, round(seconds * fps)) if seconds > 0 else 0
