import asyncio
from typing import Any

import pytest

from hacs_refinery_store import AsyncStore, Conflict, NotFound, Refused, acting

ADA: dict[str, Any] = {"resource_type": "Patient", "id": "p1", "given": ["Ada"], "family": "Lovelace"}


class Patient:
    def __init__(self, **document: Any) -> None:
        self.document = document

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        return self.document


class Actor:
    id = "practitioner/42"


async def test_it_is_called_as_the_original_adapter_is(conninfo: str) -> None:
    adapter = AsyncStore(conninfo)
    await adapter.connect()
    patient, actor = Patient(**ADA), Actor()
    assert await adapter.save(patient, actor) is patient
    assert (await adapter.read(Patient, "p1", actor)).document["family"] == "Lovelace"
    patient.document["family"] = "King"
    assert await adapter.update(patient, actor) is patient
    found = await adapter.search(resource_type=Patient, actor=actor, filters={"family": "King"}, limit=10)
    assert [one.document["id"] for one in found] == ["p1"]
    assert await adapter.delete(Patient, "p1", actor) is True
    assert await adapter.delete(Patient, "p1", actor) is False
    with pytest.raises(RuntimeError):
        await adapter.read(Patient, "p1", actor)
    with pytest.raises(RuntimeError):
        await adapter.update(patient, actor)
    assert await adapter.health_check() is True
    assert {change.actor_id for change in (await adapter.changes()).changes} == {"practitioner/42"}
    await adapter.disconnect()


async def test_tasks_have_actors_of_their_own(async_store: AsyncStore) -> None:
    async def as_somebody(number: int) -> None:
        with acting(f"practitioner/{number}"):
            await asyncio.sleep(0)
            await async_store.save({**ADA, "id": f"p{number}"})

    await asyncio.gather(*(as_somebody(number) for number in range(40)))
    changes = (await async_store.changes()).changes
    assert len(changes) == 40
    assert all(change.actor_id == f"practitioner/{(change.resource_id or '')[1:]}" for change in changes)


async def test_the_rest_works_as_in_the_synchronous_store(async_store: AsyncStore) -> None:
    async with async_store.transaction("agent/1") as unit:
        stored = await unit.put(ADA)
        assert (stored.version_id, stored.created) == (1, True)
    found = await async_store.read_versioned("Patient", "p1")
    with pytest.raises(Conflict):
        await async_store.put(ADA, if_version=found.version_id + 1)
    with pytest.raises(NotFound):
        await async_store.read("Patient", "nobody")
    with pytest.raises(Refused):
        await async_store.save({**ADA, "gender": "none of these"})
    assert await async_store.patch("Patient", "p1", {"gender": "female"}) == 2
    assert await async_store.get("Patient", "nobody") is None
    assert len(await async_store.put_all([{**ADA, "id": "p2"}, {**ADA, "id": "p3"}])) == 2


async def test_an_operation_that_is_cancelled_changes_nothing(async_store: AsyncStore) -> None:
    async def stall() -> None:
        async with async_store.transaction() as unit:
            await unit.save(ADA)
            await asyncio.Event().wait()

    task = asyncio.create_task(stall())
    while not task.done() and not await async_store.search("Nothing"):
        await asyncio.sleep(0.05)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await async_store.get("Patient", "p1") is None
