"""The course's model."""

import pytest
import torch
from torch import nn

from torch_workflow import LinearRegression


def test_seed_42_starts_at_weight_0_3367_and_bias_0_1288():
    torch.manual_seed(42)
    model = LinearRegression()
    assert round(model.weight.item(), 4) == 0.3367
    assert round(model.bias.item(), 4) == 0.1288


def test_its_two_parameters_are_the_weight_and_the_bias():
    parameters = dict(LinearRegression().named_parameters())
    assert {name: tuple(value.shape) for name, value in parameters.items()} == {
        "weight": (1,),
        "bias": (1,),
    }


def test_it_predicts_weight_times_x_plus_bias_for_each_row():
    model = LinearRegression()
    model.load_state_dict({"weight": torch.tensor([2.0]), "bias": torch.tensor([1.0])})
    assert model(torch.tensor([[0.0], [0.5], [3.0]])).tolist() == [[1.0], [2.0], [7.0]]


def test_it_predicts_what_a_linear_layer_with_the_same_parameters_predicts():
    model, layer = LinearRegression(), nn.Linear(1, 1)
    layer.load_state_dict({"weight": model.weight.detach().view(1, 1), "bias": model.bias.detach()})
    x = torch.randn(100, 1)
    assert torch.allclose(model(x), layer(x), rtol=1e-5, atol=1e-5)


def test_both_parameters_receive_their_gradient():
    model = LinearRegression()
    (model(torch.tensor([[3.0]])) * 2).backward()  # the gradient of 2 * (3 * weight + bias)
    assert model.weight.grad.item() == pytest.approx(6)
    assert model.bias.grad.item() == pytest.approx(2)
