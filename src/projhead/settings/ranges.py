"""Ranges of numbers as annotations of constructors."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Interval, Lt

#: How many of something: a size, a width, a number of steps.
Count = Annotated[int, Ge(1)]
#: How many, where none is a choice too.
CountOrNone = Annotated[int, Ge(0)]
#: A seed, as numpy and torch take them.
Seed = Annotated[int, Interval(ge=0, lt=2**32)]
#: A share of a whole, both ends included.
Share = Annotated[float, Interval(ge=0.0, le=1.0)]
#: A share that leaves something over, such as what is held out.
Part = Annotated[float, Ge(0.0), Lt(1.0)]
#: A part of a whole, both ends left out.
Fraction = Annotated[float, Gt(0.0), Lt(1.0)]
#: A scale, a temperature, a rate.
Positive = Annotated[float, Gt(0.0)]
#: A weight; 0 turns off what it weighs.
Weight = Annotated[float, Ge(0.0)]
