"""The memory that shuffled batches take beside the data, counted at PyTorch's own allocator."""

import json
import tempfile
from pathlib import Path

import tasks
from torch.profiler import ProfilerActivity, profile

from torch_workflow import batches


def measure(count: int) -> dict[str, int]:
    """Bytes: the most that an epoch of shuffled batches holds, and what that should be made of."""
    task = tasks.rows(count)
    order = batches(*task.train, batch_size=task.batch_size, shuffle=True)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        for _batch in order:
            pass
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, "trace.json")
        profiler.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())["traceEvents"]
    held = peak = 0
    for event in sorted((e for e in events if e["name"] == "[memory]"), key=lambda e: e["ts"]):
        held += event["args"]["Bytes"]
        peak = max(peak, held)
    row = sum(part[0].numel() * part.element_size() for part in task.train)
    return {"peak": peak, "order": 8 * count, "batch": row * task.batch_size, "data": row * count}
