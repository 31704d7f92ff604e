"""How long anything is waited for that has no deadline of its own.

The emulated Pi is slow, and slower on a machine that is busy with other things; how long the
product may take is asserted where it is promised.
"""

PATIENCE_S = 600.0
