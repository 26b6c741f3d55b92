-- hacs-refinery: no transaction
-- What takes long on a big table, each statement on its own, while others read and write.

alter table hacs_core.observations validate constraint observations_priority_valid;
alter table hacs_core.observations validate constraint observations_source_known;
alter table hacs_core.observations validate constraint observations_device_id_fkey;

set maintenance_work_mem = '512MB';

create index concurrently if not exists observations_device_id_idx
    on hacs_core.observations (device_id) where device_id is not null;

create index concurrently if not exists observations_code_text_idx
    on hacs_core.observations (code_text, effective_datetime) where code_text is not null;
