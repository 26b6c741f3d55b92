"""A fresh database for each test: a copy of the one that TEST_DATABASE_URL names, which hacs-refinery has migrated."""

import os
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from hacs_refinery_store import AsyncStore, Store


@pytest.fixture
def conninfo() -> Iterator[str]:
    template = os.environ["TEST_DATABASE_URL"]
    name = f"test_{uuid4().hex}"
    with psycopg.connect(make_conninfo(template, dbname="postgres"), autocommit=True) as admin:
        create = sql.SQL("create database {} template {}")
        admin.execute(create.format(sql.Identifier(name), sql.Identifier(str(conninfo_to_dict(template)["dbname"]))))
        try:
            yield make_conninfo(template, dbname=name)
        finally:
            admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@pytest.fixture
def store(conninfo: str) -> Iterator[Store]:
    with Store(conninfo) as store:
        yield store


@pytest.fixture
async def async_store(conninfo: str) -> AsyncIterator[AsyncStore]:
    async with AsyncStore(conninfo) as store:
        yield store
