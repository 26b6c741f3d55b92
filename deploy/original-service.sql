-- What a service of the original system does: its adapter sets up its table at the first connection, and then stores
-- whole documents in it. For docker-compose.follow.yml, in place of such a service.
\set ON_ERROR_STOP on

create table if not exists public.hacs_resources (
    id text primary key,
    resource_type text not null,
    data jsonb not null,
    created_at timestamp with time zone default now(),
    updated_at timestamp with time zone default now(),
    created_by text,
    updated_by text
);
create index if not exists idx_hacs_resources_type on public.hacs_resources (resource_type);
create index if not exists idx_hacs_resources_created_at on public.hacs_resources (created_at);
create index if not exists idx_hacs_resources_data_gin on public.hacs_resources using gin (data);

insert into public.hacs_resources (id, resource_type, data, created_by, updated_by)
values
    (
        's1', 'Patient',
        '{"resource_type": "Patient", "id": "s1", "full_name": "Ada Lovelace", "gender": "female"}',
        'doctor/1', 'doctor/1'
    ),
    (
        's2', 'Patient',
        '{"resource_type": "Patient", "id": "s2", "full_name": "Grace Hopper", "gender": "unheard of"}',
        'doctor/1', 'doctor/1'
    )
on conflict (id) do update set data = excluded.data, updated_at = now(), updated_by = excluded.updated_by;
