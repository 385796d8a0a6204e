"""What `make bench` measured, which also writes this file anew."""

DATE = "2026-11-21"

MACHINE = "2 cores, AMD EPYC, Linux"

VERSIONS = {
    "Python": "3.11.7",
    "torch": "2.13.0+cpu",
    "safetensors": "0.8.0",
    "accelerate": "1.15.0",
    "fastai": "2.8.12",
    "keras": "3.15.1",
    "lightning": "2.6.6",
    "pytorch-ignite": "0.5.5",
    "skorch": "1.4.0",
}

SIZES = {
    "epochs": 1000,
    "rows": 1000000,
}

# Seconds for 1000 epochs of 40 rows.
LINE = {
    "by hand": [0.234, 0.268],
    "fit": [0.24, 0.299],
    "DataLoader": [0.537, 0.526],
    "fit, DataLoader": [0.507, 0.519],
    "Accelerate": [0.758, 0.779],
    "Ignite": [0.971, 0.71],
    "skorch": [1.08, 0.784],
    "fastai": [2.51, 1.59],
    "Lightning": [3.16, 2.4],
    "Keras": [5.54, 4.02],
}

# The validation loss after them.
LINE_LOSS = {
    "by hand": 0.00743,
    "fit": 0.00743,
    "DataLoader": 0.00743,
    "fit, DataLoader": 0.00743,
    "Accelerate": 0.00743,
    "Ignite": 0.00743,
    "skorch": 0.00743,
    "fastai": 0.00743,
    "Lightning": 0.00743,
    "Keras": 0.00743,
}

# Seconds for one epoch of 1000000 rows.
ROWS = {
    "DataLoader": [6.42, 5.86],
    "fit, DataLoader": [7.94, 6.19],
    "batch sampler": [2.06, 1.54],
    "slices": [1.49, 0.961],
    "fit": [1.46, 1.06],
    "Accelerate": [9.0, 6.56],
    "Ignite": [8.16, 6.29],
    "skorch": [7.95, 9.5],
    "fastai": [6.23, 9.1],
    "Lightning": [6.52, 10.8],
    "Keras": [3.03, 2.67],
}

# The validation loss after it.
ROWS_LOSS = {
    "DataLoader": 0.254,
    "fit, DataLoader": 0.254,
    "batch sampler": 0.254,
    "slices": 0.254,
    "fit": 0.254,
    "Accelerate": 0.255,
    "Ignite": 0.255,
    "skorch": 0.254,
    "fastai": 0.254,
    "Lightning": 0.255,
    "Keras": 0.255,
}

# Bytes: the most that an epoch of shuffled batches holds, and its parts.
MEMORY = {
    "peak": 8172032,
    "order": 8000000,
    "batch": 86016,
    "data": 84000000,
}

# Seconds to save or load 50 MB.
FILES = {
    "write": [0.144, 0.025, 0.0335, 0.0241, 0.0256, 0.0244, 0.0275],
    "write, rename": [0.0402, 0.0349, 0.0327, 0.0334, 0.0331, 0.0331, 0.0397],
    "torch.save": [0.032, 0.0324, 0.0329, 0.0303, 0.0309, 0.0306, 0.0311],
    "save_model": [0.0503, 0.0476, 0.0577, 0.0509, 0.0474, 0.0497, 0.0479],
    "save_checkpoint": [0.0417, 0.044, 0.0457, 0.0469, 0.0443, 0.0443, 0.0445],
    "safetensors": [0.00632, 0.00601, 0.00853, 0.0064, 0.006, 0.00607, 0.00658],
    "torch.load": [0.035, 0.0118, 0.0366, 0.0137, 0.0112, 0.0117, 0.0118],
    "load_model": [0.0183, 0.0183, 0.0184, 0.0236, 0.0181, 0.0182, 0.0186],
    "verify=False": [0.00614, 0.00572, 0.00601, 0.00598, 0.00588, 0.00591, 0.00874],
    "load_checkpoint": [0.053, 0.0297, 0.0514, 0.0301, 0.0286, 0.029, 0.0295],
}

# Seconds from the start of a process to its end.
IMPORTS = {
    "torch": [1.39, 1.52, 2.69, 1.9, 1.5, 1.49, 1.6, 1.47, 1.47, 1.61, 1.38],
    "with package": [1.45, 1.7, 2.43, 1.87, 1.49, 1.56, 1.64, 1.71, 1.77, 1.46, 1.43],
}

# Seconds for one epoch, by the number of rows.
GROWTH_ROWS = {
    "slices": {
        1000: [0.00112, 0.00113],
        10000: [0.00937, 0.00912],
        100000: [0.0931, 0.0938],
        1000000: [0.981, 1.1],
        10000000: [11.1, 10.5],
    },
    "fit": {
        1000: [0.00223, 0.00224],
        10000: [0.0108, 0.0102],
        100000: [0.0902, 0.0904],
        1000000: [0.998, 1.01],
        10000000: [12.6, 11.9],
    },
}

# Seconds for a run on 40 rows, by the number of epochs.
GROWTH_EPOCHS = {
    "by hand": {
        1: [0.000266, 0.000266],
        10: [0.00234, 0.00231],
        100: [0.0222, 0.0223],
        1000: [0.224, 0.222],
        10000: [2.32, 2.33],
    },
    "fit": {
        1: [0.000884, 0.000874],
        10: [0.0029, 0.00291],
        100: [0.0263, 0.0227],
        1000: [0.217, 0.214],
        10000: [2.35, 2.21],
    },
    "checkpoints": {
        1: [0.00422, 0.00424],
        10: [0.0373, 0.0435],
        100: [0.491, 0.491],
        1000: [3.67, 3.39],
    },
}

# What the file was after each kill during a save.
KILLS = {
    "weights": {
        "kills": 200,
        "interrupted": 152,
        "old": 160,
        "new": 40,
        "neither": 0,
        "strays": 1,
        "strays_at_end": 0,
    },
    "checkpoint": {
        "kills": 200,
        "interrupted": 190,
        "old": 174,
        "new": 26,
        "neither": 0,
        "strays": 1,
        "strays_at_end": 0,
    },
}

# What came, and what was aimed at.
TARGETS = {
    "line: fit / by hand": [1.07, "<=", 1.0],
    "rows/s: fit / slices": [0.973, ">=", 0.95],
    "rows/s: fit / DataLoader": [4.88, ">=", 5.0],
    "rows/s: DataLoader, fit / hand": [0.869, ">=", 1.0],
    "batches held, beside the order": [2.0, "<=", 2],
    "save_model / write, rename": [1.49, "<=", 1.3],
    "save_checkpoint / same": [1.33, "<=", 1.3],
    "load_model / safetensors": [0.946, "<=", 1.2],
    "import: with package / torch": [1.09, "<=", 1.05],
}
