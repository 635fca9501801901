"""Our tables as Apache Arrow: a schema from their definitions, record batches from rows of a database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from ...exceptions import WarehouseError
from ..tables import Column

if TYPE_CHECKING:
    import pyarrow as pa


def arrow_types() -> dict[str, pa.DataType]:
    """Return the Arrow type by column type of :mod:`..tables`."""
    import pyarrow as pa  # noqa: PLC0415 - comes with the extra export

    return {
        "text": pa.string(),
        "integer": pa.int64(),
        "real": pa.float64(),
        "timestamp": pa.timestamp("us", tz="UTC"),
        "date": pa.date32(),
    }


def arrow_schema(columns: Mapping[str, Column]) -> pa.Schema:
    """
    Return the Arrow schema of some columns.

    What a column says is in the metadata of its field, under the names by which Delta (``comment``) and
    Iceberg (``doc``) take it into their own schemas.
    """
    import pyarrow as pa  # noqa: PLC0415 - comes with the extra export

    types = arrow_types()
    return pa.schema(
        [
            pa.field(
                name,
                types[column.type],
                metadata={"comment": column.meaning, "doc": column.meaning},
            )
            for name, column in columns.items()
        ]
    )


def arrow_batch(
    rows: Sequence[tuple[Any, ...]],
    columns: Mapping[str, Column],
    schema: pa.Schema,
    constants: Mapping[str, str],
) -> pa.RecordBatch:
    """
    Return rows of a database as a record batch.

    :param rows: values in the order of ``columns``, at least one row.
    :param schema: :func:`arrow_schema` of them and of the constants.
    :param constants: values that are the same in all rows.
    :raises WarehouseError: a value is not of its column's type; no value is part of the message.
    """
    import pyarrow as pa  # noqa: PLC0415 - comes with the extra export

    arrays = {name: pa.repeat(value, len(rows)) for name, value in constants.items()}
    for (name, column), values in zip(columns.items(), zip(*rows, strict=True), strict=True):
        try:
            arrays[name] = _array(values, schema.field(name).type, column.type)
        except (ArithmeticError, TypeError, ValueError) as error:  # Arrow's own are ValueErrors
            raise WarehouseError(
                f"Column '{name}' has a value that is no {column.type}; mend it before the table is "
                f"exported ({type(error).__name__})",
                is_about_data=True,
            ) from None
    return pa.RecordBatch.from_arrays([arrays[name] for name in schema.names], schema=schema)


def grouped(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Yield batches together as tables of so many rows at least; the last one has what is left."""
    import pyarrow as pa  # noqa: PLC0415 - comes with the extra export

    some: list[pa.RecordBatch] = []
    for batch in batches:
        some.append(batch)
        if sum(one.num_rows for one in some) >= rows:
            yield pa.Table.from_batches(some)
            some = []
    if some:
        yield pa.Table.from_batches(some)


def _array(values: Sequence[Any], type_: pa.DataType, kind: str) -> pa.Array:
    import pyarrow as pa  # noqa: PLC0415 - comes with the extra export

    with suppress(pa.ArrowException, TypeError, ValueError):
        if kind in {"timestamp", "date"} and any(isinstance(value, str) for value in values):
            return pa.array(values, pa.string()).cast(type_)  # as SQLite has them
        if kind == "integer":
            return pa.array(values).cast(type_)  # told the type, it would cut fractions off
        return pa.array(values, type_)
    read = _READERS[kind]
    return pa.array([None if value is None else read(value) for value in values], type_)


def _moment(value: Any) -> datetime:
    """Return a moment with its time zone; one without is of UTC, as in MySQL."""
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _day(value: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(str(value))


def _whole(value: Any) -> int:
    number = int(value)
    if number != value and str(number) != str(value):
        raise ValueError
    return number


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "text": str,
    "integer": _whole,
    "real": float,
    "timestamp": _moment,
    "date": _day,
}
"""How a value is read that Arrow does not take as a driver returns it."""
