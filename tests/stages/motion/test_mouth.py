"""The mouth networks: look-ahead, incremental inference, and the style at every block."""

import pytest
import torch
from torch import nn

from stages.motion.mouth import MouthLstm, MouthNetwork, MouthTcn
from tests.stages.motion.settings import tiny

WIDTH, STYLE, AHEAD = 10, 4, 8
KINDS = ("tcn", "lstm")


def network(kind: str, ahead: int = AHEAD) -> MouthNetwork:
    torch.manual_seed(0)
    mouth = tiny().mouth
    if kind == "lstm":
        return MouthLstm(mouth.lstm, STYLE, WIDTH).eval()
    tcn = MouthTcn(mouth.tcn, STYLE, WIDTH, ahead).eval()
    nn.init.normal_(tcn.basis)
    return tcn


@pytest.mark.parametrize("kind", KINDS)
def test_a_mouth_network_continues_from_its_state(kind):
    net = network(kind)
    features, style = torch.randn(1, 30, WIDTH), torch.randn(1, STYLE)
    whole = net(features, style)
    rows, state, at = [], None, 0
    for cut in (5, 1, 1, 23):
        row, state = net.step(features[:, at : at + cut], style, state)
        rows.append(row)
        at += cut
    assert whole.shape == (1, 30, 68, 3)
    assert torch.allclose(whole, torch.cat(rows, dim=1), atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_output_scales_by_a_factor(kind):
    net, features, style = network(kind), torch.randn(1, 5, WIDTH), torch.randn(1, STYLE)
    before = net(features, style)
    net.scale_output(0.5)
    assert torch.allclose(net(features, style), 0.5 * before, atol=1e-6)


def test_each_component_of_the_tcn_has_a_gain():
    net, features, style = network("tcn"), torch.randn(1, 5, WIDTH), torch.randn(1, STYLE)
    before = net(features, style)
    net.amplify(torch.tensor([2.0, 1.0, 1.0, 1.0, 1.0, 1.0]))
    found = (net(features, style) - before).flatten(2)[0]
    along = net.basis[0] / 2
    share = (found @ along) / (along @ along)
    assert torch.allclose(found, share[:, None] * along, atol=1e-4)
    assert share.abs().max() > 0.01


@pytest.mark.parametrize("kind", KINDS)
def test_the_style_vector_changes_the_mouth(kind):
    net, features = network(kind), torch.randn(1, 6, WIDTH)
    calm, lively = (net(features, fill(1, STYLE)) for fill in (torch.zeros, torch.ones))
    assert not torch.allclose(calm, lively)


def test_style_enters_every_block_of_the_tcn():
    net, features = network("tcn"), torch.randn(1, 30, WIDTH)
    style = torch.randn(1, STYLE, requires_grad=True)
    net(features, style).sum().backward()
    assert all(bool(block.film.weight.grad.abs().sum() > 0) for block in net.blocks)
    for kept in range(len(net.blocks)):
        alone = network("tcn")
        for index, block in enumerate(alone.blocks):
            if index != kept:
                nn.init.zeros_(block.film.weight)
        assert not torch.allclose(alone(features, style), alone(features, -style))


def test_the_tcn_hears_19_frames_none_of_them_later_than_its_row():
    net, style = network("tcn"), torch.zeros(1, STYLE)
    features = torch.randn(1, 40, WIDTH, requires_grad=True)
    net(features, style)[0, 30].sum().backward()
    reached = torch.nonzero(features.grad[0].abs().sum(1)).flatten()
    assert reached.tolist() == list(range(30 - 18, 31))


@pytest.mark.parametrize(("ahead", "delays"), [(8, [1, 2, 4, 1, 0]), (2, [1, 1, 0, 0, 0])])
def test_shortcuts_are_delayed_by_the_look_ahead_in_all(ahead, delays):
    assert [block.shift for block in network("tcn", ahead).blocks] == delays
    net, features = network("tcn", ahead), torch.zeros(1, 20, WIDTH)
    for block in net.blocks:
        nn.init.zeros_(block.convolution.weight)
        nn.init.zeros_(block.convolution.bias)
        nn.init.zeros_(block.film.weight)
        nn.init.zeros_(block.film.bias)
    silent = net(features, torch.zeros(1, STYLE))
    features[0, 5] = 1.0
    moved = (net(features, torch.zeros(1, STYLE)) - silent)[0].abs().sum((1, 2))
    assert torch.nonzero(moved).flatten().tolist() == [5 + ahead]
