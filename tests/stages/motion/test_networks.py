"""The motion networks: causality, receptive field, incremental inference; the losses by hand."""

import math

import torch

from stages.motion.networks import PoseNet, displacement_loss, gaussian_nll
from tests.stages.motion.settings import TINY, tiny

WIDTH = 10


def pose_net() -> PoseNet:
    torch.manual_seed(0)
    return PoseNet(tiny().pose, style=4, features=WIDTH).eval()


def test_the_receptive_field_of_the_paper_preset_is_255_frames():
    sizes = TINY["pose"] | {"blocks": 2, "layers": 7}
    assert PoseNet(tiny(pose=sizes).pose, style=4, features=WIDTH).receptive == 255


def test_the_wavenet_is_causal_with_exactly_its_receptive_field():
    net = pose_net()
    frames, at = 40, 20
    history, features = torch.randn(1, frames, 12), torch.randn(1, frames, WIDTH)
    style = torch.randn(1, 4)
    history.requires_grad_(True)
    features.requires_grad_(True)
    mean, _ = net(history, features, style)
    mean[0, at].sum().backward()
    reached = torch.nonzero(history.grad[0].abs().sum(1))
    assert net.receptive == 15
    assert reached.min() == at - net.receptive + 1
    assert reached.max() == at
    reached_audio = torch.nonzero(features.grad[0].abs().sum(1))
    assert reached_audio.max() == at
    assert reached_audio.min() >= at - net.receptive + 1


def test_the_wavenet_gives_the_same_result_frame_by_frame():
    net = pose_net()
    history, features, style = (
        torch.randn(1, 30, 12),
        torch.randn(1, 30, WIDTH),
        torch.randn(1, 4),
    )
    whole = net(history, features, style)
    memory, conditions = net.initial_memory(), net.layer_conditions(features[0], style[0])
    steps = [net.step(history[0, i], conditions[i], memory) for i in range(30)]
    for index, name in enumerate(("mean", "log sigma")):
        alone = torch.stack([step[index] for step in steps])
        assert torch.allclose(whole[index][0], alone, atol=1e-5), name


def test_sigma_is_never_below_its_floor():
    net = pose_net()
    with torch.no_grad():
        net.last.bias.fill_(-20.0)
    _, log_sigma = net(torch.randn(1, 5, 12), torch.randn(1, 5, WIDTH), torch.randn(1, 4))
    assert torch.allclose(log_sigma.exp(), torch.full_like(log_sigma, 0.03))


def test_the_style_vector_changes_the_head():
    torch.manual_seed(0)
    features = torch.randn(1, 6, WIDTH)
    net, history = pose_net(), torch.randn(1, 6, 12)
    calm, _ = net(history, features, torch.zeros(1, 4))
    lively, _ = net(history, features, torch.ones(1, 4))
    assert not torch.allclose(calm, lively)


def test_gaussian_nll_is_the_hand_computed_value():
    target = torch.tensor([[[1.0, 3.0]]])
    mean = torch.tensor([[[0.0, 3.0]]])
    log_sigma = torch.log(torch.tensor([[[2.0, 0.5]]]))
    loss = gaussian_nll(target, mean, log_sigma, torch.ones(1, 1))
    # ½ (1/2)² + ln 2 + c and 0 + ln ½ + c, their mean, c = ½ ln 2π
    assert math.isclose(float(loss), 0.125 / 2 + 0.5 * math.log(2 * math.pi), rel_tol=1e-6)


def test_gaussian_nll_is_torchs_own():
    torch.manual_seed(0)
    target, mean, log_sigma = (torch.randn(2, 5, 12, dtype=torch.float64) for _ in range(3))
    ours = gaussian_nll(target, mean, log_sigma, torch.ones(2, 5))
    theirs = -torch.distributions.Normal(mean, log_sigma.exp()).log_prob(target).mean()
    assert torch.allclose(ours, theirs)


def test_masked_frames_do_not_count():
    torch.manual_seed(0)
    target, mean, log_sigma = (torch.randn(1, 4, 12) for _ in range(3))
    mask = torch.tensor([[1.0, 0.0, 1.0, 0.0]])
    kept = gaussian_nll(target[:, ::2], mean[:, ::2], log_sigma[:, ::2], torch.ones(1, 2))
    assert torch.allclose(gaussian_nll(target, mean, log_sigma, mask), kept)


def test_displacement_loss_is_the_hand_computed_value():
    true = torch.zeros(1, 2, 2, 3)
    predicted = torch.zeros(1, 2, 2, 3)
    predicted[0, 0, 0, 0] = 3.0  # the first landmark, weight 3 of a mean of 2
    predicted[0, 1, 1, 2] = 2.0  # the second, weight 1
    weights, mask = torch.tensor([3.0, 1.0]), torch.ones(1, 2)
    squares = (9 * 1.5 + 4 * 0.5) / 12
    plain = displacement_loss(predicted, true, weights, mask, velocity=0.0)
    assert math.isclose(float(plain), squares, rel_tol=1e-6)
    # The change from frame to frame is -3 and +2 in the same two places, 6 numbers in all.
    both = displacement_loss(predicted, true, weights, mask, velocity=0.5)
    assert math.isclose(float(both), squares + 0.5 * (9 * 1.5 + 4 * 0.5) / 6, rel_tol=1e-6)


def test_a_masked_frame_takes_part_in_no_change():
    predicted, true = torch.randn(1, 3, 4, 3), torch.randn(1, 3, 4, 3)
    mask = torch.tensor([[1.0, 0.0, 1.0]])
    with_change = displacement_loss(predicted, true, torch.ones(4), mask, velocity=1.0)
    without = displacement_loss(predicted, true, torch.ones(4), mask, velocity=0.0)
    assert torch.allclose(with_change, without)
