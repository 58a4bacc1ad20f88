"""Distillation losses, one paper one file.

A loss is called with the student's and the teacher's similarities of b anchors to m candidates, both (b, m),
and a mask (b, m) that is true where the candidate is the anchor itself; it returns a scalar. One that has a
temperature fits it to the same three, before the first step, by ``fit_temperature``. One that is a mean over
anchors says ``by_anchor = True``: several processes can share it. One that says ``weighted = True`` takes a fourth, the
logarithms (m,) of how many candidates each stands for: near ones and a choice of the others may make up the candidates.
It imports nothing else of projhead.
"""
