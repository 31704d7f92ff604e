"""Captures: what the meter's port really delivers, as a file that can be decoded and replayed."""

from sensed.capture.text import Capture, Piece, read

__all__ = ["Capture", "Piece", "read"]
