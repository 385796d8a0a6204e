"""The random states of a run: which generators its loaders have, and how states are put back."""

import random
import sys

import numpy as np
import pytest
import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from torch_workflow import batches, straight_line
from torch_workflow.randomness import generators_of, random_states, restore_random_states

LINE = straight_line(8)
ROWS = TensorDataset(*LINE)
CPU = torch.device("cpu")


def generator(seed=0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draws(*generators) -> list:
    """The numbers that come next, from everywhere."""
    return [
        torch.rand(3).tolist(),
        random.random(),
        np.random.random(3).tolist(),
        *(torch.rand(3, generator=generator).tolist() for generator in generators),
    ]


@pytest.fixture(autouse=True)
def numpy_draws():
    """NumPy imports its random numbers only when they are first used."""
    np.random.random()


# generators_of

ONE = {
    "batches": lambda one: batches(*LINE, shuffle=True, generator=one),
    "DataLoader": lambda one: DataLoader(ROWS, shuffle=True, generator=one),
    "RandomSampler": lambda one: DataLoader(ROWS, sampler=RandomSampler(ROWS, generator=one)),
    "WeightedRandomSampler": lambda one: DataLoader(
        ROWS, sampler=WeightedRandomSampler([1.0] * 8, 8, generator=one)
    ),
    "SubsetRandomSampler": lambda one: DataLoader(
        ROWS, sampler=SubsetRandomSampler([1, 2], generator=one)
    ),
    "sampler of a batch sampler": lambda one: DataLoader(
        ROWS, batch_sampler=BatchSampler(RandomSampler(ROWS, generator=one), 2, drop_last=False)
    ),
    "sampler that yields batches": lambda one: DataLoader(
        ROWS,
        batch_size=None,
        sampler=BatchSampler(RandomSampler(ROWS, generator=one), 2, drop_last=False),
    ),
}


@pytest.mark.parametrize("loader", ONE.values(), ids=ONE)
def test_the_generator_of_a_loader_is_found(loader):
    one = generator()
    assert generators_of(loader(one)) == [one]


@pytest.mark.parametrize("loader", ONE.values(), ids=ONE)
def test_a_loader_without_a_generator_has_none(loader):
    assert generators_of(loader(None)) == []


def test_a_list_of_batches_has_no_generator():
    assert generators_of([LINE, LINE]) == []


def test_the_generators_of_a_loader_and_of_its_sampler_are_both_found():
    one, other = generator(1), generator(2)
    loader = DataLoader(ROWS, sampler=RandomSampler(ROWS, generator=one), generator=other)
    assert set(generators_of(loader)) == {one, other}


def test_generators_come_in_the_order_of_the_loaders():
    one, other = generator(1), generator(2)
    first, second = ONE["batches"](one), ONE["DataLoader"](other)
    assert generators_of(first, second) == [one, other]
    assert generators_of(second, first) == [other, one]


def test_a_generator_that_several_loaders_share_is_found_once():
    one = generator()
    assert generators_of(*(loader(one) for loader in ONE.values())) == [one]


def test_looking_for_generators_draws_nothing():
    one = generator()
    states = random_states(CPU, [one])
    generators_of(*(loader(one) for loader in ONE.values()))
    before = draws(one)
    restore_random_states(states, CPU, [one])
    assert draws(one) == before


# random_states and restore_random_states


def test_the_same_numbers_come_again_after_restoring():
    one, other = generator(1), generator(2)
    states = random_states(CPU, [one, other])
    expected = draws(one, other)
    restore_random_states(states, CPU, [one, other])
    assert draws(one, other) == expected


def test_a_state_is_not_changed_by_what_is_drawn_after_it_was_taken():
    one = generator()
    states = random_states(CPU, [one])
    expected = draws(one)
    for _ in range(2):
        draws(one)
        restore_random_states(states, CPU, [one])
    assert draws(one) == expected


def test_a_state_taken_in_the_middle_of_a_pair_of_normal_numbers_gives_the_second():
    random.gauss()
    np.random.standard_normal()  # both draw two and keep one
    torch.randn(1)
    states = random_states(CPU)
    expected = [random.gauss(), np.random.standard_normal(), torch.randn(1).item()]
    draws()
    restore_random_states(states, CPU)
    assert [random.gauss(), np.random.standard_normal(), torch.randn(1).item()] == expected


def test_states_pass_through_a_file_that_may_hold_no_code(tmp_path):
    one = generator()
    torch.save(random_states(CPU, [one]), tmp_path / "states.pt")
    expected = draws(one)
    restore_random_states(torch.load(tmp_path / "states.pt", weights_only=True), CPU, [one])
    assert draws(one) == expected


def test_states_can_be_put_into_other_generators():
    one, other = generator(1), generator(2)
    states = random_states(CPU, [one])
    restore_random_states(states, CPU, [other])
    assert torch.equal(torch.rand(3, generator=other), torch.rand(3, generator=one))


def test_taking_states_draws_nothing():
    one = generator()
    states = random_states(CPU, [one])
    expected = draws(one)
    restore_random_states(states, CPU, [one])
    random_states(CPU, [one])
    assert draws(one) == expected


def test_a_run_that_has_not_imported_numpys_random_numbers_leaves_them_alone(monkeypatch):
    with monkeypatch.context() as patch:
        patch.delitem(sys.modules, "numpy.random")
        states = random_states(CPU)
    now = np.random.get_state()
    expected = np.random.random(3).tolist()
    np.random.set_state(now)
    restore_random_states(states, CPU)
    assert np.random.random(3).tolist() == expected


REFUSED = pytest.mark.parametrize(
    ("change", "count", "sentence"),
    [
        ({}, 0, "1 generators, here are 0"),
        ({}, 2, "1 generators, here are 2"),
        ({"device": "cuda"}, 1, "on cuda.* on cpu"),
        ({"generators": [torch.zeros(16, dtype=torch.uint8)]}, 1, "generators of other devices"),
    ],
    ids=["no generator", "a generator too many", "another device", "another kind of generator"],
)


@REFUSED
def test_states_that_do_not_fit_are_refused(change, count, sentence):
    states = random_states(CPU, [generator()]) | change
    with pytest.raises(ValueError, match=sentence):
        restore_random_states(states, CPU, [generator(seed) for seed in range(count)])


@REFUSED
def test_states_that_do_not_fit_change_nothing(change, count, sentence):
    states = random_states(CPU, [generator()]) | change
    generators = [generator(seed) for seed in range(count)]
    torch.rand(1), random.random(), np.random.random()
    now = random_states(CPU, generators)
    expected = draws(*generators)
    restore_random_states(now, CPU, generators)
    with pytest.raises(ValueError):
        restore_random_states(states, CPU, generators)
    assert draws(*generators) == expected
