"""Starts Jupyter's kernels in half the time: they are forked from a process that imported PyTorch.

`python kernels.py SOCKET` is that process. `python kernels.py SOCKET CONNECTION_FILE` is a kernel,
as `kernel.json` names it: it asks for one with its own folder and environment, and lives as long.
"""

import json
import os
import signal
import socket
import sys
from pathlib import Path

IMPORTED = ("ipykernel.kernelapp", "matplotlib.pyplot", "torch._dynamo", "torch_workflow")


def serve(address: str) -> None:
    del sys.path[0]  # this file's folder
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"  # as ipykernel has it
    for name in IMPORTED:
        __import__(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    server = socket.socket(socket.AF_UNIX)
    server.bind(address)
    server.listen()
    print("ready", flush=True)
    while True:
        asking, _ = server.accept()
        if not os.fork():
            server.close()
            be_a_kernel(asking)
        asking.close()


def be_a_kernel(asking: socket.socket) -> None:
    """Run a kernel until it is told to stop, or whoever asked for it is gone."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with asking.makefile() as lines:
        asked = json.loads(lines.readline())
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    from ipykernel.kernelapp import launch_new_instance

    try:
        launch_new_instance(["-f", asked["connection_file"]])
    finally:
        os._exit(0)


def ask(address: str, connection_file: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Jupyter interrupts a kernel before its end
    asked = {
        "folder": str(Path.cwd()),
        "environment": dict(os.environ),
        "connection_file": connection_file,
    }
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        server.sendall(json.dumps(asked).encode() + b"\n")
        server.recv(1)  # at the kernel's end


if __name__ == "__main__":
    serve(*sys.argv[1:]) if len(sys.argv) == 2 else ask(*sys.argv[1:])
