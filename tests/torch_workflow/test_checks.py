"""What fit refuses before it trains, what it must not refuse, and that trying changes nothing."""

import math
import random
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
    SubsetRandomSampler,
    TensorDataset,
)

from torch_workflow import (
    History,
    LinearRegression,
    Rows,
    batches,
    fit,
    split,
    straight_line,
)
from torch_workflow.checks import check_run

LINE = straight_line(8)
FEATURES, LABELS = LINE
COLUMN, FLAT = LABELS, LABELS.squeeze(1)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def run(model=None, train=None, validation=None, loss_function=None, optimizer=None, **options):
    """The arguments of a run, those of a right one where they are left out."""
    model = LinearRegression() if model is None else model
    train = batches(*LINE) if train is None else train
    return {
        "model": model,
        "train": train,
        "validation": train if validation is None else validation,
        "loss_function": loss_function or nn.MSELoss(),
        "optimizer": optimizer or torch.optim.SGD(model.parameters(), lr=0.01),
        "epochs": 2,
        **options,
    }


def with_value(tensor, value, *rows) -> torch.Tensor:
    tensor = tensor.clone()
    tensor[list(rows)] = value
    return tensor


def flat(model=None) -> nn.Module:
    """A model with predictions of shape (n,)."""
    return nn.Sequential(model or nn.Linear(1, 1), nn.Flatten(0))


def squared_error(predictions, labels):
    return ((predictions - labels) ** 2).mean()


class RowByRow(Dataset):
    """Hands out one row after another, of tensors that nobody else sees."""

    def __init__(self, features=FEATURES, labels=LABELS):
        self._rows = Rows(features, labels)

    def __len__(self):
        return len(self._rows.features)

    def __getitem__(self, index):
        return self._rows.features[index], self._rows.labels[index]


class Stream(IterableDataset):
    def __init__(self, features=FEATURES, labels=LABELS):
        self._rows = Rows(features, labels)

    def __iter__(self):
        return iter(zip(*self._rows, strict=True))


class Detached(LinearRegression):
    def forward(self, x):
        return super().forward(x).detach()


class OwnTensor(nn.Linear):
    """Keeps a tensor that does not follow the model to its device."""

    def __init__(self, device):
        super().__init__(1, 1)
        self.own = torch.ones(1, device=device)

    def forward(self, x):
        return super().forward(x) + self.own


def optimizer_of_another_model(model) -> dict:
    return run(model, optimizer=torch.optim.SGD(LinearRegression().parameters(), lr=0.1))


def learned_loss() -> dict:
    model, loss_function = LinearRegression(), LearnedScale()
    parameters = [*model.parameters(), *loss_function.parameters()]
    optimizer = torch.optim.SGD(parameters, lr=0.01)
    return run(model, loss_function=loss_function, optimizer=optimizer)


class LearnedScale(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, predictions, labels):
        return squared_error(predictions, labels) / self.scale**2 + self.scale.log()


# What is refused: for each mistake a run that makes it, and parts of the sentence that names the
# argument, what came, what was expected, and how to mend it.

INT_LABELS = torch.ones(8, 1, dtype=torch.int64)
CLASS_OF_ONE_TOO_MANY = torch.full((8,), 3)

MISTAKES = {
    "features that are nan": (
        lambda: run(train=batches(with_value(FEATURES, math.nan, 5), LABELS)),
        "train features are nan or infinite in 1 of 8 rows, first at index 5: leave these rows out",
    ),
    "labels that are infinite": (
        lambda: run(validation=batches(FEATURES, with_value(LABELS, math.inf, 5))),
        "validation labels are nan or infinite in 1 of 8 rows, first at index 5: ",
    ),
    "features too wide for a layer": (
        lambda: run(nn.Linear(1, 1), batches(torch.ones(8, 3), LABELS)),
        "does not take train features of shape (8, 3)",
        ": compare the shape with the sizes of its layers",
    ),
    "validation features too wide for a layer": (
        lambda: run(nn.Linear(1, 1), validation=batches(torch.ones(8, 3), LABELS)),
        "does not take validation features of shape (8, 3)",
    ),
    "features too wide for the line": (
        lambda: run(train=batches(torch.ones(8, 3), LABELS)),
        "train labels have shape (8, 1), predictions (8, 3): ",
    ),
    "features too wide for the line, a row at a time": (
        lambda: run(train=batches(torch.ones(8, 3), LABELS, batch_size=1)),
        "train labels have shape (1, 1), predictions (1, 3): ",
    ),
    "float64 features for a layer": (
        lambda: run(nn.Linear(1, 1), batches(FEATURES.double(), LABELS)),
        "train features of shape (8, 1) and torch.float64",
        ": convert the features with .to(torch.float32)",
    ),
    "float64 features for the line": (
        lambda: run(train=batches(FEATURES.double(), LABELS)),
        "parameters are torch.float32",
        "gives torch.float64 for train features of shape (8, 1) and torch.float64: ",
        ": convert the features with .to(torch.float32)",
    ),
    "float64 features and labels for the line": (
        lambda: run(train=batches(FEATURES.double(), LABELS.double())),
        "parameters are torch.float32",
        ": convert the features with .to(torch.float32)",
    ),
    "float64 labels": (
        lambda: run(train=batches(FEATURES, LABELS.double())),
        "train labels are torch.float64, predictions torch.float32: "
        "convert the labels with .to(torch.float32)",
    ),
    "float64 labels to validate with": (
        lambda: run(validation=batches(FEATURES, LABELS.double())),
        "validation labels are torch.float64",
    ),
    "integer features for a layer": (
        lambda: run(nn.Linear(1, 1), batches(INT_LABELS, LABELS)),
        "train features of shape (8, 1) and torch.int64",
        ": convert the features with .to(torch.float32)",
    ),
    "float32 features for a model in float64": (
        lambda: run(nn.Linear(1, 1).double()),
        "train features of shape (8, 1) and torch.float32",
        ": convert the features with .to(torch.float64)",
    ),
    "float class numbers": (
        lambda: run(nn.Linear(1, 3), batches(FEATURES, FLAT), loss_function=nn.CrossEntropyLoss()),
        "train labels have shape (8,), predictions (8, 3)",
        "train labels are torch.float32",
        ": give the labels the shape, type and values that it takes",
    ),
    "class numbers in a column": (
        lambda: run(
            nn.Linear(1, 3), batches(FEATURES, INT_LABELS), loss_function=nn.CrossEntropyLoss()
        ),
        "train labels have shape (8, 1), predictions (8, 3)",
        ": give the labels the shape, type and values that it takes",
    ),
    "a class number beyond the last": (
        lambda: run(
            nn.Linear(1, 3),
            batches(FEATURES, CLASS_OF_ONE_TOO_MANY),
            loss_function=nn.CrossEntropyLoss(),
        ),
        "the loss function does not fit",
        "3 is out of bounds",
    ),
    "cross-entropy over one class": (
        lambda: run(loss_function=nn.CrossEntropyLoss()),
        "predictions (8, 1): cross-entropy over one class is always 0: ",
        "an output for each class, or use nn.BCEWithLogitsLoss",
    ),
    "cross-entropy over one class, of class numbers": (
        lambda: run(
            train=batches(FEATURES, INT_LABELS.squeeze(1)), loss_function=nn.CrossEntropyLoss()
        ),
        "predictions (8, 1): cross-entropy over one class is always 0: ",
    ),
    "integers for binary cross-entropy": (
        lambda: run(train=batches(FEATURES, INT_LABELS), loss_function=nn.BCEWithLogitsLoss()),
        "train labels are torch.int64, predictions torch.float32",
        ": give the labels the shape, type and values that it takes",
    ),
    "two predictions for each label": (
        lambda: run(nn.Linear(1, 2), loss_function=nn.MSELoss()),
        "train labels have shape (8, 1), predictions (8, 2): give both the same shape",
    ),
    "two predictions for each label in a flat row": (
        lambda: run(nn.Linear(1, 2), batches(FEATURES, FLAT), loss_function=nn.MSELoss()),
        "train labels have shape (8,), predictions (8, 2): give both the same shape",
    ),
    "a model with a tensor of its own on another device": (
        lambda: run(OwnTensor("meta")),
        "does not take train features of shape (8, 1)",
        ": move the model with .to(), and register its own tensors as buffers",
    ),
    "no rows to train on": (
        lambda: run(train=DataLoader(TensorDataset(FEATURES[:0], LABELS[:0]))),
        "train yields no batch: give it at least one row",
    ),
    "no rows to validate with": (
        lambda: run(validation=DataLoader(TensorDataset(FEATURES[:0], LABELS[:0]))),
        "validation yields no batch: give it at least one row",
    ),
    "a loader that drops its only batch": (
        lambda: run(train=DataLoader(TensorDataset(*LINE), batch_size=9, drop_last=True)),
        "train yields no batch: ",
        "drop_last=False",
    ),
    "an empty list": (lambda: run(train=[]), "train yields no batch: give it at least one row"),
    "a batch without rows": (
        lambda: run(train=[(FEATURES[:0], LABELS[:0])]),
        "train yields a batch without rows: give it at least one",
    ),
    "an optimizer of another model": (
        lambda: optimizer_of_another_model(LinearRegression()),
        "optimizer holds none of the model's parameters: make it from model.parameters()",
    ),
    "a model without parameters": (
        lambda: optimizer_of_another_model(nn.Identity()),
        "optimizer holds none of the model's parameters: ",
    ),
    "an optimizer that needs a closure": (
        lambda: run(model := LinearRegression(), optimizer=torch.optim.LBFGS(model.parameters())),
        "optimizer is LBFGS, which evaluates the loss many times in a step: use one that steps",
    ),
    "a model that detaches its predictions": (
        lambda: run(Detached()),
        "the model's predictions have no gradient: look for detach()",
    ),
    "a loss that undoes the shape of the labels": (
        lambda: run(loss_function=lambda p, y: nn.functional.mse_loss(p.squeeze(1), y)),
        "train labels have shape (8, 1), predictions (8, 1): "
        "the loss function changes one of the shapes",
    ),
    "an optimizer with frozen parameters only": (
        lambda: run(LinearRegression().requires_grad_(False)),
        "optimizer holds only frozen parameters of the model: set requires_grad to True",
    ),
    "0 epochs": (lambda: run(epochs=0), "epochs is 0: ", "whole number of epochs, at least 1"),
    "fewer than 0 epochs": (lambda: run(epochs=-2), "epochs is -2: ", "at least 1"),
    "a fraction of an epoch": (lambda: run(epochs=1.5), "epochs is 1.5: ", "whole number"),
    "no patience": (lambda: run(patience=0), "patience is 0: ", "whole number", "at least 1"),
    "negative patience": (lambda: run(patience=-1), "patience is -1: ", "at least 1"),
    "a fraction of patience": (lambda: run(patience=0.5), "patience is 0.5: ", "whole number"),
    "fewer labels than features": (
        lambda: run(train=[(FEATURES, LABELS[:5])]),
        "train yields 8 rows of features with 5 of labels: one label for each row",
    ),
    "more labels than features": (
        lambda: run(validation=[(FEATURES[:1], LABELS)]),
        "validation yields 1 rows of features with 8 of labels: one label for each row",
    ),
    "a tensor": (
        lambda: run(train=FEATURES),
        "train is a Tensor, which has no batches: pass batches(features, labels) or a DataLoader",
    ),
    "a data set": (
        lambda: run(train=TensorDataset(*LINE)),
        "train is a TensorDataset, which has no batches: ",
    ),
    "a data set that is a stream": (
        lambda: run(train=Stream()),
        "train is a Stream, which has no batches: ",
    ),
    "a pair of features and labels": (
        lambda: run(train=LINE),
        "train is a Rows, which has no batches: pass batches(features, labels)",
    ),
    "a split that is not taken apart": (
        lambda: run(train=split(*LINE)),
        "train is a Split",
        "batches(",
    ),
    "a generator": (
        lambda: run(train=(pair for pair in [LINE])),
        "train is a generator, used up after one epoch: pass a list",
    ),
    "a zip": (
        lambda: run(validation=zip([FEATURES], [LABELS], strict=True)),
        "validation is a zip, used up",
    ),
    "a batch that is a dict": (
        lambda: run(train=[{"features": FEATURES, "labels": LABELS}]),
        "train yields a dict, expected are pairs of tensors, (features, labels)",
    ),
    "a batch of three": (
        lambda: run(train=[(FEATURES, LABELS, LABELS)]),
        "expected are pairs of tensors, (features, labels)",
    ),
    "a batch of features alone": (
        lambda: run(train=DataLoader(TensorDataset(FEATURES), batch_size=8)),
        "expected are pairs of tensors, (features, labels)",
    ),
    "a batch of arrays": (
        lambda: run(train=[(FEATURES.numpy(), LABELS.numpy())]),
        "expected are pairs of tensors, (features, labels)",
    ),
    "a later batch that is a dict": (
        lambda: run(train=[LINE, {"features": FEATURES, "labels": LABELS}]),
        "expected are pairs of tensors, (features, labels)",
    ),
    "a later batch of three": (
        lambda: run(train=[LINE, (FEATURES, LABELS, LABELS)]),
        "expected are pairs of tensors, (features, labels)",
    ),
    "a later batch with fewer labels than features": (
        lambda: run(train=[LINE, (FEATURES, LABELS[:1])]),
        "train batch 1 yields 8 rows of features with 1 of labels: one label for each row",
    ),
    "a loss for each row": (
        lambda: run(loss_function=nn.MSELoss(reduction="none")),
        "the loss function returns shape (8, 1): return a tensor with one number",
    ),
    "a loss that is a float": (
        lambda: run(loss_function=lambda p, y: squared_error(p, y).item()),
        "the loss function returns float: return a tensor with one number",
    ),
    "a loss that is nothing": (
        lambda: run(loss_function=lambda p, y: None),
        "the loss function returns NoneType: return a tensor with one number",
    ),
    "a loss without a gradient": (
        lambda: run(loss_function=lambda p, y: squared_error(p.detach(), y)),
        "without a gradient: compute it from the predictions",
    ),
    "a loss that has no derivative": (
        lambda: run(loss_function=lambda p, y: torch.igamma(p.abs(), y).mean()),
        "the loss function does not fit",
        "derivative",
    ),
    "a loss class that was not called": (
        lambda: run(loss_function=nn.MSELoss),
        "the loss function does not fit",
    ),
}

EVERY_MISTAKE = pytest.mark.parametrize("mistake", MISTAKES)


def refusal(arguments, **options) -> str:
    with pytest.raises(ValueError) as raised:
        fit(**arguments, **options)
    return str(raised.value)


@EVERY_MISTAKE
def test_a_mistake_is_refused_in_one_line_that_says_what_came_and_how_to_mend_it(mistake, tmp_path):
    make, *parts = MISTAKES[mistake]
    message = refusal(make(), checkpoint=tmp_path / "run")
    assert [part for part in parts if part not in message] == [], message
    assert "\n" not in message


@EVERY_MISTAKE
def test_a_mistake_is_refused_before_anything_is_trained(mistake, tmp_path):
    arguments = MISTAKES[mistake][0]()
    parameters = list(arguments["model"].parameters())
    before = [parameter.tolist() for parameter in parameters]
    refusal(arguments, checkpoint=tmp_path / "run")
    assert [parameter.tolist() for parameter in parameters] == before
    assert [parameter.grad for parameter in parameters] == [None] * len(parameters)
    assert not arguments["optimizer"].state


@EVERY_MISTAKE
def test_a_mistake_is_refused_before_a_folder_is_made(mistake, tmp_path):
    refusal(MISTAKES[mistake][0](), checkpoint=tmp_path / "runs" / "first")
    assert list(tmp_path.iterdir()) == []


HOLDERS = {
    "batches": lambda features, labels: batches(features, labels, batch_size=3),
    "shuffled batches": lambda features, labels: batches(features, labels, shuffle=True),
    "DataLoader": lambda features, labels: DataLoader(TensorDataset(features, labels), 3),
    "list": lambda features, labels: [(features[:3], labels[:3]), (features[3:], labels[3:])],
    "tuple": lambda features, labels: ((features[:3], labels[:3]), (features[3:], labels[3:])),
}


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("part", ["train", "validation"])
@pytest.mark.parametrize("kind", ["features", "labels"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_found_in_every_batch_in_memory(holder, part, kind, value):
    rows = LINE._replace(**{kind: with_value(getattr(LINE, kind), value, 7)})
    message = refusal(run(**{part: HOLDERS[holder](*rows)}))
    where = f"{part} batch 1" if holder in ("list", "tuple") else part
    assert message.startswith(f"{where} {kind} are nan or infinite in 1 of ")


@pytest.mark.parametrize("dataset", [RowByRow, Stream])
@pytest.mark.parametrize("part", ["train", "validation"])
@pytest.mark.parametrize("kind", ["features", "labels"])
def test_a_value_that_is_not_finite_is_found_in_the_first_batch_of_other_data(dataset, part, kind):
    rows = LINE._replace(**{kind: with_value(getattr(LINE, kind), math.nan, 1)})
    message = refusal(run(**{part: DataLoader(dataset(*rows), batch_size=4)}))
    assert message.startswith(f"{part} {kind} are nan or infinite in 1 of 4 rows, first at index 1")


def test_rows_are_counted_and_not_values_where_some_are_not_finite():
    features = with_value(torch.ones(8, 2, 3), math.nan, 3, 6)
    message = refusal(run(train=batches(features, LABELS)))
    assert "in 2 of 8 rows, first at index 3" in message


@pytest.mark.parametrize(
    "loss_function",
    [nn.L1Loss(), nn.MSELoss(), nn.SmoothL1Loss(), nn.HuberLoss(), squared_error],
    ids=["L1", "MSE", "smooth L1", "Huber", "by hand"],
)
@pytest.mark.parametrize("part", ["train", "validation"])
@pytest.mark.parametrize(
    ("flatten", "labels", "message"),
    [
        (False, FLAT, "shape (8,), predictions (8, 1): unsqueeze the labels to (8, 1)"),
        (True, COLUMN, "shape (8, 1), predictions (8,): squeeze the labels to (8,)"),
    ],
    ids=["flat labels", "flat predictions"],
)
def test_labels_that_would_be_compared_with_every_prediction_are_refused(
    loss_function, part, flatten, labels, message
):
    model, right = (flat(), FLAT) if flatten else (LinearRegression(), COLUMN)
    loaders = {"train": batches(FEATURES, right), "validation": batches(FEATURES, right)}
    loaders[part] = batches(FEATURES, labels)
    assert f"{part} labels have {message}" in refusal(
        run(model, **loaders, loss_function=loss_function)
    )


def test_a_model_that_was_never_given_memory_is_refused():
    message = refusal(run(nn.Linear(1, 1, device="meta")))
    assert message.startswith("the model is on the meta device")
    assert message.endswith(": make it on another device")


# What is right is trained, with the same bits as by a loop written by hand.


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.last = nn.Embedding(10, 4), nn.Linear(4, 1)

    def forward(self, numbers):
        return self.last(self.words(numbers).mean(1))


class ImageModel(nn.Linear):
    def forward(self, images):
        return super().forward(images.flatten(1).float() / 255)


class TwoAnswers(nn.Linear):
    def forward(self, x):
        y = super().forward(x)
        return y, y.abs()


def quantile_loss(predictions, labels):
    quantiles = torch.tensor([0.1, 0.5, 0.9])
    errors = labels - predictions
    return torch.maximum(quantiles * errors, (quantiles - 1) * errors).mean()


def normal_likelihood(predictions, labels):
    mean, variance = predictions[:, :1], predictions[:, 1:].exp()
    return F.gaussian_nll_loss(mean, labels, variance)


def normal_likelihood_of_flat_labels(predictions, labels):
    return F.gaussian_nll_loss(predictions[:, 0], labels, predictions[:, 1].exp())


def classes(rows, kinds, loss_function=None) -> dict:
    return run(
        nn.Linear(1, kinds),
        batches(straight_line(rows).features, torch.arange(rows) % kinds),
        loss_function=loss_function or nn.CrossEntropyLoss(),
    )


def pixels(rows, kinds, side) -> dict:
    labels = torch.arange(rows * side * side).reshape(rows, side, side) % kinds
    model, features = nn.Conv2d(3, kinds, 1), torch.randn(rows, 3, side, side)
    return run(model, batches(features, labels), loss_function=nn.CrossEntropyLoss())


def partly_frozen(optimize) -> dict:
    model = nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 1))
    model[0].requires_grad_(False)
    optimizer = torch.optim.SGD(optimize(model).parameters(), lr=0.1)
    return run(model, optimizer=optimizer)


def loader(dataset=None, batch_size=3, **options) -> DataLoader:
    return DataLoader(dataset or TensorDataset(*LINE), batch_size, **options)


def in_type(dtype, batch_size=3) -> dict:
    return run(
        nn.Linear(1, 1).to(dtype),
        batches(FEATURES.to(dtype), LABELS.to(dtype), batch_size=batch_size),
    )


RIGHT = {
    "a loss that squeezes the predictions itself": lambda: run(
        train=batches(FEATURES, FLAT), loss_function=lambda p, y: (p.squeeze(1) - y).abs().mean()
    ),
    "a loss that unsqueezes class numbers itself": lambda: run(
        train=batches(FEATURES, (FLAT.mean() < FLAT).long()),
        loss_function=lambda p, y: F.binary_cross_entropy_with_logits(p, y.unsqueeze(1).float()),
    ),
    "float64 labels that the loss converts": lambda: run(
        train=batches(FEATURES, LABELS.double()),
        loss_function=lambda p, y: squared_error(p, y.float()),
    ),
    "a sampler that leaves a gap in the data out": lambda: run(
        train=DataLoader(
            TensorDataset(with_value(FEATURES, math.nan, 7), LABELS),
            batch_size=7,
            sampler=SubsetRandomSampler(range(7), generator=seeded(1)),
        )
    ),
    "2 classes": lambda: classes(8, 2),
    "3 classes": lambda: classes(8, 3),
    "4 classes": lambda: classes(8, 4),
    "as many classes as rows": lambda: classes(4, 4),
    "2 classes in 2 rows": lambda: classes(2, 2),
    "classes in one row": lambda: classes(1, 3),
    "classes and a margin": lambda: classes(3, 3, nn.MultiMarginLoss()),
    "class probabilities": lambda: run(
        nn.Linear(1, 3),
        batches(FEATURES, torch.full((8, 3), 1 / 3)),
        loss_function=nn.CrossEntropyLoss(),
    ),
    "a class for each pixel": lambda: pixels(5, 4, 6),
    "a class for each pixel of one image": lambda: pixels(1, 3, 4),
    "as many images as classes and pixels in a row": lambda: pixels(4, 4, 4),
    "2 images of 2 classes": lambda: pixels(2, 2, 2),
    "a class for each word": lambda: run(
        nn.Conv1d(1, 3, 1),
        batches(torch.randn(3, 1, 5), torch.ones(3, 5, dtype=torch.int64)),
        loss_function=nn.CrossEntropyLoss(),
    ),
    "integers into an embedding": lambda: run(
        Bag(), batches(torch.arange(24).reshape(8, 3) % 10, LABELS)
    ),
    "images of bytes that the model converts": lambda: run(
        ImageModel(12, 1),
        batches(torch.arange(96, dtype=torch.uint8).reshape(8, 3, 2, 2), LABELS),
    ),
    "float64 features that the model converts": lambda: run(
        ImageModel(1, 1), batches(FEATURES.double(), LABELS)
    ),
    "a model in bfloat16": lambda: in_type(torch.bfloat16),
    "a model in float16": lambda: in_type(torch.float16),
    "a model in float64": lambda: in_type(torch.float64),
    "a line in float64": lambda: run(
        LinearRegression().double(), batches(FEATURES.double(), LABELS.double())
    ),
    "a model in complex numbers": lambda: run(
        nn.Linear(1, 1, dtype=torch.complex64),
        batches(FEATURES.to(torch.complex64), LABELS.to(torch.complex64)),
        loss_function=lambda p, y: (p - y).abs().square().mean(),
    ),
    "quantiles": lambda: run(nn.Linear(1, 3), loss_function=quantile_loss),
    "as many quantiles as rows": lambda: run(
        nn.Linear(1, 3), batches(*straight_line(3)), loss_function=quantile_loss
    ),
    "a mean and a variance": lambda: run(nn.Linear(1, 2), loss_function=normal_likelihood),
    "a mean and a variance of flat labels": lambda: run(
        nn.Linear(1, 2),
        batches(FEATURES, FLAT),
        loss_function=normal_likelihood_of_flat_labels,
    ),
    "a mean and a variance of 2 flat labels": lambda: run(
        nn.Linear(1, 2),
        batches(FEATURES[:2], FLAT[:2]),
        loss_function=normal_likelihood_of_flat_labels,
    ),
    "a model with two answers": lambda: run(
        TwoAnswers(1, 1), loss_function=lambda p, y: squared_error(p[0], y) + p[1].mean()
    ),
    "binary cross-entropy": lambda: run(
        train=batches(FEATURES, (LABELS > 0.5).float()), loss_function=nn.BCEWithLogitsLoss()
    ),
    "binary cross-entropy of several labels": lambda: run(
        nn.Linear(1, 3),
        batches(FEATURES, torch.ones(8, 3)),
        loss_function=nn.BCEWithLogitsLoss(),
    ),
    "a margin of several labels": lambda: run(
        nn.Linear(1, 4),
        batches(FEATURES, torch.tensor([[1, -1, 0, 0]] * 8)),
        loss_function=nn.MultiLabelMarginLoss(),
    ),
    "integer labels for an L1 loss": lambda: run(
        train=batches(FEATURES, INT_LABELS), loss_function=nn.L1Loss()
    ),
    "three labels for each prediction": lambda: run(
        train=batches(FEATURES, LABELS.repeat(1, 3)), loss_function=squared_error
    ),
    "a loss that changes the predictions in place": lambda: run(
        loss_function=lambda p, y: p.sub_(y).square().mean()
    ),
    "flat labels for flat predictions": lambda: run(flat(), batches(FEATURES, FLAT)),
    "a loss of shape (1,)": lambda: run(loss_function=lambda p, y: ((p - y) ** 2).mean(0)),
    "sparse features": lambda: run(
        nn.Linear(8, 1), batches(torch.eye(8).to_sparse(), LABELS, batch_size=8)
    ),
    "one row": lambda: run(train=batches(FEATURES[:1], LABELS[:1])),
    "batches of one row": lambda: run(train=batches(*LINE, batch_size=1)),
    "a shorter last batch": lambda: run(train=batches(*LINE, batch_size=3)),
    "a partly frozen model": lambda: partly_frozen(lambda model: model),
    "a partly frozen model, the rest optimized": lambda: partly_frozen(lambda model: model[1]),
    "a loss that learns": learned_loss,
    "shuffled batches": lambda: run(train=batches(*LINE, batch_size=3, shuffle=True)),
    "a shuffling DataLoader": lambda: run(train=loader(shuffle=True)),
    "a DataLoader with workers": lambda: run(train=loader(num_workers=1, shuffle=True)),
    "a DataLoader with persistent workers": lambda: run(
        train=loader(num_workers=1, persistent_workers=True, generator=seeded(1)),
        validation=batches(*LINE),
    ),
    "a data set that is read row by row": lambda: run(train=loader(RowByRow())),
    "a stream": lambda: run(train=loader(Stream())),
    "a list of batches": lambda: run(train=[LINE, (FEATURES[:3], LABELS[:3])]),
    "a tuple of lists": lambda: run(train=([FEATURES, LABELS], [FEATURES[:3], LABELS[:3]])),
    "dropout": lambda: run(nn.Sequential(nn.Linear(1, 8), nn.Dropout(), nn.Linear(8, 1))),
    "batch norm": lambda: run(nn.Sequential(nn.Linear(1, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))),
}


def by_hand(model, train, validation, *, loss_function, optimizer, epochs) -> History:
    """What fit should do, written as a beginner would."""
    history = History()
    for _ in range(epochs):
        model.train()
        losses, sizes = [], []
        for features, labels in train:
            loss = loss_function(model(features), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            sizes.append(len(labels))
        train_loss = sum(a * b for a, b in zip(losses, sizes, strict=True)) / sum(sizes)
        model.eval()
        losses, sizes = [], []
        with torch.no_grad():
            for features, labels in validation:
                losses.append(loss_function(model(features), labels).item())
                sizes.append(len(labels))
        validation_loss = sum(a * b for a, b in zip(losses, sizes, strict=True)) / sum(sizes)
        history.append(train_loss, validation_loss, optimizer.param_groups[0]["lr"])
    return history


def outcome(train, arguments) -> tuple:
    torch.manual_seed(1)
    arguments = arguments()
    torch.manual_seed(2)
    history = train(**arguments)
    learned = [p.tolist() for group in arguments["optimizer"].param_groups for p in group["params"]]
    state = [value.tolist() for value in arguments["model"].state_dict().values()]
    return vars(history), learned, state, torch.get_rng_state().tolist()


@pytest.mark.parametrize("kind", RIGHT)
def test_what_is_right_is_trained_like_by_hand_bit_for_bit(kind):
    assert outcome(fit, RIGHT[kind]) == outcome(by_hand, RIGHT[kind])


# Trying a run changes nothing.


class Noisy(nn.Sequential):
    """Draws from every source of random numbers whenever it is called, and normalizes."""

    def __init__(self):
        super().__init__(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))

    def forward(self, x):
        return super().forward(x + torch.rand(1) + random.random() + np.random.rand())


def fitting(p, y):
    return squared_error(p, y)


def not_fitting(p, y):
    raise RuntimeError("does not fit")


def try_run(model, loss_function=fitting, train=None) -> None:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loaders = {"train": train or batches(*LINE), "validation": batches(*LINE)}
    if loss_function is not_fitting:
        with pytest.raises(ValueError, match="does not fit"):
            check_run(model, loaders, loss_function, optimizer)
    else:
        check_run(model, loaders, loss_function, optimizer)


FITTING_OR_NOT = pytest.mark.parametrize("loss_function", [fitting, not_fitting])


@FITTING_OR_NOT
@pytest.mark.parametrize("training", [True, False])
def test_trying_a_run_leaves_each_module_in_its_mode(loss_function, training):
    model = Noisy().train(training)
    model[1].train(not training)
    try_run(model, loss_function)
    modes = [module.training for module in model.modules()]
    assert modes == [training, training, not training, training]


def test_a_model_that_raises_is_left_in_its_mode():
    model = nn.Linear(2, 1)
    with pytest.raises(ValueError, match="does not take"):
        try_run(model)
    assert model.training


def test_a_model_is_tried_in_evaluation_mode():
    seen = []

    class Watched(LinearRegression):
        def forward(self, x):
            seen.append(self.training)
            return super().forward(x)

    try_run(Watched())
    assert seen == [False] * 2  # once for each loader


@FITTING_OR_NOT
def test_trying_a_run_leaves_gradients_as_they_are(loss_function):
    model = LinearRegression()
    model.weight.grad = torch.tensor([3.0])
    try_run(model, loss_function)
    assert (model.weight.grad.item(), model.bias.grad) == (3.0, None)


def test_trying_a_run_leaves_the_gradients_of_the_loss_as_they_are():
    loss_function = LearnedScale()
    try_run(LinearRegression(), loss_function)
    assert loss_function.scale.grad is None


def test_trying_a_run_changes_neither_weights_nor_buffers():
    model = Noisy()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    try_run(model)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_trying_a_run_does_not_make_features_require_gradients():
    class Echo(LinearRegression):
        def forward(self, x):
            return x

    with pytest.raises(ValueError, match="predictions have no gradient"):
        try_run(Echo())
    assert not FEATURES.requires_grad


SHUFFLE = seeded(3)

RANDOM_STATES = {
    "torch": lambda: torch.get_rng_state().tolist(),
    "Python": random.getstate,
    "NumPy": lambda: str(np.random.get_state()),
    "the loader's generator": lambda: SHUFFLE.get_state().tolist(),
}


@FITTING_OR_NOT
@pytest.mark.parametrize(
    "train",
    [
        batches(*LINE, batch_size=3, shuffle=True, generator=SHUFFLE),
        DataLoader(TensorDataset(*LINE), batch_size=3, shuffle=True, generator=SHUFFLE),
    ],
    ids=["batches", "DataLoader"],
)
@pytest.mark.parametrize("source", RANDOM_STATES)
def test_trying_a_run_leaves_random_states_as_they_are(source, train, loss_function):
    model = Noisy()
    before = RANDOM_STATES[source]()
    try_run(model, loss_function, train)
    assert RANDOM_STATES[source]() == before


def test_trying_a_run_leaves_the_filters_of_warnings_as_they_are():
    before = list(warnings.filters)
    try_run(LinearRegression())
    assert list(warnings.filters) == before


def test_trying_a_run_prints_nothing(capfd):
    try_run(LinearRegression())
    assert capfd.readouterr() == ("", "")


def test_a_warning_about_something_else_is_no_reason_to_refuse():
    def warning(predictions, labels):
        warnings.warn("the weather will change", UserWarning, stacklevel=2)
        return squared_error(predictions, labels)

    with pytest.warns(UserWarning, match="the weather will change"):
        assert len(fit(**run(loss_function=warning))) == 2
