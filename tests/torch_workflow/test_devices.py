"""The best device, a model's device and moving a batch. The meta device stands for a second one."""

import pytest
import torch
from torch import nn

from torch_workflow import LinearRegression, best_device, device_of, move

CPU, OTHER = torch.device("cpu"), torch.device("meta")


def test_the_best_device_is_the_cpu_exactly_where_there_is_no_accelerator():
    assert (best_device() == CPU) is not torch.accelerator.is_available()


def test_the_best_device_can_hold_a_model():
    device = best_device()
    assert device_of(LinearRegression().to(device)).type == device.type


@pytest.mark.parametrize("device", [CPU, OTHER])
def test_a_model_is_on_the_device_of_its_first_parameter(device):
    assert device_of(LinearRegression().to(device)) == device


def test_a_model_without_parameters_is_on_the_cpu():
    assert device_of(nn.Flatten()) == CPU


def test_moving_brings_every_tensor_of_a_batch_to_the_device():
    moved = move([torch.zeros(2, 1), torch.zeros(2), torch.zeros(3)], OTHER)
    assert [tensor.device for tensor in moved] == [OTHER] * 3


def test_moving_keeps_order_shapes_and_dtypes():
    features, labels = move([torch.zeros(2, 1), torch.zeros(2, dtype=torch.int64)], OTHER)
    assert (features.shape, features.dtype) == ((2, 1), torch.float32)
    assert (labels.shape, labels.dtype) == ((2,), torch.int64)


def test_a_tensor_that_is_there_already_is_not_copied():
    batch = (torch.zeros(2, 1), torch.zeros(2, 1))
    moved = move(batch, CPU)
    assert all(after is before for after, before in zip(moved, batch, strict=True))
