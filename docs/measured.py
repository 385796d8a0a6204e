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
    "by hand": [0.214, 0.231, 0.219, 0.214, 0.219],
    "fit": [0.213, 0.24, 0.237, 0.209, 0.211],
    "DataLoader": [0.52, 0.518, 0.54, 0.526, 0.517],
    "fit, DataLoader": [0.508, 0.55, 0.587, 0.543, 0.515],
    "Accelerate": [0.76, 0.748, 0.789, 0.768, 0.82],
    "Ignite": [0.723, 0.699, 0.758, 0.7, 0.729],
    "skorch": [0.803, 0.794, 0.823, 1.14, 0.786],
    "fastai": [1.63, 1.59, 1.63, 1.85, 1.79],
    "Lightning": [2.36, 2.26, 2.59, 3.19, 2.88],
    "Keras": [4.17, 4.48, 3.92, 4.07, 4.68],
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
    "DataLoader": [6.46, 7.77, 5.87, 7.48, 5.9],
    "fit, DataLoader": [6.98, 6.49, 5.95, 7.02, 6.16],
    "batch sampler": [1.55, 1.33, 1.39, 1.74, 1.38],
    "slices": [1.19, 0.958, 1.11, 0.992, 0.933],
    "fit": [1.7, 1.11, 0.956, 1.05, 1.0],
    "Accelerate": [8.05, 6.52, 6.08, 7.33, 7.1],
    "Ignite": [7.19, 6.31, 6.34, 6.97, 5.82],
    "skorch": [7.46, 8.2, 7.15, 8.39, 7.14],
    "fastai": [7.92, 6.88, 7.1, 8.41, 6.77],
    "Lightning": [8.16, 7.76, 7.55, 8.79, 7.95],
    "Keras": [3.36, 2.88, 3.61, 2.88, 3.29],
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
    "write": [0.155, 0.0329, 0.0289, 0.028, 0.0323, 0.0343, 0.0316],
    "write, rename": [0.0443, 0.0434, 0.0388, 0.0405, 0.0434, 0.0433, 0.0377],
    "torch.save": [0.042, 0.0331, 0.0341, 0.0385, 0.049, 0.0328, 0.038],
    "save_model": [0.0468, 0.0469, 0.0419, 0.0469, 0.0449, 0.0451, 0.0402],
    "save_checkpoint": [0.0536, 0.0508, 0.0502, 0.0585, 0.052, 0.0485, 0.0462],
    "safetensors": [0.00648, 0.00688, 0.00665, 0.00894, 0.00726, 0.00879, 0.00708],
    "torch.load": [0.0124, 0.0357, 0.0165, 0.0171, 0.0137, 0.0163, 0.0128],
    "load_model": [0.0192, 0.0191, 0.0196, 0.0206, 0.02, 0.0263, 0.0187],
    "verify=False": [0.00688, 0.00657, 0.00639, 0.00731, 0.00696, 0.00767, 0.00618],
    "load_checkpoint": [0.0317, 0.052, 0.0305, 0.0325, 0.0317, 0.0434, 0.0293],
}

# Seconds from the start of a process to its end.
IMPORTS = {
    "torch": [2.06, 1.43, 1.79, 1.43, 1.57, 1.49, 1.44, 1.55, 1.6, 1.74, 1.84],
    "with package": [1.8, 1.63, 1.52, 1.51, 1.47, 1.53, 1.49, 1.84, 1.74, 1.62, 1.5],
}

# Seconds for one epoch, by the number of rows.
GROWTH_ROWS = {
    "slices": {
        1000: [0.00116, 0.0012, 0.00121, 0.00146, 0.00154],
        10000: [0.0128, 0.00939, 0.00989, 0.0105, 0.01],
        100000: [0.102, 0.102, 0.0973, 0.101, 0.14],
        1000000: [1.19, 1.0, 1.42, 1.16, 1.06],
        10000000: [11.0, 11.3, 11.7, 14.8, 14.2],
    },
    "fit": {
        1000: [0.00234, 0.00238, 0.00279, 0.00305, 0.00307],
        10000: [0.0114, 0.0117, 0.0109, 0.0111, 0.0113],
        100000: [0.0928, 0.0928, 0.098, 0.0991, 0.115],
        1000000: [1.2, 1.27, 1.19, 1.15, 1.02],
        10000000: [13.8, 13.2, 14.0, 17.0, 17.8],
    },
}

# Seconds for a run on 40 rows, by the number of epochs.
GROWTH_EPOCHS = {
    "by hand": {
        1: [0.000451, 0.000355, 0.0004, 0.000377, 0.000314],
        10: [0.00343, 0.00375, 0.00361, 0.00308, 0.00436],
        100: [0.0433, 0.0316, 0.035, 0.0235, 0.0228],
        1000: [0.343, 0.235, 0.233, 0.361, 0.231],
        10000: [2.28, 3.22, 2.38, 2.56, 2.48],
    },
    "fit": {
        1: [0.00146, 0.00171, 0.00131, 0.00105, 0.00101],
        10: [0.00341, 0.00342, 0.00478, 0.00403, 0.00509],
        100: [0.0228, 0.0387, 0.0278, 0.0338, 0.0232],
        1000: [0.365, 0.307, 0.242, 0.247, 0.389],
        10000: [2.48, 2.53, 2.26, 2.62, 2.4],
    },
    "checkpoints": {
        1: [0.00571, 0.0076, 0.0076, 0.00679, 0.00644],
        10: [0.0564, 0.0513, 0.062, 0.0703, 0.0718],
        100: [0.596, 0.587, 0.495, 0.629, 0.55],
        1000: [4.86, 5.6, 4.86, 3.83, 3.68],
    },
}

# What the file was after each kill during a save.
KILLS = {
    "weights": {
        "kills": 200,
        "interrupted": 190,
        "old": 157,
        "new": 43,
        "neither": 0,
        "strays": 1,
        "strays_at_end": 0,
    },
    "checkpoint": {
        "kills": 200,
        "interrupted": 184,
        "old": 172,
        "new": 28,
        "neither": 0,
        "strays": 1,
        "strays_at_end": 0,
    },
}

# What came, and what was aimed at.
TARGETS = {
    "line: fit / by hand": [0.973, "<=", 1.0],
    "rows/s: fit / slices": [0.949, ">=", 0.95],
    "rows/s: fit / DataLoader": [6.18, ">=", 5.0],
    "rows/s: DataLoader, fit / hand": [0.995, ">=", 1.0],
    "batches held, beside the order": [2.0, "<=", 2],
    "save_model / write, rename": [1.04, "<=", 1.3],
    "save_checkpoint / same": [1.17, "<=", 1.3],
    "load_model / safetensors": [0.972, "<=", 1.2],
    "import: with package / torch": [0.975, "<=", 1.05],
}
