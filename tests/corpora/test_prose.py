import pytest

from projhead.corpora.prose import prose


@pytest.mark.parametrize(
    ("docstring", "expected"),
    [
        # numpydoc: headings, rulers, names and types go, descriptions stay
        (
            "Notes on it\n\nParameters\n----------\nx : array-like of shape (n, d)\n    The data,\n    as rows.\n"
            "y, z : int, default=3\n    How many\n\nReturns\n-------\nfloat\n    Mean.\n",
            "Notes on it. The data, as rows. How many. float Mean.",
        ),
        # Google: the name stays as a word of the sentence, the type goes
        (
            "Args:\n    image (`torch.Tensor`, *optional*):\n        Input image.\n    limit (int): Longest side.\n"
            "Returns:\n    The size.",
            "image: Input image. limit: Longest side. The size.",
        ),
        # code in all its forms
        ("See below::\n\n>>> f(1)\n2\n>>> g()\n\nAfter it.", "See below. After it."),
        ("Use it.\n\n```python\nx = f(1)\n```\n\nDone.", "Use it. Done."),
        ("One.\n\n.. code-block:: python\n\n    x = 1\n\n    y = 2\n\nTwo.", "One. Two."),
        # directives with prose inside, references without
        ("A.\n\n.. note::\n    Mind this.\n\n.. [1] Smith, 1999,\n   Journal.\n\nB.", "A. Mind this. B."),
        # markup
        (
            "Like :func:`~numpy.mean` and :class:`Foo <bar.Foo>`, with ``x`` and *y* and **z** [1]_, not 2 * 3.",
            "Like numpy.mean and Foo, with x and y and z, not 2 * 3.",
        ),
        # lists
        ("There are:\n\nEither\n\n- first, or\n- second\n\n1. third", "Either. first, or. second. third."),
        ("a - b stays.", "a - b stays."),
        ("", ""),
    ],
)
def test_sentences_stay_and_everything_else_goes(docstring: str, expected: str) -> None:
    assert prose(docstring) == expected
