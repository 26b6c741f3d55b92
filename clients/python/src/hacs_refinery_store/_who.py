"""Who acts, as the audit is told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@runtime_checkable
class HasId(Protocol):
    """What HACS calls an actor: its id is what the audit records."""

    @property
    def id(self) -> str: ...


Actor = str | HasId


@dataclass(frozen=True)
class Who:
    """An actor, what for, and in which request."""

    actor: str
    purpose: str | None = None
    request_id: str | None = None


_acting: ContextVar[Who | None] = ContextVar("acting", default=None)


def name_of(actor: Actor) -> str:
    """The id of an actor; an error where it has none, so that nobody acts without a name by mistake."""
    name = actor if isinstance(actor, str) else getattr(actor, "id", None)
    if not isinstance(name, str) or not name.strip():
        raise TypeError("an actor is a text, or has one as its id")
    return name


@contextmanager
def acting(actor: Actor, *, purpose: str | None = None, request_id: str | None = None) -> Iterator[None]:
    """Everything within is done by this actor, unless a call names another one.

    It counts for the thread or the task that says so, and for the tasks that this one starts.
    """
    token = _acting.set(Who(name_of(actor), purpose, request_id))
    try:
        yield
    finally:
        _acting.reset(token)


def who_acts(actor: Actor | None) -> Who | None:
    """The actor of a call, or else of the surroundings. A call's actor keeps the purpose and the request of them."""
    surroundings = _acting.get()
    if actor is None:
        return surroundings
    if surroundings is None:
        return Who(name_of(actor))
    return Who(name_of(actor), surroundings.purpose, surroundings.request_id)
