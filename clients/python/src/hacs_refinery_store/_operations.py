"""What is asked of the database, without a connection: each operation gives statements and takes their rows.

So the synchronous and the asynchronous store are the same but for who waits.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, NamedTuple, Protocol, TypeVar, cast

from psycopg import sql
from psycopg.types.json import Jsonb

from ._errors import NotFound, Refused
from ._who import Who

Document = dict[str, Any]
Row = tuple[Any, ...]
T = TypeVar("T")


class HasDump(Protocol):
    """A model of pydantic, as those of HACS are."""

    def model_dump(self, *, mode: str) -> dict[str, Any]: ...


Resource = Mapping[str, Any] | HasDump
R = TypeVar("R", bound=Resource)


class Statement(NamedTuple):
    """A statement with its parameters."""

    text: str | sql.Composed
    parameters: tuple[Any, ...] = ()


Operation = Generator[Statement, list[Row], T]


@dataclass(frozen=True)
class Stored:
    """What was stored: `version_id` counts the changes of a document, `created` says that there was none before."""

    resource_type: str
    id: str
    version_id: int
    created: bool


@dataclass(frozen=True)
class Versioned:
    """A document with the version that it has, which an update can ask for."""

    document: Any
    version_id: int


@dataclass(frozen=True)
class Change:
    """A change of a document: a row of the audit trail, by its columns there."""

    change_id: int
    changed_at: datetime
    operation: str
    resource_type: str
    resource_id: str | None
    patient_id: str | None
    changed_fields: list[str] | None
    old_values: Document | None
    new_values: Document | None
    actor_id: str | None
    purpose: str | None
    request_id: str | None


@dataclass(frozen=True)
class Changes:
    """Some changes, and the cursor from which to go on."""

    changes: list[Change]
    cursor: str | None


def type_name(resource_type: str | type[Any]) -> str:
    """The name of a type of resources: as HACS does, that of the class."""
    return resource_type if isinstance(resource_type, str) else resource_type.__name__


def dumped(resource: Resource) -> Document:
    """The document of a resource, as JSON has it."""
    if isinstance(resource, Mapping):
        return dict(resource)
    dump = getattr(resource, "model_dump", None)
    if dump is None:
        raise TypeError("a resource is a mapping or a model with model_dump")
    return dict(cast("dict[str, Any]", dump(mode="json")))


def made(resource_type: str | type[T], document: Document) -> Any:
    """A document as what was asked for: a dict for a name, an instance for a class."""
    return document if isinstance(resource_type, str) else resource_type(**document)


def _strict(value: Any) -> str:
    return json.dumps(value, allow_nan=False)


def _json(value: Any) -> Jsonb:
    return Jsonb(value, dumps=_strict)


def set_actor(who: Who) -> Statement:
    """Tells the audit who acts in this transaction."""
    return Statement("select hacs_audit.set_actor(%s, %s, %s)", (who.actor, who.purpose, who.request_id))


def put(resource: Resource, if_version: int | None) -> Operation[Stored]:
    """Stores a document in place of the one that was there."""
    try:
        document = _json(dumped(resource))
        _strict(document.obj)
    except ValueError as error:
        raise Refused(f"the document is no JSON: {error}") from None
    statement = "select resource_type, id, version_id, created from hacs_core.put(%s, %s::bigint)"
    rows = yield Statement(statement, (document, if_version))
    return Stored(*rows[0])


def save(resource: R, if_version: int | None) -> Operation[R]:
    """Stores it, and gives it back; a mapping without an id gets the one that was made up."""
    stored = yield from put(resource, if_version)
    if isinstance(resource, Mapping) and not resource.get("id"):
        return cast("R", {**resource, "id": stored.id})
    return resource


def update(resource: R, if_version: int | None) -> Operation[R]:
    """Stores it in place of the one that is there; an error where there is none."""
    document = dumped(resource)
    name, resource_id = document.get("resource_type", document.get("resourceType")), document.get("id")
    # It locks the row, so that nobody removes it meanwhile.
    rows = yield Statement("select hacs_core.lock_version(%s, %s)", (name, resource_id))
    if rows[0][0] is None:
        raise NotFound(f"there is no {name}/{resource_id} to update")
    yield from put(resource, if_version)
    return resource


def put_all(resources: Iterable[Resource]) -> Operation[list[Stored]]:
    """Stores several, all or none, in whatever order they refer to each other."""
    documents = _json([dumped(resource) for resource in resources])
    statement = "select resource_type, id, version_id, created from hacs_core.put_all(%s) order by ordinal"
    rows = yield Statement(statement, (documents,))
    return [Stored(*row) for row in rows]


def find(resource_type: str | type[T], resource_id: str) -> Operation[Any]:
    """A document, or None."""
    rows = yield Statement("select hacs_core.get(%s, %s)", (type_name(resource_type), resource_id))
    return None if rows[0][0] is None else made(resource_type, rows[0][0])


def read(resource_type: str | type[T], resource_id: str) -> Operation[Any]:
    """A document; an error where there is none."""
    found = yield from find(resource_type, resource_id)
    if found is None:
        raise NotFound(f"there is no {type_name(resource_type)}/{resource_id}")
    return found


def read_versioned(resource_type: str | type[T], resource_id: str) -> Operation[Versioned]:
    """A document with its version, both of one moment."""
    name = type_name(resource_type)
    tables = yield Statement(
        "select n.nspname, c.relname from pg_catalog.pg_class as c "
        "join pg_catalog.pg_namespace as n on n.oid = c.relnamespace where c.oid = hacs_core.document_table(%s)",
        (name,),
    )
    condition = sql.SQL("t.id = %s")
    parameters: tuple[str, ...] = (name, resource_id, resource_id)
    if not tables:
        tables = [("hacs_core", "resources")]
        condition = sql.SQL("t.id = %s and t.resource_type = %s")
        parameters = (name, resource_id, resource_id, name)
    rows = yield Statement(
        sql.SQL("select hacs_core.get(%s, %s), t.version_id from {} as t where ").format(sql.Identifier(*tables[0]))
        + condition,
        parameters,
    )
    if not rows or rows[0][0] is None:
        raise NotFound(f"there is no {name}/{resource_id}")
    return Versioned(made(resource_type, rows[0][0]), rows[0][1])


def patch(
    resource_type: str | type[Any], resource_id: str, merge: Mapping[str, Any], if_version: int | None
) -> Operation[int]:
    """Changes some fields by a merge patch (RFC 7396), and gives the version."""
    statement = "select hacs_core.patch(%s, %s, %s, %s::bigint)"
    rows = yield Statement(statement, (type_name(resource_type), resource_id, _json(dict(merge)), if_version))
    return cast("int", rows[0][0])


def delete(resource_type: str | type[Any], resource_id: str, if_version: int | None) -> Operation[bool]:
    """Removes a document, and tells whether there was one."""
    statement = "select hacs_core.remove(%s, %s, %s::bigint)"
    rows = yield Statement(statement, (type_name(resource_type), resource_id, if_version))
    return cast("bool", rows[0][0])


def search(
    resource_type: str | type[T], filters: Mapping[str, Any] | None, limit: int, offset: int, scan: bool
) -> Operation[list[Any]]:
    """Documents, newest first where the table may be scanned, in no order where only an index is to be used."""
    asked = _json(dict(filters or {}))
    name = type_name(resource_type)
    if scan:
        statement = Statement("select * from hacs_core.scan(%s, %s, %s, %s)", (name, asked, limit, offset))
    else:
        statement = Statement(
            "select * from hacs_core.search(%s, %s, %s) offset %s", (name, asked, limit + offset, offset)
        )
    rows = yield statement
    return [made(resource_type, row[0]) for row in rows]


def changes(cursor: str | None, limit: int) -> Operation[Changes]:
    """The changes after a cursor, each once and none missing."""
    columns = ", ".join(f"(change).{field.name}" for field in fields(Change))
    statement = f"select next_cursor, {columns} from hacs_audit.changes_since(%s, %s)"
    rows = yield Statement(statement, (cursor, limit))
    return Changes([Change(*row[1:]) for row in rows if row[1] is not None], rows[-1][0] if rows else cursor)
