"""What docs/data.md says of SQLAlchemy and Django, which read and write the tables themselves."""

import subprocess
import sys

import sqlalchemy as sa
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.dialects.postgresql import ARRAY, JSONB


def engine(conninfo: str) -> sa.Engine:
    of = conninfo_to_dict(conninfo)
    user, database, host = (str(of[name]) for name in ("user", "dbname", "host"))
    url = sa.URL.create("postgresql+psycopg", user, database=database, query={"host": host})
    return sa.create_engine(url, poolclass=sa.NullPool)


def test_sqlalchemy_reflects_the_tables_and_leaves_generated_columns_out(conninfo: str) -> None:
    tables = sa.MetaData()
    tables.reflect(engine(conninfo), schema="hacs_core")
    patients, observations = tables.tables["hacs_core.patients"], tables.tables["hacs_core.observations"]
    with engine(conninfo).begin() as connection:
        connection.execute(patients.insert().values(id="p1", family="Byron", given=["Ada", "Augusta"]))
        connection.execute(observations.insert().values(id="o1", subject="Patient/p1", value_integer=1))
    with engine(conninfo).connect() as connection:
        assert connection.execute(sa.select(observations.c.patient_id)).scalar_one() == "p1"


def test_sqlalchemy_looks_into_lists_with_a_cast(conninfo: str) -> None:
    tables = sa.MetaData()
    tables.reflect(engine(conninfo), schema="hacs_core", only=["patients"])
    patients = tables.tables["hacs_core.patients"]
    with engine(conninfo).begin() as connection:
        connection.execute(
            patients.insert().values(id="p1", given=["Ada"], identifiers=[{"system": "s", "value": "1"}])
        )
    ask = sa.select(patients.c.id)
    texts = ask.where(sa.cast(patients.c.given, ARRAY(sa.Text)).contains(["Ada"]))
    objects = ask.where(sa.cast(patients.c.identifiers, JSONB).contains([{"value": "1"}]))
    with engine(conninfo).connect() as connection:
        assert connection.execute(texts).scalar_one() == "p1"
        assert connection.execute(objects).scalar_one() == "p1"


DJANGO = """
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=[], DATABASES={{"default": {{
    "ENGINE": "django.db.backends.postgresql", "HOST": {host!r}, "NAME": {dbname!r}, "USER": {user!r}
}}}})
django.setup()
from django.db import models
from django.contrib.postgres.fields import ArrayField

class Observation(models.Model):
    id = models.TextField(primary_key=True)
    subject = models.TextField()
    value_integer = models.IntegerField(null=True)
    patient_id = models.GeneratedField(expression=models.F("subject"), output_field=models.TextField(), db_persist=True)

    class Meta:
        app_label = "hacs"
        managed = False
        db_table = 'hacs_core"."observations'

class Patient(models.Model):
    id = models.TextField(primary_key=True)
    family = models.TextField()
    given = ArrayField(models.TextField(), default=list)

    class Meta:
        app_label = "hacs"
        managed = False
        db_table = 'hacs_core"."patients'

Patient.objects.create(id="p1", family="Byron", given=["Ada"])
Observation.objects.create(id="o1", subject="Patient/p1", value_integer=1)
assert Observation.objects.get(patient_id="p1").id == "o1"
Patient.objects.filter(id="p1").update(family="King")
assert Patient.objects.get(family="King").given == ["Ada"]
print("done")
"""


def test_django_models_leave_out_what_has_a_default_and_declare_what_is_generated(conninfo: str) -> None:
    of = conninfo_to_dict(conninfo)
    program = DJANGO.format(host=of["host"], dbname=of["dbname"], user=of.get("user"))
    end = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert end.stdout == "done\n", end.stderr
