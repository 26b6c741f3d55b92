"""The store of programs that wait."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, TypeVar, cast, overload

from psycopg import Connection
from psycopg_pool import ConnectionPool

from . import _operations
from ._errors import as_store_errors
from ._operations import Changes, Document, Operation, R, Resource, Stored, Versioned
from ._who import Actor, Who, who_acts

T = TypeVar("T")


def _run(connection: Connection[Any], operation: Operation[T]) -> T:
    """Asks what the operation wants to know, until it has its result."""
    rows: list[tuple[Any, ...]] | None = None
    while True:
        try:
            statement = next(operation) if rows is None else operation.send(rows)
        except StopIteration as end:
            return cast("T", end.value)
        with as_store_errors():
            cursor = connection.execute(statement.text, statement.parameters)
            rows = cursor.fetchall()


class _Operations:
    """What can be done, alone or in a unit.

    Each takes the actor, as the methods of the original adapter do; without one it is done by whom `acting` names.
    A type of resources is a name, which gives dicts, or a class, which gives instances.
    """

    def _done(self, operation: Operation[T], actor: Actor | None) -> T:
        raise NotImplementedError

    def save(self, resource: R, actor: Actor | None = None, *, if_version: int | None = None) -> R:
        """Stores a resource in place of the one that was there, and gives it back with its id.

        With `if_version` it is a Conflict where the database has another version; 0 means that there is none yet.
        """
        return self._done(_operations.save(resource, if_version), actor)

    def put(self, resource: Resource, actor: Actor | None = None, *, if_version: int | None = None) -> Stored:
        """As save; says which version is stored, and whether it is new."""
        return self._done(_operations.put(resource, if_version), actor)

    def put_all(self, resources: Iterable[Resource], actor: Actor | None = None) -> list[Stored]:
        """Stores several, all or none, in whatever order they refer to each other."""
        return self._done(_operations.put_all(resources), actor)

    def update(self, resource: R, actor: Actor | None = None, *, if_version: int | None = None) -> R:
        """Stores a resource in place of the one that is there; NotFound where there is none."""
        return self._done(_operations.update(resource, if_version), actor)

    def patch(
        self,
        resource_type: str | type[Any],
        resource_id: str,
        merge: Mapping[str, Any],
        actor: Actor | None = None,
        *,
        if_version: int | None = None,
    ) -> int:
        """Changes some fields by a merge patch (RFC 7396), and gives the new version."""
        return self._done(_operations.patch(resource_type, resource_id, merge, if_version), actor)

    @overload
    def get(self, resource_type: str, resource_id: str, actor: Actor | None = None) -> Document | None: ...
    @overload
    def get(self, resource_type: type[T], resource_id: str, actor: Actor | None = None) -> T | None: ...
    def get(self, resource_type: str | type[T], resource_id: str, actor: Actor | None = None) -> Any:
        """A resource, or None."""
        return self._done(_operations.find(resource_type, resource_id), actor)

    @overload
    def read(self, resource_type: str, resource_id: str, actor: Actor | None = None) -> Document: ...
    @overload
    def read(self, resource_type: type[T], resource_id: str, actor: Actor | None = None) -> T: ...
    def read(self, resource_type: str | type[T], resource_id: str, actor: Actor | None = None) -> Any:
        """A resource; NotFound where there is none."""
        return self._done(_operations.read(resource_type, resource_id), actor)

    def read_versioned(self, resource_type: str | type[Any], resource_id: str, actor: Actor | None = None) -> Versioned:
        """A resource with its version, for `if_version`; NotFound where there is none."""
        return self._done(_operations.read_versioned(resource_type, resource_id), actor)

    def delete(
        self,
        resource_type: str | type[Any],
        resource_id: str,
        actor: Actor | None = None,
        *,
        if_version: int | None = None,
    ) -> bool:
        """Removes a resource, and tells whether there was one."""
        return self._done(_operations.delete(resource_type, resource_id, if_version), actor)

    def search(
        self,
        resource_type: str | type[Any],
        filters: Mapping[str, Any] | Actor | None = None,
        actor: Actor | Mapping[str, Any] | None = None,
        limit: int = 100,
        offset: int = 0,
        *,
        scan: bool = True,
    ) -> list[Any]:
        """Resources whose fields are the given ones, newest first; without filters, the newest.

        A filter is a field, or one with `_like`, `_in`, `_gt`, `_gte`, `_lt`, `_lte` behind it. What no index serves is
        looked for in the whole table; with `scan=False` it is Refused instead, and says what can be asked. The original
        adapters have filters and actor in either order, and so has this.
        """
        if isinstance(actor, Mapping) or not (filters is None or isinstance(filters, Mapping)):
            filters, actor = actor, filters
        operation = _operations.search(resource_type, cast("Mapping[str, Any] | None", filters), limit, offset, scan)
        return self._done(operation, cast("Actor | None", actor))

    def changes(self, cursor: str | None = None, limit: int = 1000) -> Changes:
        """What was changed after a cursor, by anybody; None begins with the oldest.

        Keep the cursor of the answer, in the transaction in which you keep what you made of it: nothing is missed and
        nothing is seen twice. The role needs what `feed_role` of scripts/grant-app-role.sql grants.
        """
        return self._done(_operations.changes(cursor, limit), None)


class Unit(_Operations):
    """Several operations in one transaction: `with store.transaction() as unit`."""

    def __init__(self, connection: Connection[Any], actor: Actor | None = None) -> None:
        self._connection = connection
        self._actor = actor
        self._who: Who | None = None

    @property
    def connection(self) -> Connection[Any]:
        """The connection of the transaction, for SQL of your own."""
        return self._connection

    def _done(self, operation: Operation[T], actor: Actor | None) -> T:
        who = who_acts(self._actor if actor is None else actor)
        if who is not None and who != self._who:
            statement = _operations.set_actor(who)
            with as_store_errors():
                self._connection.execute(statement.text, statement.parameters)
            self._who = who
        return _run(self._connection, operation)


class Store(_Operations):
    """Stores and reads the documents of a database, each operation in a transaction of its own.

    Takes a connection string of libpq, or nothing, where PGHOST and the like say which database. Or a pool of yours,
    which stays yours to close.
    """

    def __init__(
        self, conninfo: str = "", *, pool: ConnectionPool[Any] | None = None, pool_size: int = 10, timeout: float = 30
    ) -> None:
        self._conninfo, self._pool_size, self._timeout = conninfo, pool_size, timeout
        self._given = pool
        self._pool = pool

    def connect(self) -> None:
        """Opens the pool. The first operation does so by itself."""
        self._opened()

    def disconnect(self) -> None:
        """Closes the pool, if it is not yours."""
        pool, self._pool = self._pool, self._given
        if pool is not None and pool is not self._given:
            pool.close()

    def _opened(self) -> ConnectionPool[Any]:
        if self._pool is None:
            # Nothing is prepared by name: so it works behind a pooler of transactions.
            self._pool = ConnectionPool(
                self._conninfo,
                kwargs={"prepare_threshold": None},
                min_size=0,
                max_size=self._pool_size,
                timeout=self._timeout,
                open=False,
                name="hacs-refinery-store",
            )
            self._pool.open()
        return self._pool

    def __enter__(self) -> Store:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disconnect()

    @contextmanager
    def transaction(self, actor: Actor | None = None) -> Iterator[Unit]:
        """All that is done with the unit is done, or, where an error leaves the block, nothing of it."""
        with as_store_errors():
            pool = self._opened()
            with pool.connection() as connection, connection.transaction():
                yield Unit(connection, actor)

    def _done(self, operation: Operation[T], actor: Actor | None) -> T:
        with self.transaction() as unit:
            return unit._done(operation, actor)

    def health_check(self) -> bool:
        """Whether the database answers."""
        try:
            with self.transaction() as unit:
                unit.connection.execute("select 1")
        except RuntimeError:
            return False
        return True
