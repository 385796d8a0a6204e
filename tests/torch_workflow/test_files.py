"""Files that were damaged on the way, or are something else: refused, or what was saved."""

import pickle
import random
import re
import struct
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from torch_workflow import (
    History,
    LinearRegression,
    load_checkpoint,
    load_model,
    save_checkpoint,
    save_model,
)

DIRECTORY = 0x10  # the bit in the attributes of a zip entry


def line_model(weight=0.0) -> LinearRegression:
    model = LinearRegression()
    model.load_state_dict({"weight": torch.tensor([weight]), "bias": torch.tensor([-weight])})
    return model


class Target:
    """What a file of one kind is loaded into."""

    def __init__(self, kind):
        self.kind = kind
        self.clear()

    def clear(self, weight=0.0):
        self.model, self.history = line_model(weight), History()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.5, momentum=0.9)

    def train(self):
        for epoch in range(3):
            (self.model.weight * self.model.bias).sum().backward()
            self.optimizer.step()
            self.history.append(1 / (epoch + 1), 2.0, 0.5)

    def save(self, path):
        if self.kind == "weights":
            save_model(self.model, path)
        else:
            save_checkpoint(path, self.model, self.optimizer, self.history)

    def load(self, path):
        if self.kind == "weights":
            load_model(self.model, path)
        else:
            load_checkpoint(path, self.model, self.optimizer, self.history)

    def contents(self):
        """All that loading changes."""
        weights = [parameter.item() for parameter in self.model.parameters()]
        if self.kind == "weights":
            return weights
        momentum = [state["momentum_buffer"].item() for state in self.optimizer.state.values()]
        numpy_state = np.random.get_state()
        return (
            weights,
            momentum,
            self.optimizer.param_groups[0]["lr"],
            self.history.state_dict(),
            torch.get_rng_state().numpy().tobytes(),
            random.getstate(),
            (numpy_state[1].tobytes(), numpy_state[2:]),
        )


class Saved:
    """A small file of one kind, and what is in it."""

    def __init__(self, kind, folder):
        self.target, self.path = Target(kind), folder / "damaged"
        np.random.seed(3)
        self.target.clear(weight=1.5)
        self.target.train()
        self.target.save(self.path)
        self.contents = self.target.contents()
        self.bytes = self.path.read_bytes()
        self.target.clear()

    def write(self, damaged):
        """In place, for emptying a file first can make the file system wait for the disk."""
        with self.path.open("r+b") as file:
            file.write(damaged)
            file.truncate()

    def complaint(self, damaged) -> str | None:
        """What is wrong with how a damaged file is loaded; None if it is refused or as saved."""
        self.write(damaged)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                self.target.load(self.path)
            except ValueError as error:
                message = str(error)
                if str(self.path) not in message or "\n" in message:
                    return f"the message is {message!r}"
            except Exception as error:
                return f"raises {error!r}"
            else:
                found = self.target.contents()
                self.target.clear()
                if found != self.contents:
                    return "loads something else"
        if warned:
            return f"warns: {warned[0].message}"
        return None

    def complaints(self, files) -> list[str]:
        """What is wrong with how each of many damaged files is loaded."""
        found = [(how, self.complaint(damaged)) for how, damaged in files]
        return [f"{how}: {complaint}" for how, complaint in found if complaint is not None]


@pytest.fixture(scope="module", params=["weights", "checkpoint"])
def saved(request, tmp_path_factory) -> Saved:
    return Saved(request.param, tmp_path_factory.mktemp("damaged"))


# Damage


def structure_of(whole) -> list[int]:
    """Where a file says how it is built, rather than holding the contents."""
    if not whole.startswith(b"PK"):
        (length,) = struct.unpack("<Q", whole[:8])
        return list(range(8 + length))
    starts = [found for found in range(len(whole)) if whole[found : found + 4] == b"PK\3\4"]
    heads = [index for start in starts for index in range(start, start + 64)]
    return [*heads, *range(whole.index(b"PK\1\2"), len(whole))]


def truncated(whole):
    for length in range(len(whole)):
        yield f"the first {length} bytes", whole[:length]


def beheaded(whole):
    for length in [*range(1, 65), len(whole) // 2, len(whole) - 1]:
        yield f"without the first {length} bytes", whole[length:]


def with_a_byte_flipped(whole):
    for mask in (0xFF, 0x01, 0x10, 0x20, 0x6F):
        for index in range(len(whole)) if mask == 0xFF else structure_of(whole):
            damaged = bytearray(whole)
            damaged[index] ^= mask
            yield f"byte {index} xor {mask:#x}", damaged


def with_bytes_inserted(whole):
    for index in chosen_places(whole, 150):
        for extra in (b"\0", b"\n", b"}", b"PK", bytes(8), bytes(64)):
            yield f"{extra!r} inserted at {index}", whole[:index] + extra + whole[index:]


def with_bytes_deleted(whole):
    for index in chosen_places(whole, 150):
        for length in (1, 2, 4, 16, 64):
            yield f"{length} bytes deleted at {index}", whole[:index] + whole[index + length :]


def with_blocks_swapped(whole):
    places = chosen_places(whole, 300)
    for first, second in zip(places, places[1:] + places[:1], strict=True):
        first, second = sorted((first, second))
        length = min(16, second - first, len(whole) - second)
        damaged = bytearray(whole)
        damaged[first : first + length] = whole[second : second + length]
        damaged[second : second + length] = whole[first : first + length]
        yield f"{length} bytes swapped at {first} and {second}", damaged


def with_a_block_overwritten(whole):
    for index in chosen_places(whole, 150):
        for length in (1, 4, 16, 512):
            for fill in (b"\0", b"\xff"):
                length = min(length, len(whole) - index)
                rest = whole[index + length :]
                yield (
                    f"{length} bytes overwritten with {fill!r} at {index}",
                    whole[:index] + fill * length + rest,
                )


def with_some_bytes_changed(whole):
    chance = random.Random(5)
    for where in (range(len(whole)), structure_of(whole)):
        for _ in range(700):
            damaged = bytearray(whole)
            count = chance.choice((2, 3, 8))
            changes = {chance.choice(where): chance.randrange(256) for _ in range(count)}
            for index, value in changes.items():
                damaged[index] = value
            yield f"changed to {changes}", damaged


def with_bytes_appended(whole):
    chance = random.Random(6)
    for length in (1, 2, 8, 22, 100, 70_000):
        for extra in (bytes(length), chance.randbytes(length), whole[:length], whole[-length:]):
            yield f"{extra[:20]!r}... appended", whole + extra
    yield "twice", whole + whole
    yield "nothing before", b"\0" * 512 + whole


def chosen_places(whole, count) -> list[int]:
    structure = structure_of(whole)
    chance = random.Random(7)
    return chance.sample(range(len(whole)), min(count, len(whole))) + chance.sample(
        structure, min(count, len(structure))
    )


DAMAGE = [
    truncated,
    beheaded,
    with_a_byte_flipped,
    with_bytes_inserted,
    with_bytes_deleted,
    with_blocks_swapped,
    with_a_block_overwritten,
    with_some_bytes_changed,
    with_bytes_appended,
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_refused_in_one_line_that_names_it_or_loads_as_it_was(saved, damage):
    assert saved.complaints(damage(saved.bytes)) == []


@pytest.mark.parametrize("damage", [truncated, with_a_byte_flipped])
def test_a_damaged_file_that_is_refused_changes_nothing(saved, damage):
    target, changed = Target(saved.target.kind), []
    for how, damaged in list(damage(saved.bytes))[::29]:
        before = target.contents()
        saved.path.write_bytes(damaged)
        try:
            target.load(saved.path)
        except ValueError:
            if target.contents() != before:
                changed.append(how)
    assert changed == []


def test_a_damaged_checkpoint_is_not_said_to_hold_code(tmp_path):
    saved, said = Saved("checkpoint", tmp_path), []
    for index in structure_of(saved.bytes)[::3]:
        damaged = bytearray(saved.bytes)
        damaged[index] ^= 0xFF
        saved.path.write_bytes(damaged)
        try:
            saved.target.load(saved.path)
        except ValueError as error:
            said.append(str(error))
    assert [sentence for sentence in said if "holds more than weights" in sentence] == []


def test_a_record_that_a_flipped_bit_makes_a_folder_is_refused(tmp_path):
    saved, entries = Saved("checkpoint", tmp_path), 0
    for index in range(len(saved.bytes)):
        if saved.bytes[index : index + 4] == b"PK\1\2":
            damaged = bytearray(saved.bytes)
            damaged[index + 38] |= DIRECTORY  # which zipfile ignores, and torch.load reads nothing
            saved.path.write_bytes(damaged)
            with pytest.raises(ValueError, match="damaged"):
                saved.target.load(saved.path)
            entries += 1
    assert entries > 5


def test_weights_with_exchanged_names_are_refused(tmp_path):
    saved = Saved("weights", tmp_path)
    names = {b'"bias"': b'"?"', b'"weight"': b'"bias"', b'"?"': b'"weight"'}
    exchanged = saved.bytes
    for name, other in names.items():
        exchanged = exchanged.replace(name, other)
    saved.path.write_bytes(exchanged)
    with pytest.raises(ValueError, match="damaged"):
        saved.target.load(saved.path)


@pytest.mark.parametrize(
    ("old", "new"), [(b'"F32"', b'"I32"'), (b'"bias"', b'"bial"')], ids=["type", "name"]
)
def test_a_flipped_letter_in_the_header_of_weights_is_damage_and_not_another_model(
    tmp_path, old, new
):
    saved = Saved("weights", tmp_path)
    saved.write(saved.bytes.replace(old, new))
    with pytest.raises(ValueError, match="is damaged: its contents have the checksum"):
        saved.target.load(saved.path)


# The checksum of weights


def damage_the_last_number(path):
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))


def test_a_single_bit_in_the_weights_is_noticed(tmp_path):
    saved = Saved("weights", tmp_path)
    saved.path.write_bytes(saved.bytes)
    damage_the_last_number(saved.path)
    with pytest.raises(ValueError, match="is damaged: its contents have the checksum"):
        load_model(line_model(), saved.path)


def test_a_checksum_is_not_compared_where_nobody_asks(tmp_path):
    saved = Saved("weights", tmp_path)
    damage_the_last_number(saved.path)
    model = line_model()
    load_model(model, saved.path, verify=False)
    weight, bias = saved.contents
    assert model.weight.item() != weight  # it is the last in the file
    assert model.bias.item() == bias


def test_weights_of_another_program_are_refused_for_they_have_no_checksum(tmp_path):
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file(line_model(1.0).state_dict(), path)
    with pytest.raises(ValueError) as raised:
        load_model(line_model(), path)
    assert str(path) in str(raised.value)
    assert "verify=False" in str(raised.value)


def test_weights_of_another_program_are_loaded_unverified(tmp_path):
    model = line_model()
    safetensors.torch.save_file(line_model(1.0).state_dict(), tmp_path / "model.safetensors")
    load_model(model, tmp_path / "model.safetensors", verify=False)
    assert (model.weight.item(), model.bias.item()) == (1.0, -1.0)


# Other files


class Hostile:
    """Creates a file as soon as it is unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return Path.touch, (self.trace,)


def add_records(path, mode, *names):
    """As torch.save would, without attributes."""
    with zipfile.ZipFile(path, mode) as archive:
        for name in names:
            archive.writestr(name, "1")
        for record in archive.infolist():
            record.external_attr = 0


def write_zip(*names):
    return lambda path: add_records(path, "w", *names)


def write_archive_of_a_script(path):
    """What TorchScript saves, as far as torch.load looks at it."""
    torch.save({}, path)
    add_records(path, "a", f"{path.name}/constants.pkl")


def write(content):
    return lambda path: path.write_bytes(content)


def save(content, **options):
    return lambda path: torch.save(content(path), path, **options)


OTHERS = {
    "an empty file": write(b""),
    "text": write(b"epoch,loss\n1,0.5\n" * 100),
    "one byte": write(b"P"),
    "an image": write(b"\x89PNG\r\n\x1a\n" + bytes(200)),
    "zeros": write(bytes(10_000)),
    "an absurd header length": write(struct.pack("<Q", 2**63 - 1) + b"{}"),
    "a large header length": write(struct.pack("<Q", 10**8) + b"{}" + bytes(1000)),
    "a header that is no object": write(struct.pack("<Q", 2) + b"[]"),
    "a zip of text": write_zip("notes.txt", "more/notes.txt"),
    "an empty zip": write_zip(),
    "a zip with a pickle of nothing": write_zip("archive/data.pkl", "archive/version"),
    "a script": write_archive_of_a_script,
    "a tensor": save(lambda path: torch.ones(3)),
    "a tensor in the old format": save(
        lambda path: torch.ones(3), _use_new_zipfile_serialization=False
    ),
    "a dict in the old format": save(
        lambda path: {"format": 3}, _use_new_zipfile_serialization=False
    ),
    "a format and nothing else": save(lambda path: {"format": 3}),
    "a whole module": save(lambda path: nn.Linear(1, 1)),
    "a whole module in the old format": save(
        lambda path: nn.Linear(1, 1), _use_new_zipfile_serialization=False
    ),
    "code": save(lambda path: {"format": 3, "model": Hostile(path.with_name("it ran"))}),
    "code in the old format": save(
        lambda path: {"format": 3, "model": Hostile(path.with_name("it ran"))},
        _use_new_zipfile_serialization=False,
    ),
    "code in a bare pickle": lambda path: path.write_bytes(
        pickle.dumps(Hostile(path.with_name("it ran")), protocol=2)
    ),
}
OTHER_FILES = pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
BOTH_KINDS = pytest.mark.parametrize("kind", ["weights", "checkpoint"])


@OTHER_FILES
@BOTH_KINDS
def test_another_file_is_refused_in_one_line_that_names_it(tmp_path, kind, other):
    path = tmp_path / "file"
    other(path)
    with pytest.raises(ValueError) as raised:
        Target(kind).load(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


@OTHER_FILES
@BOTH_KINDS
def test_another_file_is_refused_without_a_warning(tmp_path, recwarn, kind, other):
    other(tmp_path / "file")
    recwarn.clear()
    with pytest.raises(ValueError):
        Target(kind).load(tmp_path / "file")
    assert [str(warning.message) for warning in recwarn] == []


@OTHER_FILES
@BOTH_KINDS
def test_no_code_of_another_file_is_run(tmp_path, kind, other):
    other(tmp_path / "file")
    with pytest.raises(ValueError):
        Target(kind).load(tmp_path / "file")
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.parametrize("how", ["code", "code in the old format", "code in a bare pickle"])
def test_that_code_runs_where_nothing_refuses_it(tmp_path, how):
    OTHERS[how](tmp_path / "file")
    if how == "code in a bare pickle":
        pickle.loads((tmp_path / "file").read_bytes())
    else:
        torch.load(tmp_path / "file", weights_only=False)
    assert (tmp_path / "it ran").exists()


@pytest.mark.parametrize("how", ["a whole module", "code"])
def test_a_file_with_code_is_refused_for_what_it_holds(tmp_path, how):
    OTHERS[how](tmp_path / "file")
    with pytest.raises(ValueError, match="holds more than weights and plain containers"):
        Target("checkpoint").load(tmp_path / "file")


@pytest.mark.parametrize(
    "how",
    ["a zip of text", "an empty zip", "a script"],
)
def test_a_zip_without_code_is_not_said_to_hold_any(tmp_path, how):
    OTHERS[how](tmp_path / "file")
    with pytest.raises(ValueError) as raised, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Target("checkpoint").load(tmp_path / "file")
    assert "holds more than weights" not in str(raised.value)


@BOTH_KINDS
def test_a_file_of_the_other_kind_is_refused(tmp_path, kind):
    saved = Saved({"weights": "checkpoint", "checkpoint": "weights"}[kind], tmp_path)
    with pytest.raises(ValueError, match=re.escape(str(saved.path))):
        Target(kind).load(saved.path)


@BOTH_KINDS
def test_a_folder_is_refused_as_a_folder(tmp_path, kind):
    with pytest.raises((IsADirectoryError, PermissionError)):  # the latter on Windows
        Target(kind).load(tmp_path)


@BOTH_KINDS
def test_a_missing_file_is_not_found(tmp_path, kind):
    with pytest.raises(FileNotFoundError, match="missing"):
        Target(kind).load(tmp_path / "missing")
