"""A place to search vectors: the widths and codes it takes, its defaults, its price."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from projhead.codecs.base import BaseCodec
from projhead.errors import UserError
from projhead.settings.ranges import Count, CountOrNone, Weight


@dataclass(frozen=True)
class Held:
    """How a target holds rows in a codec.

    Attributes
    ----------
    how : str
        What its user says to have it.
    from_width, to_width : int
        Dimensions that it takes, ends included; `to_width` None for any.
    rescored : int
        So many times the neighbors asked for are compared again by rows as they were; 0 where none are.
    overhead : int, optional
        Bytes of memory that a row takes beside its code; the target's where not given.
    multiple_of, at_least : int
        Dimensions that codes are filled up to.
    coded_queries : bool
        Whether queries are coded as rows are before they are compared.
    """

    how: str
    from_width: Count = 1
    to_width: Count | None = None
    rescored: CountOrNone = 0
    overhead: CountOrNone | None = None
    multiple_of: Count = 1
    at_least: Count = 1
    coded_queries: bool = False


@dataclass(frozen=True)
class Form(Held):
    """A way in which a target holds rows.

    Attributes
    ----------
    codec : str
        Of projhead, which stands for the target's own: ``"pq:32"``.
    """

    codec: str = field(kw_only=True)

    def takes(self, width: int) -> bool:
        """Say whether rows of a width can be held so."""
        return self.from_width <= width and (self.to_width is None or width <= self.to_width)

    def row_bytes(self, codec: BaseCodec, width: int) -> int:
        """Return what a row of a width takes in memory, as a codec and with what lies beside it."""
        filled = max(-(-width // self.multiple_of) * self.multiple_of, self.at_least)
        return codec.bytes_per_vector(filled) + (self.overhead or 0)


class Target:
    """A database, an index or a program that searches vectors.

    Parameters
    ----------
    name : str
    forms : mapping of str to Held
        By the name of a codec; as a mapping of its settings too.
    default : mapping of int to str
        What it does when left alone: the codec from a width on.
    overhead : int
        Bytes of memory that a row takes beside its code, in forms that say nothing of it.
    hosted : bool
        Whether memory is not counted.
    price_per_dimension : float, optional
        Money a month for a dimension of a row.

    Raises
    ------
    UserError
        If a default names no form.
    """

    def __init__(
        self,
        name: str,
        forms: Mapping[str, Held],
        default: Mapping[int, str],
        overhead: CountOrNone = 0,
        hosted: bool = False,
        price_per_dimension: Weight | None = None,
    ) -> None:
        if unknown := set(default.values()) - set(forms):
            raise UserError(f"target.default: expected of {', '.join(forms)}, got {', '.join(sorted(unknown))}")
        self.name, self.hosted, self.price_per_dimension = name, hosted, price_per_dimension
        given = {codec: held if isinstance(held, Mapping) else asdict(held) for codec, held in forms.items()}
        self.forms = [
            Form(codec=codec, **{**held, "overhead": overhead if held.get("overhead") is None else held["overhead"]})
            for codec, held in given.items()
        ]
        self.default = {int(width): codec for width, codec in default.items()}

    def alone(self, width: int) -> str:
        """Return the codec that the target takes for rows of a width by default."""
        return self.default[max(start for start in self.default if start <= width)]

    @property
    def widest(self) -> int | None:
        """The most dimensions that any form takes, None for any number."""
        widths = [form.to_width for form in self.forms]
        return None if None in widths else max(width for width in widths if width is not None)
