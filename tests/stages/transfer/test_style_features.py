"""L_sc and L_r against values worked out by hand."""

import math

import pytest
import torch
from torch import Tensor, nn

from stages.transfer.style_features import StyleFeatures, gradient_penalty, style_loss


class Linear(nn.Module):
    """f(φ) = W φ, of the first coordinates."""

    def __init__(self, weights: list[list[float]]) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.tensor(weights))

    def forward(self, displacement: Tensor) -> Tensor:
        return displacement.flatten(1)[:, : self.weights.shape[1]] @ self.weights.T


class Quadratic(nn.Module):
    """f(φ) = a/2 ‖φ‖²: its gradient at φ is a φ."""

    def __init__(self, a: float) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor(a))

    def forward(self, displacement: Tensor) -> Tensor:
        return self.a / 2 * displacement.flatten(1).square().sum(1, keepdim=True)


def moved(*first: float) -> Tensor:
    """Frames whose first coordinate is given, the others 0."""
    frames = torch.zeros(len(first), 68, 3)
    frames[:, 0, 0] = torch.tensor(first)
    return frames


def test_f_is_an_mlp_of_1024_512_and_256_units():
    sizes = [
        tuple(layer.weight.shape) for layer in StyleFeatures().layers if hasattr(layer, "weight")
    ]
    assert sizes == [(1024, 204), (512, 1024), (256, 512)]
    assert StyleFeatures()(torch.zeros(5, 68, 3)).shape == (5, 256)


def test_the_style_loss_compares_the_means_over_frames():
    generated = torch.tensor([[1.0, 0.0], [3.0, 4.0]])  # mean 2, 2
    references = torch.tensor([[0.0, 1.0], [1.0, 0.0], [2.0, -1.0]])  # mean 1, 0
    assert style_loss(generated, references).item() == pytest.approx(1.0 + 4.0)


def test_the_penalty_of_a_linear_f_and_its_gradient_are_those_of_the_closed_form():
    f = Linear([[1.0, 2.0], [2.0, 2.0]])  # the outputs' sum has the gradient (3, 4), of norm 5
    penalty = gradient_penalty(f, moved(0.0), moved(1.0), torch.tensor([0.5]))
    assert penalty.item() == pytest.approx((5 - 1) ** 2)
    penalty.backward()
    # d(‖g‖ − 1)²/dW_ij = 2 (‖g‖ − 1) g_j / ‖g‖ for every output i.
    expected = torch.tensor([[2 * 4 * 3 / 5, 2 * 4 * 4 / 5]] * 2)
    torch.testing.assert_close(f.weights.grad, expected)


def test_the_penalty_reads_f_at_the_mixed_motion_and_has_a_second_order_gradient():
    f = Quadratic(0.5)
    # γ weighs the references: φ̂ = 0.25 · 8 + 0.75 · 4 = 5 and 0.75 · 8 + 0.25 · 0 = 6.
    gamma = torch.tensor([0.25, 0.75])
    penalty = gradient_penalty(f, moved(4.0, 0.0), moved(8.0, 8.0), gamma)
    assert penalty.item() == pytest.approx(((2.5 - 1) ** 2 + (3.0 - 1) ** 2) / 2)
    penalty.backward()
    # d(a r − 1)²/da = 2 (a r − 1) r
    assert f.a.grad is not None
    assert f.a.grad.item() == pytest.approx((2 * 1.5 * 5 + 2 * 2.0 * 6) / 2)


def test_the_penalty_of_the_mlp_has_the_gradient_of_finite_differences():
    torch.manual_seed(0)
    f = StyleFeatures().double()
    generated, references = torch.randn(2, 3, 68, 3).double()
    gamma = torch.rand(3).double()
    weight = f.layers[1].weight
    gradient_penalty(f, generated, references, gamma).backward()
    assert weight.grad is not None
    with torch.no_grad():
        step = 1e-6
        values = []
        for sign in (1, -1):
            weight[5, 7] += sign * step
            with torch.enable_grad():
                values.append(gradient_penalty(f, generated, references, gamma).item())
            weight[5, 7] -= sign * step
    assert math.isclose(
        (values[0] - values[1]) / (2 * step), weight.grad[5, 7].item(), rel_tol=1e-4
    )


def test_no_gradient_of_the_penalty_reaches_the_generated_motion():
    generated = moved(4.0).requires_grad_()
    gradient_penalty(Quadratic(0.5), generated, moved(8.0), torch.tensor([0.5])).backward()
    assert generated.grad is None
