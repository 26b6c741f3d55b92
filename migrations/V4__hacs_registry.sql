-- The registry: knowledge that agents retrieve, and templates that people and agents fill in.

-------------------------------------------------------------------------------------------------------------------
-- Knowledge items: facts with their embeddings.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_registry.knowledge_items (
    id text primary key default gen_random_uuid()::text,
    resource_type text not null default 'KnowledgeItem'
        constraint knowledge_items_resource_type_valid check (resource_type = 'KnowledgeItem'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    content text not null,
    embedding double precision[],
    source text,
    metadata jsonb not null default '{}'
        constraint knowledge_items_metadata_object check (jsonb_typeof(metadata) = 'object'),
    extra jsonb not null default '{}' constraint knowledge_items_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,

    constraint knowledge_items_id_form check (hacs_core.is_id(id)),
    constraint knowledge_items_times_finite check (
        least(created_at, updated_at) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at) < '10000-01-01 00:00+00'
    ),
    constraint knowledge_items_embedding_numbers check (
        coalesce(array_ndims(embedding), 1) = 1
        and array_position(embedding, null) is null
        and array_position(embedding, 'NaN') is null
        and array_position(embedding, 'Infinity') is null
        and array_position(embedding, '-Infinity') is null
    )
);

comment on table hacs_registry.knowledge_items is
    'One row is a passage of reference knowledge that agents retrieve by meaning to ground their answers; HACS '
    'resource without a FHIR counterpart';
comment on column hacs_registry.knowledge_items.id is
    'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_registry.knowledge_items.resource_type is 'Always KnowledgeItem (FHIR resourceType)';
comment on column hacs_registry.knowledge_items.created_at is 'When the resource was made; stays as the document says';
comment on column hacs_registry.knowledge_items.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_registry.knowledge_items.content is
    'Text of the knowledge passage that is searched and handed to the agent as context';
comment on column hacs_registry.knowledge_items.embedding is
    'Vector of content for similarity search; its length depends on the embedding model, null until computed';
comment on column hacs_registry.knowledge_items.source is
    'Origin of the passage, such as a URL or file path, so that answers can cite it';
comment on column hacs_registry.knowledge_items.metadata is
    'Free-form facts about the passage, such as author or creation date, for filtering and display';
comment on column hacs_registry.knowledge_items.extra is
    'Top-level keys of the document that have no column of their own';
comment on column hacs_registry.knowledge_items.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';

comment on constraint knowledge_items_id_form on hacs_registry.knowledge_items is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint knowledge_items_times_finite on hacs_registry.knowledge_items is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';
comment on constraint knowledge_items_embedding_numbers on hacs_registry.knowledge_items is
    'A flat list of finite numbers, of any length';

create index if not exists knowledge_items_metadata_idx
    on hacs_registry.knowledge_items using gin (metadata jsonb_path_ops);

create or replace trigger knowledge_items_touch_updated_at
    before update on hacs_registry.knowledge_items
    for each row execute function hacs_core.touch_resource();

-------------------------------------------------------------------------------------------------------------------
-- Templates: forms, prompts and documents to be filled in. They have no HACS model; a name may have several versions.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_registry.templates (
    id text primary key default gen_random_uuid()::text,
    name text not null constraint templates_name_present check (not hacs_core.is_blank(name)),
    version text not null default '1',
    template_type text not null,
    description text,
    body jsonb not null constraint templates_body_object check (jsonb_typeof(body) = 'object'),
    status text not null default 'draft'
        constraint templates_status_valid check (status = any ('{draft, active, retired, unknown}')),
    tags hacs_core.texts not null default '{}',
    created_by text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),

    constraint templates_name_version_key unique (name, version),
    constraint templates_id_form check (hacs_core.is_id(id)),
    constraint templates_times_finite check (
        least(created_at, updated_at) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at) < '10000-01-01 00:00+00'
    )
);

comment on table hacs_registry.templates is 'One row is one version of a reusable template';
comment on column hacs_registry.templates.id is 'Identity of this version of the template';
comment on column hacs_registry.templates.name is
    'Name under which people and agents ask for it; the versions of one template share it';
comment on column hacs_registry.templates.version is 'Version of the template, unique under its name';
comment on column hacs_registry.templates.template_type is
    'What is made from it, such as a prompt, a form or a care plan';
comment on column hacs_registry.templates.description is 'What it is for, in words';
comment on column hacs_registry.templates.body is 'The template itself';
comment on column hacs_registry.templates.status is 'Whether it may be used (FHIR PublicationStatus)';
comment on column hacs_registry.templates.tags is 'Words to find it by';
comment on column hacs_registry.templates.created_by is 'Person or agent who stored this version';
comment on column hacs_registry.templates.created_at is 'When this version was stored';
comment on column hacs_registry.templates.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time';

comment on constraint templates_name_present on hacs_registry.templates is 'The name is not blank';
comment on constraint templates_id_form on hacs_registry.templates is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint templates_times_finite on hacs_registry.templates is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';

create or replace trigger templates_touch_updated_at
    before update on hacs_registry.templates
    for each row when (new.updated_at is not distinct from old.updated_at)
    execute function hacs_core.touch_updated_at();
