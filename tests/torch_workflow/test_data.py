"""Points on a line, the split into three parts, and batches."""

import weakref

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from torch_workflow import batches, split, straight_line


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def numbered_rows(count):
    """Row i is the feature i with the label 10 * i."""
    numbers = torch.arange(count, dtype=torch.float32).unsqueeze(1)
    return numbers, 10 * numbers


def test_the_points_lie_on_the_line_in_equal_steps_from_0_up_to_but_not_including_1():
    features, labels = straight_line(4, weight=2.0, bias=1.0)
    assert features.tolist() == [[0.0], [0.25], [0.5], [0.75]]
    assert labels.tolist() == [[1.0], [1.5], [2.0], [2.5]]


def test_the_default_line_has_50_points_weight_0_7_and_bias_0_3():
    features, labels = straight_line()
    assert features.flatten().tolist() == pytest.approx([i / 50 for i in range(50)])
    assert labels.flatten().tolist() == pytest.approx([0.7 * i / 50 + 0.3 for i in range(50)])


@pytest.mark.parametrize("count", [1, 7])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_features_and_labels_are_float32_columns(count, noise):
    rows = straight_line(count, noise=noise)
    for column in (rows.features, rows.labels):
        assert column.shape == (count, 1)
        assert column.dtype == torch.float32


def test_noise_has_the_standard_deviation_asked_for_and_mean_0():
    count, noise = 100_000, 0.25
    clean = straight_line(count).labels
    noisy = straight_line(count, noise=noise, generator=seeded(0)).labels
    assert (noisy - clean).std().item() == pytest.approx(noise, rel=0.01)
    assert (noisy - clean).mean().item() == pytest.approx(0, abs=0.01 * noise)


def test_noise_is_added_to_labels_only():
    clean, noisy = straight_line(), straight_line(noise=1.0)
    assert torch.equal(noisy.features, clean.features)


def test_the_same_seed_gives_the_same_noise():
    first = straight_line(noise=1.0, generator=seeded(3))
    again = straight_line(noise=1.0, generator=seeded(3))
    assert torch.equal(first.labels, again.labels)


def test_another_seed_gives_other_noise():
    first = straight_line(noise=1.0, generator=seeded(3))
    other = straight_line(noise=1.0, generator=seeded(4))
    assert not torch.equal(first.labels, other.labels)


def test_noise_without_a_generator_follows_the_global_seed():
    torch.manual_seed(5)
    first = straight_line(noise=1.0)
    torch.manual_seed(5)
    assert torch.equal(straight_line(noise=1.0).labels, first.labels)


@pytest.mark.parametrize("count", [0, -3])
def test_a_line_without_points_is_refused(count):
    with pytest.raises(ValueError, match=f"^count is {count}: a line needs at least 1 point$"):
        straight_line(count)


def test_negative_noise_is_refused():
    with pytest.raises(ValueError, match=r"^noise is -0\.1: a standard deviation is 0 or more$"):
        straight_line(noise=-0.1)


def test_a_split_keeps_60_percent_for_training_unless_told_otherwise():
    parts = split(*straight_line(50))
    assert [len(part.features) for part in parts] == [30, 10, 10]
    assert [len(part.labels) for part in parts] == [30, 10, 10]


@pytest.mark.parametrize(
    ("rows", "validation", "test", "sizes"),
    [
        (10, 0.1, 0.3, [6, 1, 3]),
        (7, 0.2, 0.2, [5, 1, 1]),  # 1.4 rows is 1
        (8, 0.2, 0.2, [4, 2, 2]),  # 1.6 rows is 2
        (3, 1 / 3, 1 / 3, [1, 1, 1]),
    ],
)
def test_fractions_are_rounded_to_whole_rows_and_training_gets_the_rest(
    rows, validation, test, sizes
):
    parts = split(*numbered_rows(rows), validation=validation, test=test)
    assert [len(part.features) for part in parts] == sizes


def test_a_split_puts_each_row_into_exactly_one_part():
    features, labels = numbered_rows(23)
    parts = split(features, labels)
    together = torch.cat([part.features for part in parts])
    assert sorted(together.flatten().tolist()) == list(range(23))


def test_a_split_keeps_each_feature_with_its_label():
    for part in split(*numbered_rows(23)):
        assert torch.equal(part.labels, 10 * part.features)


def test_a_split_shuffles_the_rows():
    features, labels = numbered_rows(50)
    parts = split(features, labels, generator=seeded(0))
    assert not torch.equal(torch.cat([part.features for part in parts]), features)


def test_a_split_leaves_its_input_alone():
    features, labels = numbered_rows(50)
    split(features, labels)
    assert torch.equal(features, numbered_rows(50)[0])
    assert torch.equal(labels, numbered_rows(50)[1])


def test_a_split_keeps_the_shape_of_a_row_and_the_dtype():
    images, classes = torch.zeros(10, 3, 4, 4, dtype=torch.uint8), torch.arange(10)
    train = split(images, classes).train
    assert (train.features.shape, train.features.dtype) == ((6, 3, 4, 4), torch.uint8)
    assert (train.labels.shape, train.labels.dtype) == ((6,), torch.int64)


def test_the_same_seed_splits_the_same_way():
    first = split(*numbered_rows(50), generator=seeded(1))
    again = split(*numbered_rows(50), generator=seeded(1))
    assert all(torch.equal(a.features, b.features) for a, b in zip(first, again, strict=True))


def test_another_seed_splits_another_way():
    first = split(*numbered_rows(50), generator=seeded(1))
    other = split(*numbered_rows(50), generator=seeded(2))
    assert not torch.equal(first.test.features, other.test.features)


def test_a_split_without_a_generator_follows_the_global_seed():
    torch.manual_seed(5)
    first = split(*numbered_rows(50))
    torch.manual_seed(5)
    assert torch.equal(split(*numbered_rows(50)).train.features, first.train.features)


@pytest.mark.parametrize("function", [split, batches])
def test_features_and_labels_of_different_length_are_refused(function):
    message = "^features have 4 rows, labels 3: one label for each row$"
    with pytest.raises(ValueError, match=message):
        function(torch.zeros(4, 1), torch.zeros(3, 1))


@pytest.mark.parametrize(
    ("rows", "fractions", "sizes"),
    [
        (2, {}, "[2, 0, 0]"),
        (10, {"validation": 0.0}, "[8, 0, 2]"),
        (10, {"test": 0.0}, "[8, 2, 0]"),
        (10, {"validation": 0.5, "test": 0.5}, "[0, 5, 5]"),
        (10, {"validation": 0.9, "test": 0.9}, "[-8, 9, 9]"),
        (10, {"validation": -0.2}, "[10, -2, 2]"),
    ],
)
def test_a_split_that_leaves_a_part_without_rows_is_refused(rows, fractions, sizes):
    with pytest.raises(ValueError) as raised:
        split(*numbered_rows(rows), **fractions)
    assert str(raised.value) == (
        f"{rows} rows cut into train, validation and test of {sizes}: "
        "each part needs at least 1 row, so choose other fractions or bring more rows"
    )


def features_of(loader) -> list[list[float]]:
    return [features.flatten().tolist() for features, _ in loader]


def test_unshuffled_batches_come_in_order_and_the_last_may_be_shorter():
    loader = batches(*numbered_rows(5), batch_size=2)
    assert features_of(loader) == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize(("batch_size", "count"), [(1, 5), (2, 3), (5, 1), (9, 1), (None, 1)])
@pytest.mark.parametrize("shuffle", [False, True])
def test_the_length_is_the_number_of_batches(batch_size, count, shuffle):
    loader = batches(*numbered_rows(5), batch_size=batch_size, shuffle=shuffle)
    assert len(loader) == count
    assert len(list(loader)) == count


def test_batches_can_be_taken_again():
    loader = batches(*numbered_rows(5), batch_size=2)
    assert features_of(loader) == features_of(loader)


def test_all_rows_are_one_batch_without_a_batch_size():
    (batch,) = batches(*numbered_rows(5))
    assert torch.equal(batch[0], numbered_rows(5)[0])
    assert torch.equal(batch[1], numbered_rows(5)[1])


def test_the_unshuffled_full_batch_is_not_a_copy():
    features, labels = numbered_rows(5)
    ((batch_features, batch_labels),) = batches(features, labels)
    assert batch_features.data_ptr() == features.data_ptr()
    assert batch_labels.data_ptr() == labels.data_ptr()


def test_unshuffled_batches_are_views_of_the_rows():
    features, labels = numbered_rows(4)
    _, (second_features, second_labels) = batches(features, labels, batch_size=2)
    assert second_features.data_ptr() == features[2:].data_ptr()
    assert second_labels.data_ptr() == labels[2:].data_ptr()


class MemoryInUse(TorchDispatchMode):
    """Adds up the memory of all tensors made since it was entered that are still in use."""

    def __init__(self):
        super().__init__()
        self.made = []
        self.peak = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        self.made += [weakref.ref(x) for x in tree_leaves(result) if isinstance(x, torch.Tensor)]
        in_use = [tensor for reference in self.made if (tensor := reference()) is not None]
        storages = [tensor.untyped_storage() for tensor in in_use]
        sizes = {storage.data_ptr(): storage.nbytes() for storage in storages}
        self.peak = max(self.peak, sum(sizes.values()))
        return result


def test_shuffled_batches_hold_no_more_than_the_order_and_two_batches_in_memory():
    rows, size = 100, 10
    features, labels = torch.zeros(rows, 64), torch.zeros(rows, 1)
    order, batch = 8 * rows, 4 * size * (64 + 1)
    loader = batches(features, labels, batch_size=size, shuffle=True)
    with MemoryInUse() as memory:
        for _batch in loader:
            pass
    assert 0 < memory.peak <= order + 2 * batch


def test_unshuffled_batches_hold_nothing_in_memory_beside_the_rows():
    features, labels = torch.zeros(100, 64), torch.zeros(100, 1)
    with MemoryInUse() as memory:
        for _batch in batches(features, labels, batch_size=10):
            pass
    assert memory.peak == 4 * 100 * (64 + 1)


def test_shuffled_batches_hold_each_row_once():
    loader = batches(*numbered_rows(11), batch_size=4, shuffle=True)
    taken = torch.cat([features for features, _ in loader])
    assert sorted(taken.flatten().tolist()) == list(range(11))


def test_shuffled_batches_have_the_batch_size_except_the_last():
    loader = batches(*numbered_rows(11), batch_size=4, shuffle=True)
    assert [len(features) for features, _ in loader] == [4, 4, 3]


@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_keep_each_feature_with_its_label(shuffle):
    for features, labels in batches(*numbered_rows(11), batch_size=4, shuffle=shuffle):
        assert torch.equal(labels, 10 * features)


def test_the_order_changes_every_epoch():
    loader = batches(*numbered_rows(50), batch_size=10, shuffle=True, generator=seeded(0))
    epochs = [features_of(loader) for _ in range(3)]
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]


def test_the_same_seed_gives_the_same_orders():
    first = batches(*numbered_rows(50), shuffle=True, generator=seeded(0))
    again = batches(*numbered_rows(50), shuffle=True, generator=seeded(0))
    for _ in range(3):
        assert features_of(first) == features_of(again)


def test_a_shuffle_without_a_generator_follows_the_global_seed():
    loader = batches(*numbered_rows(50), shuffle=True)
    torch.manual_seed(5)
    first = features_of(loader)
    torch.manual_seed(5)
    assert features_of(loader) == first


def test_batches_keep_the_shape_of_a_row_and_the_dtype():
    images, classes = torch.zeros(4, 3, 2, 2, dtype=torch.uint8), torch.arange(4)
    for features, labels in batches(images, classes, batch_size=2, shuffle=True):
        assert (features.shape, features.dtype) == ((2, 3, 2, 2), torch.uint8)
        assert (labels.shape, labels.dtype) == ((2,), torch.int64)


def test_batches_of_no_rows_are_refused():
    with pytest.raises(ValueError, match=r"^features have 0 rows: batches need at least 1$"):
        batches(torch.zeros(0, 1), torch.zeros(0, 1))


@pytest.mark.parametrize("elsewhere", ["features", "labels"])
def test_features_and_labels_on_different_devices_are_refused(elsewhere):
    rows = straight_line(4)
    rows = rows._replace(**{elsewhere: getattr(rows, elsewhere).to("meta")})
    with pytest.raises(ValueError) as raised:
        batches(*rows)
    assert str(raised.value) == (
        f"features are on {rows.features.device}, labels on {rows.labels.device}: "
        "move both to one device with .to()"
    )


@pytest.mark.parametrize("batch_size", [0, -1])
def test_a_batch_size_below_1_is_refused(batch_size):
    message = f"^batch_size is {batch_size}: a batch has at least 1 row$"
    with pytest.raises(ValueError, match=message):
        batches(*numbered_rows(5), batch_size=batch_size)
