"""What `make bench` measured, which also writes this file anew."""

DATE = "2026-11-21"

MACHINE = "2 cores, AMD EPYC, Linux"

VERSIONS = {
    "Python": "3.11.7",
    "torch": "2.13.0+cpu",
    "safetensors": "0.8.0",
    "torch-workflow": "0.1.0",
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
    "by hand": [0.224, 0.219, 0.233, 0.224, 0.219],
    "fit": [0.22, 0.218, 0.257, 0.289, 0.208],
    "DataLoader": [0.561, 0.527, 0.556, 0.526, 0.511],
    "fit, DataLoader": [0.547, 0.526, 0.515, 0.547, 0.491],
    "Accelerate": [0.792, 0.925, 0.807, 1.01, 0.765],
    "Ignite": [0.699, 1.22, 0.779, 0.73, 0.726],
    "skorch": [0.804, 0.847, 0.857, 0.801, 0.796],
    "fastai": [1.6, 1.72, 1.74, 1.81, 1.7],
    "Lightning": [2.31, 2.43, 3.46, 2.31, 2.32],
    "Keras": [3.96, 4.07, 4.41, 4.47, 3.89],
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
    "DataLoader": [5.94, 6.04, 5.86, 5.94, 6.34],
    "fit, DataLoader": [6.05, 7.09, 6.25, 7.16, 6.65],
    "batch sampler": [1.41, 1.46, 1.4, 1.84, 1.58],
    "slices": [0.979, 1.02, 1.04, 1.05, 1.03],
    "fit": [1.04, 1.32, 1.04, 1.06, 1.23],
    "Accelerate": [6.33, 6.38, 6.53, 6.72, 6.87],
    "Ignite": [6.47, 7.54, 6.25, 6.25, 6.4],
    "skorch": [7.44, 8.87, 7.43, 7.79, 8.03],
    "fastai": [6.98, 6.88, 6.87, 7.04, 7.09],
    "Lightning": [7.73, 7.15, 6.84, 7.45, 7.29],
    "Keras": [2.79, 3.12, 2.76, 3.42, 2.95],
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
    "write": [0.134, 0.028, 0.0275, 0.0253, 0.0274, 0.0258, 0.0253],
    "write, rename": [0.0335, 0.0348, 0.0363, 0.0351, 0.0404, 0.0356, 0.0356],
    "torch.save": [0.0319, 0.0378, 0.0412, 0.0328, 0.0447, 0.0344, 0.0453],
    "save_model": [0.0492, 0.0516, 0.0367, 0.0505, 0.0391, 0.036, 0.0416],
    "save_checkpoint": [0.0449, 0.0455, 0.0525, 0.0631, 0.0486, 0.101, 0.0461],
    "safetensors": [0.00657, 0.00691, 0.00684, 0.00686, 0.00766, 0.007, 0.00665],
    "torch.load": [0.0126, 0.0163, 0.0143, 0.0125, 0.0161, 0.0127, 0.0124],
    "load_model": [0.019, 0.0194, 0.0189, 0.0191, 0.0241, 0.0192, 0.0191],
    "verify=False": [0.00713, 0.00668, 0.00635, 0.00661, 0.00666, 0.00675, 0.00662],
    "load_checkpoint": [0.031, 0.0303, 0.0305, 0.0311, 0.0303, 0.0307, 0.031],
}

# Seconds from the start of a process to its end.
IMPORTS = {
    "torch": [1.45, 1.37, 1.48, 1.49, 1.46, 1.49, 1.45, 1.42, 1.44, 1.65, 1.44],
    "with package": [1.33, 1.51, 1.53, 1.5, 1.42, 1.45, 1.42, 1.46, 1.52, 1.5, 1.54],
}

# Seconds for one epoch, by the number of rows.
GROWTH_ROWS = {
    "slices": {
        1000: [0.00139, 0.0012, 0.00118, 0.00117, 0.00123],
        10000: [0.00998, 0.00941, 0.00949, 0.00953, 0.00979],
        100000: [0.105, 0.093, 0.101, 0.0943, 0.103],
        1000000: [1.13, 1.12, 1.05, 1.08, 1.12],
        10000000: [11.6, 11.7, 12.4, 13.7, 12.1],
    },
    "fit": {
        1000: [0.00241, 0.00236, 0.00238, 0.00235, 0.00238],
        10000: [0.0114, 0.0109, 0.0111, 0.0115, 0.0113],
        100000: [0.0952, 0.0952, 0.0955, 0.0957, 0.0989],
        1000000: [1.14, 1.13, 1.06, 1.12, 1.08],
        10000000: [12.0, 12.4, 14.2, 14.1, 12.3],
    },
}

# Seconds for a run on 40 rows, by the number of epochs.
GROWTH_EPOCHS = {
    "by hand": {
        1: [0.000274, 0.000273, 0.00027, 0.000267, 0.000267],
        10: [0.00242, 0.00232, 0.00238, 0.00238, 0.00226],
        100: [0.0228, 0.0335, 0.022, 0.023, 0.022],
        1000: [0.223, 0.219, 0.224, 0.216, 0.221],
        10000: [2.48, 3.08, 2.22, 2.28, 2.23],
    },
    "fit": {
        1: [0.000986, 0.00101, 0.000961, 0.00121, 0.000978],
        10: [0.00329, 0.00311, 0.0042, 0.0032, 0.00302],
        100: [0.028, 0.0253, 0.0227, 0.0239, 0.0224],
        1000: [0.215, 0.217, 0.21, 0.212, 0.209],
        10000: [2.38, 2.23, 2.19, 2.15, 2.22],
    },
    "checkpoints": {
        1: [0.00492, 0.00498, 0.00461, 0.00533, 0.00531],
        10: [0.042, 0.0411, 0.0445, 0.0431, 0.0416],
        100: [0.496, 0.447, 0.419, 0.55, 0.468],
        1000: [4.25, 3.93, 3.84, 3.73, 3.51],
    },
}

# What the file was after each kill during a save.
KILLS = {
    "weights": {
        "kills": 200,
        "interrupted": 195,
        "old": 159,
        "new": 41,
        "neither": 0,
        "strays": 1,
        "strays_at_end": 0,
    },
    "checkpoint": {
        "kills": 200,
        "interrupted": 186,
        "old": 176,
        "new": 24,
        "neither": 0,
        "strays": 1,
        "strays_at_end": 0,
    },
}

# What came, and what was aimed at.
TARGETS = {
    "line: fit / by hand": [0.986, "<=", 1.0],
    "rows/s: fit / slices": [0.967, ">=", 0.95],
    "rows/s: fit / DataLoader": [5.59, ">=", 5.0],
    "rows/s: DataLoader, fit / hand": [0.893, ">=", 1.0],
    "batches held, beside the order": [2.0, "<=", 2],
    "save_model / write, rename": [1.17, "<=", 1.3],
    "save_checkpoint / same": [1.36, "<=", 1.3],
    "load_model / safetensors": [0.971, "<=", 1.2],
    "import: with package / torch": [1.03, "<=", 1.05],
}
