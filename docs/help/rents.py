"""A table of flats as tensors, and a model of their rent: the file to change for your own table."""

import csv
import math
from collections import Counter
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn

Row = dict[str, str]  # from the name of a column to what the file says there
LABEL = "rent"
GAPS = {"", "-", "NA", "n/a"}  # how the file writes that a value is unknown
FIRST_DAY = datetime(2024, 1, 1)
FEWEST = 10  # a district with fewer training rows gets no column of its own


def read_rows(path: Path) -> list[Row]:
    """The rows of a file, without spaces around a cell; a gap is an empty text."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file, delimiter=";", restval=""))
    cells = [{name: cell.strip() for name, cell in row.items()} for row in rows]
    return [{name: "" if cell in GAPS else cell for name, cell in row.items()} for row in cells]


def number(text: str) -> float:
    """A cell such as `1.234,50` as a number, nan where it is empty."""
    return float(text.replace(".", "").replace(",", ".")) if text else math.nan


def learn_columns(rows: list[Row]) -> dict[str, Any]:
    """What encoding needs to know. Call it with the training rows alone."""
    years = [number(row["year"]) for row in rows]
    count = Counter(row["district"] for row in rows)
    learned = {
        "year": median(year for year in years if not math.isnan(year)),
        "districts": sorted(name for name in count if count[name] >= FEWEST),
    }
    features = encode(rows, learned)
    low, high = features.amin(dim=0).tolist(), features.amax(dim=0).tolist()
    return learned | {"low": low, "high": high}


def encode(rows: list[Row], learned: dict[str, Any]) -> Tensor:
    """The features, `(rows, columns)` and float32, of rows with or without a label."""
    table = []
    for row in rows:
        year = number(row["year"])
        unknown = math.isnan(year)
        table.append(
            [
                number(row["area"]),
                number(row["rooms"]),
                (datetime.strptime(row["listed"], "%d.%m.%Y") - FIRST_DAY).days,
                learned["year"] if unknown else year,
                float(unknown),
                *(float(row["district"] == name) for name in learned["districts"]),
            ]
        )
    return torch.tensor(table, dtype=torch.float32)


def encode_labels(rows: list[Row]) -> Tensor:
    """The labels, `(rows, 1)` and float32."""
    return torch.tensor([[number(row[LABEL])] for row in rows], dtype=torch.float32)


def doubts(row: Row, learned: dict[str, Any]) -> list[str]:
    """Reasons not to believe the prediction for a row."""
    features = encode([row], learned)[0].tolist()
    ranges = zip(learned["low"], features, learned["high"], strict=True)
    reasons = []
    if not all(low <= value <= high for low, value, high in ranges):  # no range holds nan
        reasons.append("a gap, or a value outside the training range")
    if row["district"] not in learned["districts"]:
        reasons.append("a district without a column")
    return reasons


class RentModel(nn.Module):
    """A small network from raw features to a rent: it scales both itself."""

    def __init__(self, columns: int, hidden: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(columns, hidden), nn.ReLU(), nn.Linear(hidden, 1))
        # Buffers are saved with the weights, but not trained. The label's is the last.
        self.register_buffer("mean", torch.zeros(columns + 1))
        self.register_buffer("std", torch.ones(columns + 1))

    def measure(self, features: Tensor, labels: Tensor) -> None:
        """Take the scale of each column from the training rows."""
        table = torch.cat([features, labels], dim=1)
        constant = table.amin(dim=0) == table.amax(dim=0)
        self.mean.copy_(table.mean(dim=0))
        self.std.copy_(table.std(dim=0, correction=0).masked_fill(constant, 1))

    def forward(self, features: Tensor) -> Tensor:
        standard = (features - self.mean[:-1]) / self.std[:-1]
        return self.layers(standard) * self.std[-1] + self.mean[-1]
