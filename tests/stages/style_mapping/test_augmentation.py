"""Augmentation keeps image, landmarks and angles of a pair consistent."""

import numpy as np
import torch

from stages.base.face import head_pose, mean_face, projection
from stages.style_mapping.augmentation import augment
from stages.style_mapping.keypoints import GUIDED
from stages.style_mapping.mesh import decompose
from tests.stages.style_mapping.settings import PARAMS

SIZE = 64


def pairs(count: int = 6) -> dict[str, torch.Tensor]:
    """Heads with a bright spot on each picture's left mouth corner."""
    angles = np.random.default_rng(0).uniform(-0.3, 0.3, (count, 2, 3))
    R = head_pose.rotation_from_angles(angles)
    t = np.broadcast_to([0.0, 0.0, 6.0], (count, 2, 3))
    all_points = projection.project(mean_face.MEAN_FACE, R, t, 250.0, SIZE)
    flat = torch.from_numpy(all_points * 2 / SIZE - 1).float()
    depth = torch.from_numpy(projection.to_camera(mean_face.MEAN_FACE, R, t)[..., 2:] - 6).float()
    points = flat[:, :, list(GUIDED)]
    cell = (torch.arange(SIZE) + 0.5) * 2 / SIZE - 1
    spot = points[:, :, GUIDED.index(48)]
    apart = (cell - spot[..., 0, None, None]) ** 2 + (cell[:, None] - spot[..., 1, None, None]) ** 2
    images = torch.exp(-apart / 0.01)[:, :, None].expand(-1, -1, 3, -1, -1)
    return {
        "neutral": images[:, 0],
        "reference": images[:, 1],
        "target": images[:, 1],
        "keypoints": torch.cat([flat, depth], dim=-1),
        "canonical": torch.tensor(mean_face.MEAN_FACE).float().expand(count, -1, -1),
        "rotation": torch.from_numpy(R).float().transpose(-1, -2),
        "reference_points": flat[:, 1],
        "angles": torch.from_numpy(angles).float(),
    }


def test_landmarks_follow_the_image():
    given = pairs()
    augmented = augment(given, PARAMS, np.random.default_rng(1))
    cell = (torch.arange(SIZE) + 0.5) * 2 / SIZE - 1
    mirrored = 0
    for i in range(6):
        heat = augmented["reference"][i].mean(0)
        assert (augmented["target"][i] == augmented["reference"][i]).all()
        seen = torch.stack([(heat.sum(0) * cell).sum(), (heat.sum(1) * cell).sum()]) / heat.sum()
        left, right = (augmented["keypoints"][i, 1, k, :2] for k in (48, 54))
        flipped = bool(augmented["angles"][i, 1, 0] != given["angles"][i, 1, 0])
        mirrored += flipped
        assert torch.allclose(seen, right if flipped else left, atol=0.03)
    assert 0 < mirrored < 6


def test_mirrored_and_stretched_faces_still_obey_the_equations():
    """ε of a rigid head stays zero where a face is mirrored, its rotation with it."""
    still = PARAMS.model_copy(update={"mirror": True, "stretch": 0.0, "colour": 0.0})
    given = pairs()
    R, c = given["rotation"], given["canonical"]
    given["keypoints"] = c[:, None] @ R + torch.tensor([0.1, 0.2, 0.0])
    augmented = augment(given, still, np.random.default_rng(1))
    for side in (0, 1):
        geometry = augmented["canonical"], augmented["keypoints"][:, side]
        shift, expression = decompose(*geometry, augmented["rotation"][:, side])
        assert expression.abs().max() < 1e-5
        assert set(shift[:, 0].sign().tolist()) == {-1.0, 1.0}


def test_mirrored_angles_are_those_of_the_mirrored_head():
    angles = np.array([0.3, -0.2, 0.1])
    R = head_pose.rotation_from_angles(angles)
    mirror = np.diag([-1.0, 1.0, 1.0])
    assert np.allclose(head_pose.angles_from_rotation(mirror @ R @ mirror), angles * [-1, 1, -1])


def test_zero_augmentation_is_the_identity():
    still = PARAMS.model_copy(update={"mirror": False, "stretch": 0.0, "colour": 0.0})
    given = pairs()
    augmented = augment(given, still, np.random.default_rng(1))
    assert all(torch.equal(augmented[name], given[name]) for name in given)
