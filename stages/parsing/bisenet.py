"""The second backend: BiSeNet, 19 classes of CelebAMask-HQ, on a crop of the head.

Bilateral Segmentation Network (Yu et al. 2018) with a ResNet-18 context path; the spatial path is
replaced by the context path's features at an eighth of the size, as in the published weights.
Modules are named as in those weights. The weights are for non-commercial use (see
`stages.base.training.pretrained`), and the network is some 30 times slower than the default
backend.
"""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from stages.base.arrays import Floats
from stages.base.face.landmark_groups import CHIN, NASION
from stages.base.io.image_io import Image
from stages.base.training import pretrained
from stages.parsing.mesh import CODES, draw

# CelebAMask-HQ's classes as our labels; necklace and clothes are body, a hat counts as hair.
CLASSES = (
    *("background", "skin", "brows", "brows", "eyes", "eyes", "glasses", "ears", "ears", "ears"),
    *("nose", "mouth", "mouth", "mouth", "neck", "body", "body", "hair", "hair"),
)
_CODES = np.array([CODES[name] for name in CLASSES], np.uint8)
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# The size of the weights' training; at 256, eyes, nose and mouth of real faces are not found.
_SIZE = 512
_SIDE = 2.9  # side of the head's crop, face heights
_RISE = 0.45  # height of its centre above the nose's base, face heights


class ConvBNReLU(nn.Module):
    """Convolution, batch normalisation, ReLU."""

    def __init__(self, channels: int, out: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, out, H, W)."""
        return F.relu(self.bn(self.conv(x)))


class Output(nn.Module):
    """The head: class scores from a feature map."""

    def __init__(self, channels: int, middle: int) -> None:
        super().__init__()
        self.conv = ConvBNReLU(channels, middle, 3)
        self.conv_out = nn.Conv2d(middle, len(CLASSES), 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, 19, H, W)."""
        scores: Tensor = self.conv_out(self.conv(x))
        return scores


class Block(nn.Module):
    """A residual block of ResNet-18."""

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, out, H / stride, W / stride)."""
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(self.downsample(x) + y)


class ResNet18(nn.Module):
    """The features of ResNet-18 at an eighth, a sixteenth and a thirty-second of the size."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(Block(64, 64, 1), Block(64, 64, 1))
        self.layer2 = nn.Sequential(Block(64, 128, 2), Block(128, 128, 1))
        self.layer3 = nn.Sequential(Block(128, 256, 2), Block(256, 256, 1))
        self.layer4 = nn.Sequential(Block(256, 512, 2), Block(512, 512, 1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Map (B, 3, H, W) to features of 128, 256 and 512 channels."""
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        eighth = self.layer2(self.layer1(x))
        sixteenth = self.layer3(eighth)
        return eighth, sixteenth, self.layer4(sixteenth)


class Attention(nn.Module):
    """Attention refinement: weighs channels by their mean over the image."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv = ConvBNReLU(channels, out, 3)
        self.conv_atten = nn.Conv2d(out, out, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, out, H, W)."""
        x = self.conv(x)
        mean = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.bn_atten(self.conv_atten(mean)))


class ContextPath(nn.Module):
    """Features of the whole image's receptive field."""

    def __init__(self) -> None:
        super().__init__()
        self.resnet = ResNet18()
        self.arm16 = Attention(256, 128)
        self.arm32 = Attention(512, 128)
        self.conv_head32 = ConvBNReLU(128, 128, 3)
        self.conv_head16 = ConvBNReLU(128, 128, 3)
        self.conv_avg = ConvBNReLU(512, 128, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, 3, H, W) to detail and context, (B, 128, H / 8, W / 8) each."""
        eighth, sixteenth, last = self.resnet(x)
        whole = self.conv_avg(last.mean((2, 3), keepdim=True))
        deep = F.interpolate(self.arm32(last) + whole, size=sixteenth.shape[2:])
        middle = self.arm16(sixteenth) + self.conv_head32(deep)
        return eighth, self.conv_head16(F.interpolate(middle, size=eighth.shape[2:]))


class Fusion(nn.Module):
    """Feature fusion: joins detail and context."""

    def __init__(self) -> None:
        super().__init__()
        self.convblk = ConvBNReLU(256, 256, 1)
        self.conv1 = nn.Conv2d(256, 64, 1, bias=False)
        self.conv2 = nn.Conv2d(64, 256, 1, bias=False)

    def forward(self, detail: Tensor, context: Tensor) -> Tensor:
        """Map two (B, 128, H, W) to (B, 256, H, W)."""
        x = self.convblk(torch.cat([detail, context], dim=1))
        mean = x.mean((2, 3), keepdim=True)
        weighed: Tensor = x + x * torch.sigmoid(self.conv2(F.relu(self.conv1(mean))))
        return weighed


class BiSeNet(nn.Module):
    """The network: scores of 19 classes for every pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.cp = ContextPath()
        self.ffm = Fusion()
        self.conv_out = Output(256, 256)
        self.conv_out16 = Output(128, 64)  # for training only; the weights have them
        self.conv_out32 = Output(128, 64)

    def forward(self, x: Tensor) -> Tensor:
        """Map normalised RGB, (B, 3, H, W), to scores, (B, 19, H, W)."""
        detail, context = self.cp(x)
        scores = self.conv_out(self.ffm(detail, context))
        return F.interpolate(scores, size=x.shape[2:], mode="bilinear", align_corners=True)


class Parser:
    """BiSeNet with the pinned weights.

    Raises:
        BadWeights: the weights cannot be fetched.
    """

    def __init__(self) -> None:
        torch.set_num_threads(1)  # clips run side by side; and more threads give other bytes
        self.network = BiSeNet().eval()
        self.network.load_state_dict(pretrained.load("bisenet"))

    def __call__(
        self, image: Image, person: NDArray[np.bool_], points: Floats
    ) -> NDArray[np.uint8]:
        """Parse an RGB frame, (H, W, 3), around its landmarks; codes of LABELS, (H, W)."""
        to_crop = crop_of(points, _SIZE)
        crop = cv2.warpAffine(
            image,
            to_crop,
            (_SIZE, _SIZE),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        pixels = (np.asarray(crop, np.float32) / 255 - _MEAN) / _STD
        batch = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None]
        with torch.inference_mode():
            classes = self.network(batch).argmax(1)[0].numpy()
        body = np.where(person, CODES["body"], CODES["background"]).astype(np.uint8)
        labels = np.asarray(
            cv2.warpAffine(
                _CODES[classes],
                to_crop,
                body.shape[::-1],
                dst=body,
                flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_TRANSPARENT,
            ),
            np.uint8,
        )
        return with_eyes_behind_glasses(labels, points)


def with_eyes_behind_glasses(labels: NDArray[np.uint8], points: Floats) -> NDArray[np.uint8]:
    """Relabel glasses within the eyes of landmarks, (68, 2) px, as eyes; labels are (H, W)."""
    eyes = draw(np.zeros(labels.shape, bool), points, points[:0]) == CODES["eyes"]
    return np.where(eyes & (labels == CODES["glasses"]), CODES["eyes"], labels).astype(np.uint8)


def crop_of(points: Floats, size: int) -> Floats:
    """Return the transform, (2, 3), from frame to upright head crop, in OpenCV's pixels.

    Args:
        points: landmarks, (68, 2), pixels of the frame.
        size: width and height of the crop, pixels.
    """
    height = float(np.linalg.norm(points[CHIN] - points[NASION]))
    centre = points[33] - np.array([0.0, _RISE * height])
    scale = size / (_SIDE * height)
    shift = size / 2 - scale * centre + (scale - 1) / 2  # pixel centres at whole numbers
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
