"""Train a linear model on a CSV file: python train.py points.csv run

The file has a line of column names and rows of numbers, the label in the last column.
"""

import argparse
import csv
import math
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from torch_workflow import batches, best_device, evaluate, fit, load_model, save_model, split


class TableModel(nn.Module):
    """A linear model from raw features to a raw label: it scales both itself."""

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.linear = nn.Linear(columns, 1)
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
        return self.linear(standard) * self.std[-1] + self.mean[-1]


def read_csv(path: Path) -> tuple[Tensor, Tensor]:
    with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
        lines = csv.reader(file)
        names, rows = next(lines, []), []
        for cells in filter(None, lines):
            try:
                rows.append([float(cell) for cell in cells])
                if len(cells) != len(names) or not all(map(math.isfinite, rows[-1])):
                    raise ValueError
            except ValueError:
                message = f"expected {len(names)} numbers, found {', '.join(cells)!r}"
                raise ValueError(f"{path}, line {lines.line_num}: {message}") from None
    if len(names) < 2 or not rows:
        raise ValueError(f"{path} needs 2 or more column names, and rows below them")
    return torch.tensor(rows).split([len(names) - 1, 1], dim=1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a linear model on a CSV file.")
    parser.add_argument("data", type=Path, help="CSV file, its last column is the label")
    parser.add_argument("output", type=Path, help="folder for the model and checkpoints")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--learning-rate", type=float, default=0.01)
    parser.add_argument("--resume", action="store_true", help="go on where it stopped")
    args = parser.parse_args()
    generator = torch.Generator().manual_seed(42)
    torch.manual_seed(42)
    loss_function = nn.L1Loss()
    try:
        train, validation, test = split(*read_csv(args.data), generator=generator)
        if (args.output / "last.pt").exists() and not args.resume:
            raise ValueError(f"{args.output} holds a run: add --resume or name a new folder")
        model = TableModel(columns=train.features.shape[1]).to(best_device())
        model.measure(*train)
        fit(
            model,
            batches(*train, batch_size=16, shuffle=True, generator=generator),
            batches(*validation),
            loss_function=loss_function,
            optimizer=torch.optim.Adam(model.parameters(), lr=args.learning_rate),
            epochs=args.epochs,
            checkpoint=args.output,
            resume=args.resume,
            progress=sys.stderr.isatty(),
        )
        load_model(model, args.output / "best.safetensors")
        save_model(model, args.output / "model.safetensors")
    except (OSError, ValueError, FloatingPointError, csv.Error) as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        print("\nStopped. To go on, run the same command with --resume.", file=sys.stderr)
        sys.exit(130)
    for name, part in (("validation", validation), ("test", test)):
        loss = evaluate(model, batches(*part), loss_function)
        baseline = loss_function(train.labels.mean().expand_as(part.labels), part.labels)
        print(f"{name} loss {loss:.4g}, mean baseline {baseline:.4g}")


if __name__ == "__main__":
    main()
