"""HACS documents in a database that hacs-refinery migrated.

The database does the work: its functions check, store, find and give back whole documents, and its audit records who
changed what. This package calls them, names the actor, and turns what they refuse into exceptions.
"""

from ._asynchronous import AsyncStore, AsyncUnit
from ._errors import Conflict, NotFound, Refused, StoreError, Unavailable
from ._operations import Change, Changes, Stored, Versioned
from ._synchronous import Store, Unit
from ._who import acting

__all__ = [
    "AsyncStore",
    "AsyncUnit",
    "Change",
    "Changes",
    "Conflict",
    "NotFound",
    "Refused",
    "Store",
    "StoreError",
    "Stored",
    "Unavailable",
    "Unit",
    "Versioned",
    "acting",
]
