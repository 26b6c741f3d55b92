-- Agents: what they remember, and what they say to each other and to people.

-------------------------------------------------------------------------------------------------------------------
-- Memories of agents.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_agents.memories (
    id text primary key default gen_random_uuid()::text,
    resource_type text not null default 'Memory'
        constraint memories_resource_type_valid check (resource_type = 'Memory'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    memory_type text not null
        constraint memories_memory_type_valid
            check (memory_type = any ('{semantic, episodic, procedural, executive, working}')),
    content text not null,
    actor_id text,
    importance hacs_core.score not null default 0.5,
    last_accessed timestamptz,
    metadata jsonb not null default '{}'
        constraint memories_metadata_object check (jsonb_typeof(metadata) = 'object'),
    extra jsonb not null default '{}' constraint memories_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,

    constraint memories_id_form check (hacs_core.is_id(id)),
    constraint memories_times_finite check (
        least(created_at, updated_at, last_accessed) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at, last_accessed) < '10000-01-01 00:00+00'
    )
);

comment on table hacs_agents.memories is
    'One row is one thing an AI agent remembers (a fact, an event or a way of working), kept for later recall. A HACS '
    'resource without a FHIR counterpart';
comment on column hacs_agents.memories.id is 'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_agents.memories.resource_type is 'Always Memory (FHIR resourceType)';
comment on column hacs_agents.memories.created_at is 'When the resource was made; stays as the document says';
comment on column hacs_agents.memories.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_agents.memories.memory_type is
    'Whether the memory is a fact, an experience or a know-how; steers how it is recalled';
comment on column hacs_agents.memories.content is
    'Text of the memory itself, as it is searched and handed back to the agent';
comment on column hacs_agents.memories.actor_id is
    'Bare id of the actor (agent or person) the memory belongs to; limits who recalls it';
comment on column hacs_agents.memories.importance is
    'Weight of the memory as a score from 0 (trivial) to 1 (vital), used to rank and prune';
comment on column hacs_agents.memories.last_accessed is
    'UTC instant at which the memory was last recalled; null if never, old ones may be pruned';
comment on column hacs_agents.memories.metadata is
    'Free key-value details about the memory, e.g. its origin, beyond the fixed columns';
comment on column hacs_agents.memories.extra is 'Top-level keys of the document that have no column of their own';
comment on column hacs_agents.memories.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';

comment on constraint memories_id_form on hacs_agents.memories is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint memories_times_finite on hacs_agents.memories is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';

create index if not exists memories_actor_id_idx on hacs_agents.memories (actor_id, importance desc, created_at desc);

create or replace trigger memories_touch_updated_at
    before update on hacs_agents.memories
    for each row execute function hacs_core.touch_resource();

-------------------------------------------------------------------------------------------------------------------
-- Messages between agents and people.
-------------------------------------------------------------------------------------------------------------------

create table if not exists hacs_agents.messages (
    id text primary key default gen_random_uuid()::text,
    resource_type text not null default 'AgentMessage'
        constraint messages_resource_type_valid check (resource_type = 'AgentMessage'),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    role text not null
        constraint messages_role_valid check (role = any (
            '{user, assistant, system, tool, agent, physician, nurse, patient, caregiver}'
        )),
    content text not null,
    message_type text not null default 'response'
        constraint messages_message_type_valid check (message_type = any (
            '{clinical_note, assessment, plan, instruction, question, response, alert, reminder, recommendation,
              summary, handoff, tool_call, tool_result}'
        )),
    priority text not null default 'normal'
        constraint messages_priority_valid check (priority = any ('{low, normal, high, urgent, critical}')),
    related_to hacs_core.texts not null default '{}',
    parent_message_id text,
    in_reply_to text,
    thread_id text,
    summary text,
    memory_handles hacs_core.texts not null default '{}',
    evidence_references hacs_core.texts not null default '{}',
    confidence_score hacs_core.score not null default 0.8,
    provenance jsonb not null default '{}'
        constraint messages_provenance_object check (jsonb_typeof(provenance) = 'object'),
    tool_calls jsonb not null default '[]' constraint messages_tool_calls_list check (hacs_core.is_list(tool_calls)),
    reasoning_trace jsonb not null default '[]'
        constraint messages_reasoning_trace_list check (hacs_core.is_list(reasoning_trace)),
    action_items jsonb not null default '[]'
        constraint messages_action_items_list check (hacs_core.is_list(action_items)),
    clinical_context jsonb not null default '{}'
        constraint messages_clinical_context_object check (jsonb_typeof(clinical_context) = 'object'),
    sender_id text,
    recipient_ids hacs_core.texts not null default '{}',
    tags hacs_core.texts not null default '{}',
    status text not null default 'sent'
        constraint messages_status_valid check (status = any ('{draft, sent, delivered, read, archived}')),
    requires_response boolean not null default false,
    response_deadline timestamptz,
    metadata jsonb not null default '{}'
        constraint messages_metadata_object check (jsonb_typeof(metadata) = 'object'),
    patient_id text,
    extra jsonb not null default '{}' constraint messages_extra_object check (jsonb_typeof(extra) = 'object'),
    version_id bigint not null default 1,

    local_patient_id text generated always as (hacs_core.reference_id(patient_id, 'Patient')) stored
        constraint messages_local_patient_id_fkey references hacs_core.patients deferrable initially immediate,
    parent_id text generated always as (hacs_core.reference_id(parent_message_id, 'AgentMessage')) stored
        constraint messages_parent_id_fkey references hacs_agents.messages deferrable initially immediate,
    in_reply_to_id text generated always as (hacs_core.reference_id(in_reply_to, 'AgentMessage')) stored
        constraint messages_in_reply_to_id_fkey references hacs_agents.messages deferrable initially immediate,

    constraint messages_id_form check (hacs_core.is_id(id)),
    constraint messages_parent_other check (parent_id <> id),
    constraint messages_in_reply_to_other check (in_reply_to_id <> id),
    constraint messages_times_finite check (
        least(created_at, updated_at, response_deadline) >= '0001-01-01 00:00+00'
        and greatest(created_at, updated_at, response_deadline) < '10000-01-01 00:00+00'
    ),
    constraint messages_content_present check (not hacs_core.is_blank(content))
);

comment on table hacs_agents.messages is
    'One row is a message between agents, clinicians or patients, with its thread, reasoning and tool calls. A HACS '
    'resource without a FHIR counterpart';
comment on column hacs_agents.messages.id is 'Identity of the resource, unique within its type (FHIR Resource.id)';
comment on column hacs_agents.messages.resource_type is 'Always AgentMessage (FHIR resourceType)';
comment on column hacs_agents.messages.created_at is 'When the resource was made; stays as the document says';
comment on column hacs_agents.messages.updated_at is
    'When it was last changed; an UPDATE that does not set it gets the current time (FHIR Meta.lastUpdated)';
comment on column hacs_agents.messages.role is
    'In what capacity the sender speaks; decides how a model or reader treats the text';
comment on column hacs_agents.messages.content is 'Full text of the message as written by the sender';
comment on column hacs_agents.messages.message_type is
    'Purpose of the message, so that receivers can sort notes, alerts, tool traffic and the like';
comment on column hacs_agents.messages.priority is
    'How urgently the message should be read; high ones go first in an inbox';
comment on column hacs_agents.messages.related_to is
    'Ids or references of any resources the message is about, one per entry';
comment on column hacs_agents.messages.parent_message_id is
    'Bare id of the message one level up in the thread tree; null for the first one';
comment on column hacs_agents.messages.in_reply_to is
    'Bare id of the message that is being answered, which need not be its parent in the tree';
comment on column hacs_agents.messages.thread_id is
    'Key shared by all messages of one conversation, used to fetch it as a whole';
comment on column hacs_agents.messages.summary is 'Short version of content for lists and for a limited model context';
comment on column hacs_agents.messages.memory_handles is
    'Bare ids of Memory rows that were recalled for, or made from, this message';
comment on column hacs_agents.messages.evidence_references is
    'Bare ids of evidence items that back the statements; HACS also calls it evidence_links';
comment on column hacs_agents.messages.confidence_score is
    'How sure the sender is of the content, as a score from 0 (unsure) to 1 (certain)';
comment on column hacs_agents.messages.provenance is
    'Where the content came from, e.g. model, source and processing, kept for audits';
comment on column hacs_agents.messages.tool_calls is
    'Tools invoked with this message: name, arguments and, where kept, result of each';
comment on column hacs_agents.messages.reasoning_trace is
    'Ordered steps by which the agent reached its answer, kept for review and audit';
comment on column hacs_agents.messages.action_items is
    'Tasks that follow from the message, one object per task for whoever has to act';
comment on column hacs_agents.messages.clinical_context is
    'Medical background the message relies on, e.g. encounter or problem, as key-value data';
comment on column hacs_agents.messages.sender_id is
    'Bare id of the actor that sent the message, be it an agent or a person';
comment on column hacs_agents.messages.recipient_ids is
    'Bare ids of the actors the message is addressed to, one per entry';
comment on column hacs_agents.messages.tags is 'Free keywords for grouping and searching messages, one per entry';
comment on column hacs_agents.messages.status is 'How far the message has got from writing through delivery to archive';
comment on column hacs_agents.messages.requires_response is
    'True if the sender expects an answer; the limit is in response_deadline';
comment on column hacs_agents.messages.response_deadline is
    'UTC instant by which an answer is due, where requires_response is true';
comment on column hacs_agents.messages.metadata is
    'Free key-value details for technical use, e.g. channel or model, beyond the fixed columns';
comment on column hacs_agents.messages.patient_id is
    'Bare id of the patient the message concerns; null if it is about no single patient';
comment on column hacs_agents.messages.extra is 'Top-level keys of the document that have no column of their own';
comment on column hacs_agents.messages.version_id is
    'Counts the changes of the row, from 1; no field of the document (FHIR Meta.versionId)';
comment on column hacs_agents.messages.local_patient_id is
    'Local Patient that patient_id points to; null where patient_id is absent or points elsewhere';
comment on column hacs_agents.messages.parent_id is
    'Local AgentMessage that parent_message_id points to; null where parent_message_id is absent or points elsewhere';
comment on column hacs_agents.messages.in_reply_to_id is
    'Local AgentMessage that in_reply_to points to; null where in_reply_to is absent or points elsewhere';

comment on constraint messages_id_form on hacs_agents.messages is
    'An id is not blank, no longer than 2048 bytes, and can be reached by a reference';
comment on constraint messages_parent_other on hacs_agents.messages is 'A message is not its own parent';
comment on constraint messages_in_reply_to_other on hacs_agents.messages is 'A message does not answer itself';
comment on constraint messages_times_finite on hacs_agents.messages is
    'Days and times lie in the years 0001 to 9999, in UTC; infinity is none';
comment on constraint messages_content_present on hacs_agents.messages is
    'A message says something: its content is not blank';

create index if not exists messages_thread_id_idx on hacs_agents.messages using hash (thread_id);
create index if not exists messages_unread_recipient_ids_idx on hacs_agents.messages using gin (recipient_ids)
    where status in ('sent', 'delivered');
create index if not exists messages_local_patient_id_idx on hacs_agents.messages (local_patient_id)
    where local_patient_id is not null;
create index if not exists messages_parent_id_idx on hacs_agents.messages (parent_id) where parent_id is not null;
create index if not exists messages_in_reply_to_id_idx on hacs_agents.messages (in_reply_to_id)
    where in_reply_to_id is not null;

create or replace trigger messages_touch_updated_at
    before update on hacs_agents.messages
    for each row execute function hacs_core.touch_resource();
