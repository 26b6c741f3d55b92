"""What can go wrong, as exceptions. No message holds a value of a document."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import psycopg_pool


class StoreError(RuntimeError):
    """Something was not done, and nothing was changed.

    The base of all others. It is a RuntimeError, since that is what the original adapter raises.
    """

    def __init__(
        self,
        message: str,
        *,
        sqlstate: str | None = None,
        hint: str | None = None,
        field: str | None = None,
        constraint: str | None = None,
    ) -> None:
        super().__init__(message if hint is None else f"{message} ({hint})")
        self.message = message
        self.sqlstate = sqlstate
        """PostgreSQL's code, such as 23514."""
        self.hint = hint
        """What to do next, where the database says so."""
        self.field = field
        """The field that is at fault, where it is one."""
        self.constraint = constraint
        """The rule that refuses the document, where it is one."""


class NotFound(StoreError):
    """There is no such document."""


class Conflict(StoreError):
    """Somebody else changed the document, or the same things at the same time: read again, and try again."""


class Refused(StoreError):
    """The document breaks a rule, or the question cannot be asked. It is the same the next time."""


class Unavailable(StoreError):
    """The database cannot be reached, or ended the connection. If that was during the end of a transaction, nobody
    can tell whether it was committed."""


def _kind(error: psycopg.Error) -> type[StoreError]:
    state = error.sqlstate or ""
    if isinstance(error, psycopg_pool.PoolTimeout | psycopg_pool.PoolClosed | psycopg_pool.TooManyRequests):
        return Unavailable
    if state.startswith("40"):
        return Conflict
    if state == "P0002":
        return NotFound
    if state.startswith(("22", "23")):
        return Refused
    if state.startswith(("08", "57P")) or (not state and isinstance(error, psycopg.OperationalError)):
        return Unavailable
    return StoreError


def translated(error: psycopg.Error) -> StoreError:
    """The error of the driver as one of ours. DETAIL and CONTEXT are left out: they may quote a whole row."""
    diag = error.diag
    message = diag.message_primary
    if message is None:
        # The driver's own: it speaks of connections, not of documents.
        message = str(error).strip() or type(error).__name__
    return _kind(error)(
        message,
        sqlstate=error.sqlstate,
        hint=diag.message_hint,
        field=diag.column_name,
        constraint=diag.constraint_name,
    )


@contextmanager
def as_store_errors() -> Iterator[None]:
    """Turns the driver's errors into ours."""
    try:
        yield
    except psycopg.Error as error:
        # "from None", since the driver's own text may quote a row of a patient in a log.
        raise translated(error) from None
