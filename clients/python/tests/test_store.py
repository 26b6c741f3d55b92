import threading
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from hacs_refinery_store import Conflict, NotFound, Refused, Store, StoreError, Unavailable, acting

ADA: dict[str, Any] = {
    "resource_type": "Patient",
    "id": "p1",
    "given": ["Ada"],
    "family": "Lovelace",
    "birth_date": "1815-12-10",
}


@dataclass
class Patient:
    """As a model of HACS: its keys are arguments, and model_dump gives them back."""

    resource_type: str = "Patient"
    id: str | None = None
    family: str | None = None

    def __init__(self, **document: Any) -> None:
        self.id, self.family = document.get("id"), document.get("family")

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        assert mode == "json"
        return {"resource_type": "Patient", **asdict(self)}


@dataclass
class Actor:
    id: str


def the_only_change(store: Store) -> Any:
    changes = store.changes().changes
    assert len(changes) == 1
    return changes[0]


def test_what_is_saved_is_read(store: Store) -> None:
    assert store.save(ADA) == ADA
    assert ADA.items() <= store.read("Patient", "p1").items()
    assert store.get("Patient", "p2") is None


def test_a_missing_id_is_made_up(store: Store) -> None:
    saved = store.save({"resource_type": "Patient", "family": "Hopper", "given": ["Grace"]})
    assert store.read("Patient", str(saved["id"]))["family"] == "Hopper"


def test_a_class_gives_instances(store: Store) -> None:
    patient = Patient(id="p1", family="Lovelace")
    assert store.save(patient) is patient
    assert store.read(Patient, "p1") == patient
    assert store.search(Patient, {"family": "Lovelace"}) == [patient]
    assert store.delete(Patient, "p1") is True
    assert store.delete(Patient, "p1") is False


def test_the_audit_knows_who_acted(store: Store) -> None:
    store.save(ADA, Actor("practitioner/42"))
    assert the_only_change(store).actor_id == "practitioner/42"
    assert store.changes().changes[0].purpose is None


def test_the_audit_knows_who_acts_in_the_surroundings(store: Store) -> None:
    with acting("practitioner/1", purpose="treatment", request_id="r-1"):
        store.save(ADA)
        with acting("practitioner/2"):
            store.patch("Patient", "p1", {"gender": "female"})
        store.delete("Patient", "p1", "practitioner/3")
    store.save(ADA)
    found = [(c.operation, c.actor_id, c.purpose, c.request_id) for c in store.changes().changes]
    assert found == [
        ("INSERT", "practitioner/1", "treatment", "r-1"),
        ("UPDATE", "practitioner/2", None, None),
        ("DELETE", "practitioner/3", "treatment", "r-1"),
        ("INSERT", None, None, None),
    ]


def test_another_thread_has_no_actor_of_this_one(store: Store) -> None:
    with acting("practitioner/1"):
        thread = threading.Thread(target=store.save, args=[ADA])
        thread.start()
        thread.join()
    assert the_only_change(store).actor_id is None


@pytest.mark.parametrize("actor", ["", " ", Actor(""), Actor(None), 42])  # type: ignore[arg-type]
def test_an_actor_without_a_name_is_none(store: Store, actor: Any) -> None:
    with pytest.raises(TypeError):
        store.save(ADA, actor)
    assert store.changes().changes == []


def test_a_stale_version_is_a_conflict(store: Store) -> None:
    store.save(ADA, if_version=0)
    found = store.read_versioned("Patient", "p1")
    store.update({**found.document, "family": "King"}, if_version=found.version_id)
    with pytest.raises(Conflict, match="Patient/p1 has version 2, not 1"):
        store.update({**found.document, "family": "Byron"}, if_version=found.version_id)
    with pytest.raises(Conflict):
        store.delete("Patient", "p1", if_version=1)
    with pytest.raises(Conflict):
        store.patch("Patient", "p1", {"family": "Byron"}, if_version=1)
    assert store.patch("Patient", "p1", {"family": "Byron"}, if_version=2) == 3


def test_no_update_of_two_writers_is_lost(store: Store) -> None:
    store.save({"resource_type": "Note", "id": "n", "count": 0})

    def count() -> None:
        done = 0
        while done < 25:
            found = store.read_versioned("Note", "n")
            found.document["count"] += 1
            try:
                store.update(found.document, if_version=found.version_id)
                done += 1
            except Conflict:
                pass

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.read("Note", "n")["count"] == 100


def test_what_is_not_there_cannot_be_updated(store: Store) -> None:
    for missing in (ADA, {"resource_type": "CarePlan", "id": "c"}):
        with pytest.raises(NotFound):
            store.update(missing)
    for ask in (store.read, store.read_versioned):
        with pytest.raises(NotFound):
            ask("Patient", "p1")
        with pytest.raises(NotFound):
            ask("CarePlan", "c")
    with pytest.raises(NotFound):
        store.patch("Patient", "p1", {"family": "King"})
    assert store.changes().changes == []


def test_a_type_without_a_table_has_versions_too(store: Store) -> None:
    store.save({"resource_type": "CarePlan", "id": "c", "title": "one"})
    found = store.read_versioned("CarePlan", "c")
    assert (found.document["title"], found.version_id) == ("one", 1)


def test_what_breaks_a_rule_is_refused_by_name_and_without_values(store: Store) -> None:
    with pytest.raises(Refused) as refused:
        store.save({**ADA, "gender": "secret-value"})
    assert refused.value.constraint == "patients_gender_valid"
    assert refused.value.sqlstate == "23514"
    with pytest.raises(Refused) as wrong:
        store.save({**ADA, "birth_date": {"secret-value": 1}})
    assert wrong.value.field == "birth_date"
    with pytest.raises(Refused):
        store.put_all([ADA, {"resource_type": "Observation", "id": "o", "subject": "Patient/nobody"}])
    for error in (refused.value, wrong.value):
        assert "Lovelace" not in str(error)
        assert error.__cause__ is None
        assert error.__suppress_context__
    assert store.get("Patient", "p1") is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, object(), Decimal("1")])
def test_what_is_no_json_is_refused(store: Store, value: Any) -> None:
    with pytest.raises((Refused, TypeError)):
        store.save({**ADA, "extra_key": value})


@pytest.mark.parametrize("document", [{}, {"id": "p"}, {"resource_type": None}, {"resource_type": 1}])
def test_a_document_without_a_type_is_refused(store: Store, document: Any) -> None:
    with pytest.raises(Refused):
        store.save(document)


def test_several_go_in_together_in_any_order(store: Store) -> None:
    observation = {"resource_type": "Observation", "id": "o", "subject": "Patient/p1", "value_integer": 1}
    stored = store.put_all([observation, ADA])
    assert [(s.resource_type, s.id, s.created) for s in stored] == [("Observation", "o", True), ("Patient", "p1", True)]


def test_a_transaction_is_done_whole_or_not_at_all(store: Store) -> None:
    with pytest.raises(Refused), store.transaction("practitioner/42") as unit:
        unit.save(ADA)
        unit.save({**ADA, "id": "p2", "gender": "other-than-any"})
    assert store.changes().changes == []
    with store.transaction("practitioner/42") as unit:
        unit.save(ADA)
        unit.save({**ADA, "id": "p2"}, "agent/7")
        unit.save({**ADA, "id": "p3"})
        assert unit.connection.execute("select count(*) from hacs_core.patients").fetchone() == (3,)
    actors = [change.actor_id for change in store.changes().changes]
    assert actors == ["practitioner/42", "agent/7", "practitioner/42"]


def test_own_sql_in_a_transaction_fails_with_our_errors(store: Store) -> None:
    with pytest.raises(StoreError) as error, store.transaction() as unit:
        unit.connection.execute("insert into hacs_core.patients (id, family, gender) values ('p', 'Secret', 'none')")
    assert "Secret" not in str(error.value)


def test_search_takes_the_filters_of_the_original(store: Store) -> None:
    for number, family in enumerate(["Abel", "Byron", "Byron"]):
        store.save({"resource_type": "Patient", "id": f"p{number}", "family": family, "shoe_size": 40 + number})

    def found(*args: Any, **more: Any) -> list[str]:
        return [document["id"] for document in store.search("Patient", *args, **more)]

    assert found() == found(None, Actor("a")) == found(Actor("a")) == ["p2", "p1", "p0"]
    assert found({"family": "Byron"}) == found(Actor("a"), {"family": "Byron"}) == found({"family": "Byron"}, "a")
    assert found({"family": "Byron"}) == ["p2", "p1"]
    assert found({"family_like": "BEL"}) == ["p0"]
    assert found({"shoe_size_gte": 41, "shoe_size_lt": 42}) == ["p1"]
    assert found({"family_in": ["Abel", "Nobody"]}) == ["p0"]
    assert found({"shoe_size": 42}) == ["p2"]
    assert found({"nickname": None, "shoe_size_gt": "41"}) == ["p2"]
    assert found(limit=1, offset=1) == ["p1"]
    assert found({"id": "p1'; drop table hacs_core.patients; --"}) == []
    assert found({"x' or 'a' = 'a": "a"}) == []
    with pytest.raises(Refused):
        found({"family_in": "Abel"})


def test_search_without_a_scan_asks_an_index_alone(store: Store) -> None:
    store.save(ADA)
    assert store.search("Patient", {"family": "Lovelace"}, scan=False)[0]["id"] == "p1"
    with pytest.raises(Refused, match="no index serves it") as refused:
        store.search("Patient", {"nickname": "A"}, scan=False)
    assert refused.value.hint is not None
    assert "family" in refused.value.hint


def test_the_feed_goes_on_from_its_cursor(store: Store) -> None:
    for number in range(5):
        store.save({**ADA, "id": f"p{number}"})
    cursor, seen = None, []
    while True:
        page = store.changes(cursor, limit=2)
        cursor = page.cursor
        if not page.changes:
            break
        seen += [change.resource_id for change in page.changes]
    assert seen == [f"p{number}" for number in range(5)]
    store.save({**ADA, "id": "later"})
    assert [change.resource_id for change in store.changes(cursor).changes] == ["later"]


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with Store("host=127.0.0.1 port=1 dbname=nowhere", timeout=1) as store:
        assert store.health_check() is False
        with pytest.raises(Unavailable):
            store.save(ADA)


def test_a_connection_that_ends_is_unavailable_and_the_next_one_works(store: Store, conninfo: str) -> None:
    with pytest.raises(Unavailable), store.transaction() as unit:
        with psycopg.connect(conninfo) as other:
            other.execute("select pg_terminate_backend(%s)", [unit.connection.info.backend_pid])
        unit.save(ADA)
    assert store.health_check() is True
    assert store.get("Patient", "p1") is None


def test_a_store_can_be_closed_and_used_again(store: Store) -> None:
    store.save(ADA)
    store.disconnect()
    store.disconnect()
    assert store.read("Patient", "p1")["family"] == "Lovelace"


def test_the_rights_of_the_application_are_enough(store: Store, conninfo: str) -> None:
    # scripts/test-python.sh has granted them to hacs_python_app in the template.
    with Store(psycopg.conninfo.make_conninfo(conninfo, options="-c role=hacs_python_app")) as app:
        app.save(ADA, "practitioner/42")
        app.update({**ADA, "family": "King"})
        assert app.read_versioned("Patient", "p1").version_id == 2
        assert len(app.search("Patient")) == 1
        with pytest.raises(StoreError) as denied:
            app.changes()
        assert denied.value.sqlstate == "42501"
        assert app.delete("Patient", "p1") is True


def test_the_example_of_the_readme_works(conninfo: str) -> None:
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    code = readme.split("```python\n")[1].split("```")[0]
    named = '"postgresql://hacs_app@localhost/hacs"'
    assert named in code
    exec(code.replace(named, repr(conninfo)), {})
    with Store(conninfo) as store:
        assert store.read("Patient", "p1")["family"] == "Lovelace"
        assert {change.purpose for change in store.changes().changes} == {"treatment"}
