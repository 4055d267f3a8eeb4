"""The `motion` section of params.yaml."""

from typing import Annotated, Literal

from pydantic import Field

from stages.base.config.params import Section, Share
from stages.base.io.timebase import to_frames


class TcnParams(Section):
    """Sizes and training of the default mouth network, a small TCN for all people.

    Attributes:
        width: channels.
        dilations: of the convolutions, frames; each has three taps.
        components: principal components of lips and jaw that the network predicts.
        noise: standard deviation of noise on the normalised features, in training.
        velocity: weight of the squared error of the frame-to-frame change.
        decay: AdamW's weight decay.
        personal: ridge of the regression, for each person, of what the network leaves.
        amplitude: least amplitude of a component against the true one, on judged speech; smaller
            ones are raised, at most twofold, as far as they are known; 0 for never.
    """

    width: int = Field(ge=1, le=4096)
    dilations: tuple[Annotated[int, Field(ge=1, le=64)], ...] = Field(min_length=1, max_length=32)
    components: int = Field(ge=1, le=63)
    noise: float = Field(ge=0)
    velocity: float = Field(ge=0)
    decay: float = Field(ge=0)
    personal: float = Field(gt=0)
    amplitude: Share


class LstmParams(Section):
    """Sizes and training of LSP's mouth network, which learns what the regression leaves.

    Attributes:
        width: units of the input projection and of the two layers after the LSTM.
        hidden: units of each LSTM layer.
        layers: LSTM layers.
        dropout: between layers, in training.
        noise: standard deviation of noise on the normalised features, in training.
        velocity: weight of the squared error of the frame-to-frame change.
        decay: AdamW's weight decay.
    """

    width: int = Field(ge=1)
    hidden: int = Field(ge=1)
    layers: int = Field(ge=1)
    dropout: float = Field(ge=0, lt=1)
    noise: float = Field(ge=0)
    velocity: float = Field(ge=0)
    decay: float = Field(ge=0)


class MouthParams(Section):
    """The mouth network and its training.

    Attributes:
        network: tcn, one small network for all people, or lstm, that of LSP.
        look_ahead_s: length of audio after a frame that its mouth depends on, s.
        lips: weight of a lip landmark in the squared error; every other landmark has 1.
        learning_rate: AdamW's.
        ridge: of the population's ridge regression; 0 turns it off.
        judged: last share of each training span that is held out to weigh network and regressions.
        tcn: the network `tcn`.
        lstm: the network `lstm`.
    """

    network: Literal["tcn", "lstm"]
    look_ahead_s: float = Field(ge=0, le=10)
    lips: float = Field(ge=0)
    learning_rate: float = Field(gt=0)
    ridge: float = Field(ge=0)
    judged: float = Field(ge=0, lt=1)
    tcn: TcnParams
    lstm: LstmParams

    @property
    def chosen(self) -> TcnParams | LstmParams:
        """The params of the chosen network."""
        return self.tcn if self.network == "tcn" else self.lstm


class StyleParams(Section):
    """The style vectors. Too small an initial spread makes the networks ignore them.

    Attributes:
        size: of a style vector.
        spread: standard deviation of the vectors before training.
        rate: factor on mouth.learning_rate for the style vectors, which have no weight decay.
        own: share of the training windows that also receive the person's own learnt vector.
        synthetic: share of the training windows whose style is changed.
        windows: share of a person's reference windows passed to the encoder in each step.
    """

    size: int = Field(ge=1, le=1024)
    spread: float = Field(ge=0, le=100)
    rate: float = Field(gt=0, le=1000)
    own: Share
    synthetic: Share
    windows: float = Field(gt=0, le=1)


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
        decay: AdamW's weight decay.
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
    decay: float = Field(ge=0)


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
        style: the subjects' style vectors.
        mouth: the mouth network.
        pose: the head pose network.
        manifold: the projection of features.
    """

    steps: int = Field(ge=1)
    batch: int = Field(ge=1)
    window_s: float = Field(gt=0)
    style: StyleParams
    mouth: MouthParams
    pose: PoseParams
    manifold: ManifoldParams


def frames_in(seconds: float, fps: float) -> int:
    """Convert a duration to whole frames, at least one unless it is zero."""
    return to_frames(seconds, fps, least=1 if seconds > 0 else 0)
