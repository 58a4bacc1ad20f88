"""HeadModule losses, one paper one file.

A loss is called with the student's and the teacher's similarities of b anchors to m candidates, both (b, m),
and a mask (b, m) that is true where the candidate is the anchor itself; it returns a scalar. It imports nothing
else of projhead.
"""
