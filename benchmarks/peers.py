"""The same training by other packages, each as its own documentation shows it for a small task.

All get a `DataLoader` where they take one, as their documentation does; Keras and skorch take the
tensors and batch them themselves. Models, data and trainers are made before the clock starts. Each
keeps the training and the validation loss of every epoch. What is switched off beyond that, so that
nothing but training is timed, stands in each function.
"""

import logging
import os
import warnings

import torch
from loops import Losses, Training
from tasks import Task


def lightning(task: Task) -> Training:
    """Lightning: a module, a trainer, and a callback that keeps the logged losses.

    Off: logger, checkpoints, progress bar, model summary, sanity check before training.
    """
    import lightning

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning.*")
    train_losses: list[float] = []
    validation_losses: list[float] = []

    class Regression(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.loss_function = task.model(), task.loss()

        def training_step(self, batch, batch_index):
            features, labels = batch
            loss = self.loss_function(self.model(features), labels)
            self.log("train_loss", loss, on_step=False, on_epoch=True)
            return loss

        def validation_step(self, batch, batch_index) -> None:
            features, labels = batch
            self.log("validation_loss", self.loss_function(self.model(features), labels))

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=task.learning_rate)

    class Keep(lightning.Callback):
        def on_train_epoch_end(self, trainer, module) -> None:
            train_losses.append(trainer.callback_metrics["train_loss"].item())
            validation_losses.append(trainer.callback_metrics["validation_loss"].item())

    module, (train_loader, validation_loader) = Regression(), task.loaders()
    trainer = lightning.Trainer(
        max_epochs=task.epochs,
        accelerator="cpu",
        devices=1,
        callbacks=[Keep()],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )

    def train() -> Losses:
        trainer.fit(module, train_loader, validation_loader)
        return train_losses, validation_losses

    return train


def ignite(task: Task) -> Training:
    """Ignite: a supervised trainer, an evaluator that runs after each epoch, two metrics.

    Off: nothing; loggers, progress bars and checkpoints are there only if attached. Its
    documentation also evaluates the training set after each epoch; here the losses of the steps
    are averaged instead, as everywhere else.
    """
    from ignite.engine import Events, create_supervised_evaluator, create_supervised_trainer
    from ignite.metrics import Average, Loss

    model, loss_function = task.model(), task.loss()
    train_loader, validation_loader = task.loaders()
    optimizer = torch.optim.SGD(model.parameters(), lr=task.learning_rate)
    trainer = create_supervised_trainer(model, optimizer, loss_function)
    evaluator = create_supervised_evaluator(model, metrics={"loss": Loss(loss_function)})
    Average().attach(trainer, "loss")
    train_losses: list[float] = []
    validation_losses: list[float] = []

    @trainer.on(Events.EPOCH_COMPLETED)
    def keep(engine) -> None:
        train_losses.append(engine.state.metrics["loss"])
        evaluator.run(validation_loader)
        validation_losses.append(evaluator.state.metrics["loss"])

    def train() -> Losses:
        trainer.run(train_loader, max_epochs=task.epochs)
        return train_losses, validation_losses

    return train


def skorch(task: Task) -> Training:
    """skorch: a scikit-learn regressor with a predefined validation set; its history is kept.

    Off: the callback that prints a line for each epoch.
    """
    from skorch import NeuralNetRegressor
    from skorch.dataset import Dataset
    from skorch.helper import predefined_split

    torch.manual_seed(42)
    net = NeuralNetRegressor(
        task.model(),
        criterion=task.loss,
        optimizer=torch.optim.SGD,
        lr=task.learning_rate,
        max_epochs=task.epochs,
        batch_size=task.batch_size,
        iterator_train__shuffle=task.shuffle,
        train_split=predefined_split(Dataset(*task.validation)),
        callbacks__print_log=None,
    )

    def train() -> Losses:
        net.fit(*task.train)
        return net.history[:, "train_loss"], net.history[:, "valid_loss"]

    return train


def accelerate(task: Task) -> Training:
    """Accelerate: a loop written by hand, over what it has prepared.

    Off: nothing; trackers and checkpoints are there only if asked for.
    """
    from accelerate import Accelerator

    accelerator, loss_function, initial = Accelerator(cpu=True), task.loss(), task.model()
    optimizer = torch.optim.SGD(initial.parameters(), lr=task.learning_rate)
    model, optimizer, train_loader, validation_loader = accelerator.prepare(
        initial, optimizer, *task.loaders()
    )

    def train() -> Losses:
        train_losses, validation_losses = [], []
        for _ in range(task.epochs):
            model.train()
            total, rows = 0.0, 0
            for features, labels in train_loader:
                loss = loss_function(model(features), labels)
                optimizer.zero_grad()
                accelerator.backward(loss)
                optimizer.step()
                total, rows = total + loss.item() * len(labels), rows + len(labels)
            train_losses.append(total / rows)
            model.eval()
            total, rows = 0.0, 0
            with torch.inference_mode():
                for features, labels in validation_loader:
                    loss = loss_function(model(features), labels)
                    total, rows = total + loss.item() * len(labels), rows + len(labels)
            validation_losses.append(total / rows)
        return train_losses, validation_losses

    return train


def fastai(task: Task) -> Training:
    """fastai: a learner over PyTorch's loaders; its recorder keeps the losses.

    Off: the line that is printed for each epoch, and the progress bar, which is not imported. Its
    training loss is a moving average over batches.
    """
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from fastai.optimizer import SGD

    loaders = DataLoaders(*task.loaders())
    learner = Learner(loaders, task.model(), loss_func=task.loss(), opt_func=SGD)

    def train() -> Losses:
        with learner.no_logging():
            learner.fit(task.epochs, task.learning_rate)
        train_losses, validation_losses = zip(*learner.recorder.values, strict=True)
        return list(train_losses), list(validation_losses)

    return train


def keras(task: Task) -> Training:
    """Keras on PyTorch: a sequential model, compiled and fitted; it returns its history.

    Off: the progress bar.
    """
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    keras.utils.set_random_seed(42)
    last = len(task.sizes) - 2
    model = keras.Sequential(
        [
            keras.Input(task.sizes[:1]),
            *(
                keras.layers.Dense(size, activation=None if number == last else "relu")
                for number, size in enumerate(task.sizes[1:])
            ),
        ]
    )
    initial = [p.detach().T.numpy() for p in task.model().parameters()]
    model.set_weights(initial)
    name = {"L1Loss": "mean_absolute_error", "MSELoss": "mean_squared_error"}[task.loss.__name__]
    model.compile(optimizer=keras.optimizers.SGD(task.learning_rate), loss=name)

    def train() -> Losses:
        history = model.fit(
            *task.train,
            batch_size=task.batch_size,
            shuffle=task.shuffle,
            epochs=task.epochs,
            validation_data=task.validation,
            validation_batch_size=task.batch_size,
            verbose=0,
        ).history
        return history["loss"], history["val_loss"]

    return train
