"""Fuzzing of every parser that outside bytes reach, guided by coverage.

Each module here but this package's own two is a target: the first sentence of its docstring
is what must hold of any input, ``one_input`` raises where it does not, ``corpus`` gives the
inputs to begin with, made by the simulator or the project's own encoders, and ``INCLUDE``
names the packages whose branches guide the search. Without atheris the targets are plain
functions, so that the fast tests run what was found once.
"""
