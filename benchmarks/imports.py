"""What `import torch_workflow` adds to `import torch`, in new processes that take turns."""

import subprocess
import sys
import time

WAYS = {"torch": "import torch", "with package": "import torch; import torch_workflow"}


def measure(rounds: int) -> dict[str, list[float]]:
    """Seconds from the start of a process to its end; the first round is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in WAYS}
    for number in range(rounds + 1):
        for name, code in WAYS.items():
            begin = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            if number > 0:
                seconds[name].append(time.perf_counter() - begin)
    return seconds
