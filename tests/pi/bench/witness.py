"""Runs on the Pi: for each line it reads, the daemon's state and the Pi's own monotonic clock."""

# ruff: noqa: T201 - what it prints is its answer

import json
import socket
import sys
import time

for line in sys.stdin:
    status = None
    if line.strip() == "status":
        with socket.socket(socket.AF_UNIX) as daemon:
            daemon.connect("/run/sensed/control")
            daemon.sendall(b'{"command":"status"}\n')
            status = json.loads(daemon.makefile().readline())
    print(json.dumps({"at_s": time.monotonic(), "status": status}), flush=True)
