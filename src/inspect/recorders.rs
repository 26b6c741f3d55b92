//! The functions of the audit that are what `hacs_audit.attach` writes for the tables as they are now.

use std::collections::BTreeSet;

use crate::schema::manifest::Manifest;
use crate::server::{Connection, Message};

/// The audited tables whose function is what would be written now, own tables and own columns included.
const QUERY: &str = "select format('hacs_audit.%I()', p.proname)
    from pg_trigger as t
    join pg_class as c on c.oid = t.tgrelid
    join pg_namespace as n on n.oid = c.relnamespace
    join pg_proc as p on p.oid = t.tgfoid
    join pg_class as trail on trail.oid = 'hacs_audit.resource_changes'::regclass
    cross join lateral string_to_array(encode(t.tgargs, 'escape'), '\\000') as a (list)
    where t.tgname = 'audit_row' and not t.tgisinternal
        and p.pronamespace = trail.relnamespace and p.proname = left('record_' || n.nspname || '_' || c.relname, 63)
        and p.prosecdef and p.proowner = trail.relowner and p.prokind = 'f' and p.pronargs = 0
        and p.proconfig is not distinct from hacs_audit.recorder_settings(c.oid::regclass)
        and p.prosrc = hacs_audit.recorder_source(c.oid::regclass, a.list[3], a.list[4], a.list[5])";

/// Asks the database, where all that answers is what the migrations made. Who may not ask sees the differences.
pub(super) fn as_attached(client: &mut dyn Connection, expected: &Manifest, found: &Manifest) -> BTreeSet<String> {
    let is_written = |name: &str| name.starts_with("hacs_audit.record_");
    let of_audit = |manifest: &Manifest| -> Vec<(String, String)> {
        let functions = manifest.objects().filter(|(object, _)| {
            object.kind == "function" && object.name.starts_with("hacs_audit.") && !is_written(&object.name)
        });
        functions.map(|(object, definition)| (object.name.clone(), definition.to_owned())).collect()
    };
    let written = |manifest: &Manifest| -> Vec<(String, String)> {
        let functions = manifest.objects().filter(|(object, _)| object.kind == "function" && is_written(&object.name));
        functions.map(|(object, definition)| (object.name.clone(), definition.to_owned())).collect()
    };
    if of_audit(expected) != of_audit(found) || written(expected) == written(found) {
        return BTreeSet::new();
    }
    let mut message = Message::new();
    let at = message.ask(QUERY);
    match message.send(client) {
        Ok(answers) => answers.rows(at).map(|row| row.string(0)).collect(),
        Err(failure) => {
            log::debug!("the functions of the audit could not be compared with what it would write now: {failure}");
            BTreeSet::new()
        }
    }
}
