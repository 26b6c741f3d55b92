-- Devices: what measures. A new table locks nobody out, whatever it takes to make it.

create table if not exists hacs_core.devices (
    id text primary key default gen_random_uuid()::text,
    resource_type text not null default 'Device'
        constraint devices_resource_type_valid check (resource_type = 'Device'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    name text not null,
    serial_number text,
    extra jsonb not null default '{}' constraint devices_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,

    constraint devices_id_form check (hacs_core.is_id(id)),
    constraint devices_times_finite check (
        least(created_at, updated_at) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at) < '10000-01-01 00:00+00'
    ),
    constraint devices_name_present check (not hacs_core.is_blank(name))
);

comment on table hacs_core.devices is 'One row is a device that measures or treats (FHIR Device)';
comment on column hacs_core.devices.id is 'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_core.devices.resource_type is 'Always Device (FHIR resourceType)';
comment on column hacs_core.devices.created_at is 'When the resource was made; stays as the document says';
comment on column hacs_core.devices.updated_at is 'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_core.devices.name is 'What people call it (FHIR Device.deviceName)';
comment on column hacs_core.devices.serial_number is 'Number that the maker gave it (FHIR Device.serialNumber)';
comment on column hacs_core.devices.extra is 'Top-level keys of the document that have no column of their own';
comment on column hacs_core.devices.version_id is 'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';
comment on constraint devices_id_form on hacs_core.devices is 'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint devices_times_finite on hacs_core.devices is 'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';
comment on constraint devices_name_present on hacs_core.devices is 'The name is not blank';

create or replace trigger devices_touch_updated_at
    before update on hacs_core.devices
    for each row execute function hacs_core.touch_resource();

select hacs_audit.attach('hacs_core.devices');

-- put, get and the others have to know the table.
select hacs_core.attach_documents('hacs_core.devices');
