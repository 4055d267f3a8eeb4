"""The motion networks: what each frame may depend on, and how far back."""

import torch

from stages.motion.networks import PAIR, MouthNet, PoseNet
from tests.stages.motion.settings import TINY, tiny


def pose_net() -> PoseNet:
    torch.manual_seed(0)
    return PoseNet(tiny().pose, style=4).eval()


def test_the_wavenet_of_the_method_sees_255_frames():
    sizes = TINY["pose"] | {"blocks": 2, "layers": 7}
    assert PoseNet(tiny(pose=sizes).pose, style=4).receptive == 255


def test_the_wavenet_is_causal_and_sees_exactly_its_receptive_field():
    net = pose_net()
    frames, at = 40, 20
    history, pairs = torch.randn(1, frames, 12), torch.randn(1, frames, PAIR)
    style = torch.randn(1, 4)
    history.requires_grad_(True)
    pairs.requires_grad_(True)
    mean, _ = net(history, pairs, style)
    mean[0, at].sum().backward()
    reached = torch.nonzero(history.grad[0].abs().sum(1))
    assert net.receptive == 15
    assert reached.min() == at - net.receptive + 1
    assert reached.max() == at
    heard = torch.nonzero(pairs.grad[0].abs().sum(1))
    assert heard.max() == at
    assert heard.min() >= at - net.receptive + 1


def test_frame_by_frame_the_wavenet_says_what_it_says_of_the_whole():
    net = pose_net()
    history, pairs, style = torch.randn(1, 30, 12), torch.randn(1, 30, PAIR), torch.randn(1, 4)
    whole = net(history, pairs, style)
    memory, heard = net.begin(), net.hear(pairs[0], style[0])
    steps = [net.next(history[0, i], heard[i], memory) for i in range(30)]
    for index, name in enumerate(("mean", "log sigma")):
        alone = torch.stack([step[index] for step in steps])
        assert torch.allclose(whole[index][0], alone, atol=1e-5), name


def test_sigma_is_never_below_its_floor():
    net = pose_net()
    with torch.no_grad():
        net.last.bias.fill_(-20.0)
    _, log_sigma = net(torch.randn(1, 5, 12), torch.randn(1, 5, PAIR), torch.randn(1, 4))
    assert torch.allclose(log_sigma.exp(), torch.full_like(log_sigma, 0.03))


def test_the_mouth_goes_on_from_its_state():
    torch.manual_seed(0)
    net = MouthNet(tiny().mouth, style=4).eval()
    pairs, style = torch.randn(1, 12, PAIR), torch.randn(1, 4)
    whole = net(pairs, style)
    first, state = net.step(pairs[:, :5], style, None)
    second, _ = net.step(pairs[:, 5:], style, state)
    assert whole.shape == (1, 12, 68, 3)
    assert torch.allclose(whole, torch.cat([first, second], dim=1), atol=1e-6)


def test_the_style_vector_changes_both_networks():
    torch.manual_seed(0)
    pairs = torch.randn(1, 6, PAIR)
    mouth = MouthNet(tiny().mouth, style=4).eval()
    assert not torch.allclose(mouth(pairs, torch.zeros(1, 4)), mouth(pairs, torch.ones(1, 4)))
    net, history = pose_net(), torch.randn(1, 6, 12)
    calm, _ = net(history, pairs, torch.zeros(1, 4))
    lively, _ = net(history, pairs, torch.ones(1, 4))
    assert not torch.allclose(calm, lively)
