"""Predictions from a trained model."""

import pytest
import torch
from torch import nn

from torch_workflow import LinearRegression, evaluation_mode, predict


class Echo(nn.Module):
    """Has a device, because it has a parameter, and predicts its features as they arrive."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        return x


class Broken(nn.Module):
    def forward(self, x):
        raise RuntimeError("broken")


def test_predictions_are_what_the_model_says_of_each_row():
    model = LinearRegression()
    model.load_state_dict({"weight": torch.tensor([2.0]), "bias": torch.tensor([1.0])})
    assert predict(model, torch.tensor([[0.0], [3.0]])).tolist() == [[1.0], [7.0]]


def test_predictions_have_the_shape_that_the_model_makes():
    assert predict(nn.Linear(3, 2), torch.zeros(5, 3)).shape == (5, 2)


def test_the_model_is_in_evaluation_mode_while_it_predicts():
    model = nn.Dropout(1.0)  # in training mode every value becomes 0
    model.train()
    assert predict(model, torch.ones(3, 1)).tolist() == [[1.0]] * 3


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_back_in_its_mode_afterwards(training):
    model = nn.Sequential(LinearRegression(), nn.Dropout())
    model.train(training)
    predict(model, torch.zeros(3, 1))
    assert [module.training for module in model.modules()] == [training] * 3


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_back_in_its_mode_when_it_raises(training):
    model = nn.Sequential(Broken(), nn.Dropout())
    model.train(training)
    with pytest.raises(RuntimeError, match="broken"):
        predict(model, torch.zeros(3, 1))
    assert [module.training for module in model.modules()] == [training] * 3


def test_a_part_frozen_in_evaluation_mode_stays_there():
    model = nn.Sequential(LinearRegression(), nn.BatchNorm1d(1))
    model.train()
    model[1].eval()
    predict(model, torch.zeros(3, 1))
    assert not model[1].training


def test_every_module_is_in_evaluation_mode_within_and_in_its_own_afterwards():
    model = nn.Sequential(LinearRegression(), nn.BatchNorm1d(1))
    model[1].eval()
    with evaluation_mode(model):
        within = [module.training for module in model.modules()]
    assert within == [False, False, False]
    assert [module.training for module in model.modules()] == [True, True, False]


def test_predictions_need_no_gradient():
    assert not predict(LinearRegression(), torch.zeros(3, 1)).requires_grad


def test_nothing_is_recorded_for_gradients_even_for_features_that_require_them():
    features = torch.zeros(3, 1, requires_grad=True)
    assert predict(LinearRegression(), features).grad_fn is None


def test_the_model_trains_on_as_before_after_it_has_predicted():
    model, features = LinearRegression(), torch.ones(3, 1)
    predict(model, features)
    model(features).sum().backward()
    assert model.bias.grad.item() == 3


def test_features_are_brought_to_the_device_of_the_model():
    model = Echo().to("meta")  # a second device that every machine has
    assert predict(model, torch.zeros(3, 1)).device.type == "meta"
