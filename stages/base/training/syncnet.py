"""SyncNet (Chung and Zisserman 2016): features of lips and of sound, by weights of the user.

    network = load_syncnet(SHA256)
    network.lips(frames)                   # (B, 3, T, 224, 224) to (B, T - 4, 1024)
    network.sound(cepstra)                 # (B, 1, 13, 20) to (B, 1024)

No package carries the weights. The file is a safetensors file with the names of `syncnet_v2.model`
(`syncnet_python`), in the folder of cached weights under its own sha256.
"""

from functools import cache

from torch import Tensor, nn

from stages.base.training import pretrained
from stages.base.training.user_networks import load_into_network

SIZE, FRAMES, HOPS = 224, 5, 20  # px and frames of lips; cepstra of sound, 10 ms apart
FEATURES = 1024
_CODE = 512  # channels behind both convolutional networks


class SyncNet(nn.Module):
    """Two networks whose features are near for lips and sound of one moment."""

    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_plane(1, 64, 3, 1),
            nn.MaxPool2d(1, 1),
            *_plane(64, 192, 3, 1),
            nn.MaxPool2d(3, (1, 2)),
            *_plane(192, 384, 3, 1),
            *_plane(384, 256, 3, 1),
            *_plane(256, 256, 3, 1),
            nn.MaxPool2d(3, 2),
            *_plane(256, _CODE, (5, 4), 0),
        )
        self.netfcaud = _head()
        self.netfclip = _head()
        self.netcnnlip = nn.Sequential(
            *_volume(3, 96, (FRAMES, 7, 7), 2, 0),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_volume(96, 256, (1, 5, 5), 2, 1),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *_volume(256, 256, (1, 3, 3), 1, 1),
            *_volume(256, 256, (1, 3, 3), 1, 1),
            *_volume(256, 256, (1, 3, 3), 1, 1),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_volume(256, _CODE, (1, 6, 6), 1, 0),
        )

    def lips(self, frames: Tensor) -> Tensor:
        """Describe each five successive face crops: (B, 3, T, 224, 224) to (B, T - 4, 1024).

        Args:
            frames: BGR, 0 to 255.
        """
        code = self.netcnnlip(frames).flatten(2).transpose(1, 2)
        described: Tensor = self.netfclip(code.flatten(0, 1)).unflatten(0, code.shape[:2])
        return described

    def sound(self, cepstra: Tensor) -> Tensor:
        """Describe 0.2 s of sound: (B, 1, 13, 20) to (B, 1024)."""
        described: Tensor = self.netfcaud(self.netcnnaud(cepstra).flatten(1))
        return described


def _plane(
    channels: int, out: int, kernel: int | tuple[int, int], padding: int
) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(channels, out, kernel, padding=padding)
    return convolution, nn.BatchNorm2d(out), nn.ReLU()


def _volume(
    channels: int, out: int, kernel: tuple[int, int, int], stride: int, padding: int
) -> tuple[nn.Module, ...]:
    convolution = nn.Conv3d(channels, out, kernel, (1, stride, stride), (0, padding, padding))
    return convolution, nn.BatchNorm3d(out), nn.ReLU()


def _head() -> nn.Sequential:
    inner = nn.Linear(_CODE, _CODE), nn.BatchNorm1d(_CODE), nn.ReLU()
    return nn.Sequential(*inner, nn.Linear(_CODE, FEATURES))


@cache
def load_syncnet(sha256: str) -> SyncNet:
    """Load the user's network.

    Raises:
        BadWeights: the file is missing, has another sha256, or is of another network.
    """
    network = SyncNet()
    load_into_network(network, pretrained.load_user_weights("syncnet", sha256), "SyncNet")
    return network
