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

    constraint devices_times_finite check (isfinite(created_at) and isfinite(updated_at)),
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
comment on constraint devices_times_finite on hacs_core.devices is 'Infinity is not a date';
comment on constraint devices_name_present on hacs_core.devices is 'The name is not blank';

create or replace trigger devices_touch_updated_at
    before update on hacs_core.devices
    for each row when (new.updated_at is not distinct from old.updated_at)
    execute function hacs_core.touch_updated_at();

select hacs_audit.attach('hacs_core.devices');
