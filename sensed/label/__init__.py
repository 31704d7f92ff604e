"""The set-up code as people scan it: on a terminal, as a QR code, on a label to print.

Public doors: :func:`qr_matrix`, :func:`terminal_lines`, :func:`qr_svg`, :func:`label_svg`.
"""

from __future__ import annotations

from sensed.label.qr import Matrix, qr_matrix, terminal_lines
from sensed.label.svg import label_svg, qr_svg

__all__ = ["Matrix", "label_svg", "qr_matrix", "qr_svg", "terminal_lines"]
