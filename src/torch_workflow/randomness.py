"""The random states that a run draws from: all that must be kept for it to go on exactly."""

import random
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import torch


def generators_of(*loaders: Iterable[object]) -> list[torch.Generator]:
    """The generators that loaders, their samplers and their data sets draw from, each listed once.

    Args:
        loaders: `batches`, a `DataLoader`, or anything with a `generator` attribute. One without
            draws from PyTorch's own generator, which is not listed.

    Examples:
        >>> from torch import Generator
        >>> from torch_workflow import batches, generators_of, straight_line
        >>> seeded = Generator().manual_seed(42)
        >>> train = batches(*straight_line(), shuffle=True, generator=seeded)
        >>> generators_of(train) == [seeded]
        True
    """
    found: dict[int, torch.Generator] = {}
    holders: list[object] = list(loaders)
    for holder in holders:  # grows by what they hold
        generator = getattr(holder, "generator", None)
        if isinstance(generator, torch.Generator):
            found[id(generator)] = generator
        parts = (getattr(holder, name, None) for name in ("sampler", "batch_sampler", "dataset"))
        holders += [part for part in parts if part is not None]
    return list(found.values())


def random_states(
    device: torch.device, generators: Sequence[torch.Generator] = ()
) -> dict[str, Any]:
    """The states of PyTorch's generators, of Python's and NumPy's, and of those given.

    Args:
        device: Where the model is; the state of an accelerator's generator is kept too.
        generators: Others that the run draws from.

    Returns:
        Numbers, text, plain containers and tensors, as `torch.load(weights_only=True)` admits.
        NumPy's state is None where its random numbers have not been imported.
    """
    accelerator = None
    if device.type != "cpu":
        accelerator = torch.get_device_module(device).get_rng_state(device)
    numpy_random = sys.modules.get("numpy.random")
    numpy_state = None
    if numpy_random is not None:
        numpy_state = numpy_random.get_state()
        if isinstance(numpy_state, tuple):
            kind, key, *rest = numpy_state
            numpy_state = (kind, torch.from_numpy(key), *rest)
    version, words, *rest = random.getstate()
    return {
        "torch": torch.get_rng_state(),
        "device": device.type,
        "accelerator": accelerator,
        "python": (version, torch.tensor(words, device="cpu"), *rest),
        "numpy": numpy_state,
        "generators": [generator.get_state() for generator in generators],
    }


def restore_random_states(
    states: dict[str, Any], device: torch.device, generators: Sequence[torch.Generator] = ()
) -> None:
    """Put back what `random_states` returned, all of it or nothing.

    Args:
        states: What `random_states` returned.
        device: Where the model is.
        generators: As many as when the states were taken, in the same order.

    Raises:
        ValueError: The states are of another kind of device, or of other generators.
    """
    if states["device"] != device.type:
        raise ValueError(
            f"the run drew its random numbers on {states['device']}, the model is on "
            f"{device.type}: move the model to {states['device']} to go on exactly"
        )
    sizes = [state.numel() for state in states["generators"]]
    if len(sizes) != len(generators):
        raise ValueError(
            f"the run shuffled with {len(sizes)} generators, here are {len(generators)}: "
            "give the loaders as many as they had"
        )
    if sizes != [generator.get_state().numel() for generator in generators]:
        raise ValueError(
            "the run shuffled with generators of other devices: make them as they were made then"
        )
    torch.set_rng_state(states["torch"])
    if states["accelerator"] is not None:
        torch.get_device_module(device).set_rng_state(states["accelerator"], device)
    version, words, *rest = states["python"]
    random.setstate((version, tuple(words.tolist()), *rest))
    numpy_state = states["numpy"]
    if numpy_state is not None:
        import numpy

        if isinstance(numpy_state, tuple):
            kind, key, *rest = numpy_state
            numpy_state = (kind, key.numpy(), *rest)
        numpy.random.set_state(numpy_state)
    for generator, state in zip(generators, states["generators"], strict=True):
        generator.set_state(state)
