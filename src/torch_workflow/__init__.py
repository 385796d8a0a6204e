"""The PyTorch workflow in seven stages, one file for each: data to a saved and reloaded model."""

from torch_workflow.data import Batches, Rows, Split, batches, split, straight_line
from torch_workflow.devices import best_device, device_of, move
from torch_workflow.files import write_atomically
from torch_workflow.models import LinearRegression
from torch_workflow.plotting import plot_data, plot_loss_surface, plot_losses, plot_residuals
from torch_workflow.prediction import evaluation_mode, predict
from torch_workflow.randomness import generators_of
from torch_workflow.saving import load_checkpoint, load_model, save_checkpoint, save_model
from torch_workflow.training import (
    DivergenceError,
    History,
    clear_gradients,
    evaluate,
    fit,
    train_epoch,
)

__version__ = "0.1.0"

__all__ = [
    "Batches",
    "DivergenceError",
    "History",
    "LinearRegression",
    "Rows",
    "Split",
    "batches",
    "best_device",
    "clear_gradients",
    "device_of",
    "evaluate",
    "evaluation_mode",
    "fit",
    "generators_of",
    "load_checkpoint",
    "load_model",
    "move",
    "plot_data",
    "plot_loss_surface",
    "plot_losses",
    "plot_residuals",
    "predict",
    "save_checkpoint",
    "save_model",
    "split",
    "straight_line",
    "train_epoch",
    "write_atomically",
]
