"""The `motion` section of params.yaml."""

from pydantic import Field

from stages.base.config.params import Section
from stages.base.io.timebase import to_frames


class MouthParams(Section):
    """Sizes and training of the mouth network.

    Attributes:
        look_ahead_s: length of audio after a frame that its mouth depends on, s.
        width: units of the input projection and of the two layers after the LSTM.
        hidden: units of each LSTM layer.
        layers: LSTM layers.
        dropout: between layers, in training.
        noise: standard deviation of noise on the normalised features, in training.
        lips: weight of a lip landmark in the squared error; every other landmark has 1.
        velocity: weight of the squared error of the frame-to-frame change.
        learning_rate: AdamW's, for mouth network and style vectors.
        decay: AdamW's weight decay.
        ridge: of the ridge regression whose residual the network learns; 0 turns it off.
        judged: last share of each training span that is held out to estimate the network's gain.
    """

    look_ahead_s: float = Field(ge=0, le=10)
    width: int = Field(ge=1)
    hidden: int = Field(ge=1)
    layers: int = Field(ge=1)
    dropout: float = Field(ge=0, lt=1)
    noise: float = Field(ge=0)
    lips: float = Field(ge=0)
    velocity: float = Field(ge=0)
    learning_rate: float = Field(gt=0)
    decay: float = Field(ge=0)
    ridge: float = Field(ge=0)
    judged: float = Field(ge=0, lt=1)


class PoseParams(Section):
    """Sizes, training and sampling of the head pose network.

    Attributes:
        look_ahead_s: length of audio after a frame that its pose depends on, s.
        blocks: stacks of dilated layers; the dilation starts again at 1 in each.
        layers: layers per block; the receptive field is blocks · (2 ^ layers - 1) + 1 frames.
        channels: of the residual path.
        skip: channels of the skip path.
        condition: units of the input projection of the audio.
        dropout: share of the history's frames that training hides.
        sigma: smallest standard deviation of the Gaussian, in normalised units.
        temperature: factor on the standard deviation when poses are sampled.
        smooth_s: standard deviation of the Gaussian that smooths sampled poses, s.
        learning_rate: AdamW's.
    """

    look_ahead_s: float = Field(ge=0, le=10)
    blocks: int = Field(ge=1)
    layers: int = Field(ge=1, le=16)
    channels: int = Field(ge=1)
    skip: int = Field(ge=1)
    condition: int = Field(ge=1)
    dropout: float = Field(ge=0, lt=1)
    sigma: float = Field(gt=0)
    temperature: float = Field(ge=0)
    smooth_s: float = Field(ge=0)
    learning_rate: float = Field(gt=0)


class ManifoldParams(Section):
    """Projection of features onto the style's own (manifold projection of LSP).

    Attributes:
        rows: training features stored for each subject; 0 turns the projection off.
        neighbours: nearest features that reconstruct a feature.
    """

    rows: int = Field(ge=0)
    neighbours: int = Field(ge=1)


class MotionParams(Section):
    """Section `motion` of params.yaml.

    Attributes:
        steps: optimizer steps.
        batch: windows per step.
        window_s: length of a window, s.
        style: size of a subject's style vector.
        mouth: the mouth network.
        pose: the head pose network.
        manifold: the projection of features.
    """

    steps: int = Field(ge=1)
    batch: int = Field(ge=1)
    window_s: float = Field(gt=0)
    style: int = Field(ge=1)
    mouth: MouthParams
    pose: PoseParams
    manifold: ManifoldParams


def frames_in(seconds: float, fps: float) -> int:
    """Convert a duration to whole frames, at least one unless it is zero."""
    return to_frames(seconds, fps, least=1 if seconds > 0 else 0)
