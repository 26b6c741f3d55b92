-- Observations get the device that made them and a priority, and from now on have to name their source. Nothing in here
-- reads the table, so that its lock, ACCESS EXCLUSIVE from the first ALTER TABLE to the commit, is short.

-- Whoever waits for a table makes all others wait behind: better to give up soon, and to be tried again.
set local lock_timeout = '100ms';

-- Not a generated column, as a table has from its beginning: to add one writes the whole table anew.
create or replace function hacs_core.set_observation_device() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
    new.device_id := hacs_core.reference_id(new.device, 'Device');
    return new;
end
$$;
comment on function hacs_core.set_observation_device() is 'Trigger: device_id from device';
revoke all on function hacs_core.set_observation_device() from public;

-- A default that is the same for all rows is not written into them.
alter table hacs_core.observations
    add column if not exists device text,
    add column if not exists device_id text,
    add column if not exists priority text not null default 'routine';

comment on column hacs_core.observations.device is 'What measured: Device/<id>, a bare id or a URL (FHIR Observation.device)';
comment on column hacs_core.observations.device_id is 'Local Device that device points to; null where device is absent or points elsewhere';
comment on column hacs_core.observations.priority is 'How urgent it was: routine, urgent or stat';

create or replace trigger observations_set_device
    before insert or update on hacs_core.observations
    for each row execute function hacs_core.set_observation_device();

-- Not valid: they hold for what is written from now on. V102 looks at the rows that are there.
do $$
begin
    if not exists (
        select from pg_constraint
        where conrelid = 'hacs_core.observations'::regclass and conname = 'observations_priority_valid'
    ) then
        alter table hacs_core.observations
            add constraint observations_priority_valid check (priority = any ('{routine, urgent, stat}')) not valid,
            add constraint observations_source_known check (source is not null) not valid,
            add constraint observations_device_id_fkey foreign key (device_id) references hacs_core.devices
                deferrable initially immediate not valid;
    end if;
end
$$;

comment on constraint observations_source_known on hacs_core.observations is 'Somebody or something is named as the source';

-- The audit has to know the new columns, and so have put, get and the others.
select hacs_audit.attach('hacs_core.observations', patient_column => 'patient_id');
select hacs_core.attach_documents('hacs_core.observations');
