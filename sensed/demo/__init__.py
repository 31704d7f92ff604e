"""The whole main job without hardware: simulated meter, real reader and uplink, own broker.

Public door: :func:`run_demo`.
"""

from __future__ import annotations

from sensed.demo.demo import run_demo

__all__ = ["run_demo"]
