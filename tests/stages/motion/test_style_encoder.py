"""Windows of references, the encoder that reads a style from them, and synthetic styles."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from stages.base.config.subjects import Subject
from stages.base.face.mean_face import MEAN_FACE
from stages.motion.mouth_space import MouthSpace
from stages.motion.person import LIPS, measure_person
from stages.motion.recordings import read_recordings
from stages.motion.style_encoder import StyleEncoder, apply_style_change, stack
from stages.motion.style_references import STEPS, ReferenceFrame, read_candidates, style_windows
from stages.motion.synthetic_styles import StyleChange, draw_changes
from tests.stages.motion.people import LOWER, write_subject

ANN = Subject("seen", "ann")
# Opening of the lower lip and jaw, and spreading of the lips to both sides.
BASIS = np.zeros((2, 68, 3))
BASIS[0, LOWER, 1] = 1.0
BASIS[1, list(LIPS), 0] = MEAN_FACE[list(LIPS), 0]
BASIS = (BASIS.reshape(2, -1) / np.linalg.norm(BASIS.reshape(2, -1), axis=1)[:, None]).astype(
    np.float32
)


@pytest.fixture
def ann(tmp_path):
    """Ann's person, recordings and candidates."""
    write_subject(tmp_path, "seen/ann")
    recordings = read_recordings(ANN, 0.3, tmp_path)
    return measure_person("ann", recordings), recordings, read_candidates(ANN, tmp_path)


def test_a_window_is_the_motion_around_its_candidate_in_the_mouth_scale(ann):
    person, recordings, candidates = ann
    windows = style_windows(person, recordings, candidates, BASIS)
    assert len(windows) == 8
    first = candidates[0]
    rows = np.arange(first.frame - STEPS // 2, first.frame + STEPS // 2 + 1)
    moved = recordings[0].head[rows] - person.mean_face
    expected = (moved / person.mouth_scale).reshape(STEPS, -1) @ BASIS.T
    assert np.allclose(windows.mouth[0], expected, atol=1e-4)
    assert np.allclose(windows.rest.mean(1), 0.0, atol=1e-4)
    assert windows.template[:5].argmax(1).tolist() == [0, 1, 2, 3, 0]
    assert windows.scale == pytest.approx(np.log(person.mouth_scale / 0.02))


def test_windows_outside_the_recordings_or_without_a_face_are_left_out(ann):
    person, (recording,), _ = ann
    there = ReferenceFrame(0, "one-001", 100)
    outside = [
        ReferenceFrame(0, "one-001", 3),
        ReferenceFrame(0, "one-001", 214),
        ReferenceFrame(0, "two", 100),
    ]
    assert len(style_windows(person, [recording], [there, *outside], BASIS)) == 1
    valid = recording.valid.copy()
    valid[105] = False
    lost = replace(recording, valid=valid)
    assert len(style_windows(person, [lost], [there], BASIS)) == 0
    later = replace(recording, first=90)
    (window,) = style_windows(person, [later], [there], BASIS).mouth
    (same,) = style_windows(person, [recording], [ReferenceFrame(0, "one-001", 10)], BASIS).mouth
    assert np.array_equal(window, same)


def test_the_vector_depends_neither_on_the_order_nor_on_the_padding_of_windows(ann):
    person, recordings, candidates = ann
    torch.manual_seed(0)
    encoder = StyleEncoder(2, 4, 0.7).eval()
    whole, turned, few = (
        style_windows(person, recordings, found, BASIS)
        for found in (candidates, candidates[::-1], candidates[:3])
    )
    vector = encoder.encode(whole)
    assert vector.shape == (4,)
    assert torch.allclose(vector, encoder.encode(turned), atol=1e-5)
    assert not torch.allclose(vector, encoder.encode(few), atol=1e-3)
    stacked = stack([few, whole])
    assert torch.allclose(encoder(stacked, stacked["known"])[0], encoder.encode(few), atol=1e-5)


def test_a_change_moves_windows_as_it_moves_the_person_they_are_cut_from(ann):
    person, recordings, candidates = ann
    factors = np.ones((68, 3))
    factors[:, 1] = 1.5
    mix = torch.from_numpy((BASIS * factors.ravel()) @ BASIS.T)[None].float()
    change = StyleChange(mix, torch.zeros(1))
    space = space_of(person, recordings)
    grown = space.mouth_scale_factor(change, torch.tensor([0]))
    assert float(grown) == pytest.approx(1.5, rel=0.01)  # the mouth moves up and down alone
    before = stack([style_windows(person, recordings, candidates, BASIS)])
    found = apply_style_change(before, change, grown)
    livelier = [replace(r, head=person.mean_face + 1.5 * (r.head - person.mean_face))
                for r in recordings]  # fmt: skip
    expected = stack([style_windows(measure_person("ann", livelier), livelier, candidates, BASIS)])
    for name in ("mouth", "closed", "scale"):
        assert torch.allclose(found[name], expected[name], atol=0.05), name


def space_of(person, recordings) -> MouthSpace:
    (recording,) = recordings
    moved = ((recording.head - person.mean_face) / person.mouth_scale).reshape(-1, 204)
    inside = torch.from_numpy(moved @ BASIS.T).float()
    columns = [3 * lip + axis for lip in LIPS for axis in range(3)]
    return MouthSpace(
        basis=torch.from_numpy(BASIS),
        usual=torch.ones(2),
        moments=(inside.T @ inside / len(inside))[None],
        lips=torch.from_numpy(BASIS[:, columns] @ BASIS[:, columns].T),
    )


def test_targets_change_as_windows_do(ann):
    person, recordings, _ = ann
    change = StyleChange(torch.tensor([[[1.5, 0.0], [0.2, 0.7]]]), torch.tensor([0.4]))
    space, components = space_of(person, recordings), torch.randn(1, 20, 2)
    target = (components @ space.basis).unflatten(2, (68, 3))
    grown = torch.tensor([2.0])
    found = space.apply_style_change(target, change, grown).flatten(2) @ space.basis.T
    windows = {"mouth": components[:, None], "closed": torch.zeros(1, 2), "scale": torch.zeros(1)}
    expected = apply_style_change(windows, change, grown)["mouth"][:, 0]
    assert torch.allclose(found, expected, atol=1e-5)


def test_a_crisper_tempo_is_the_hand_computed_value():
    change = StyleChange(torch.eye(1)[None], torch.tensor([0.5]))
    moved = change.apply_to_motion(torch.tensor([0.0, 0.0, 3.0, 0.0, 0.0])[None, :, None])
    # A running mean of three leaves 1, 1, 1; half of what it removes is added.
    assert torch.allclose(moved[0, :, 0], torch.tensor([0.0, -0.5, 4.0, -0.5, 0.0]))


def test_no_share_changes_nothing_and_a_share_of_one_changes_all():
    rng = np.random.default_rng(0)
    same, other = (draw_changes(50, share, BASIS.astype(float), rng) for share in (0.0, 1.0))
    assert torch.equal(same.mix, torch.eye(2).expand(50, 2, 2).to(same.mix))
    assert not same.tempo.any()
    assert (other.mix - torch.eye(2)).abs().amax((1, 2)).min() > 0
    heights = other.mix[:, 0, 0]
    assert 0.5 < heights.min() < 0.8
    assert 1.3 < heights.max() < 2.0


def test_components_are_orthonormal_and_people_count_alike():
    products = np.zeros((2, 204, 204))
    products[0, 150, 150], products[1, 151, 151], products[1, 152, 152] = 3.0, 2.0, 1.0
    space = MouthSpace.of_people(products, 3)
    assert torch.allclose(space.basis @ space.basis.T, torch.eye(3), atol=1e-6)
    assert space.basis.abs().argmax(1).tolist() == [150, 151, 152]
    assert torch.allclose(space.usual, torch.tensor([1.5, 1.0, 0.5]).sqrt(), atol=1e-6)
