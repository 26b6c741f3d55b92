//! Whether the functions that store and give documents are what `hacs_core.attach_documents` writes for the tables as they
//! are now. The manifest knows such a function by the hash in its first line, which whoever changes it may write anew.

use crate::schema::difference::{Change, Difference, GENERATED};
use crate::schema::manifest::Manifest;
use crate::server::{Connection, Message};

/// The tables first: what chooses among them is written anew with any of them.
const QUERY: &str = "
    with tables as materialized (
        select format('%I.%I', d.schema_name, d.table_name) as name, d.resource_type, d.documents
        from hacs_core.document_coverage as d
        where d.documents <> 'complete'
    )
    select 'documents', t.name, t.documents, format('select hacs_core.attach_documents(%L);', t.name) from tables as t
    union all
    select 'function', c.function, case when p.oid is null then 'missing' else 'altered' end,
        'select hacs_core.choose_documents();'
    from hacs_core.choice_sources() as c
    left join pg_proc as p on p.oid = to_regprocedure(c.function)
    where p.prosrc is distinct from c.body and not exists (select 1 from tables)
    order by 1, 2";

/// Asks the database, where all that answers is what the migrations made: else that is told, and this cannot be. Where a
/// column, a rule or a trigger of a table is told already, its functions follow from that.
pub(super) fn compared(client: &mut dyn Connection, found: &Manifest, told: &[Difference]) -> Vec<Difference> {
    let of_documents = |manifest: &Manifest| -> Vec<(String, String)> {
        let objects = manifest.objects().filter(|(object, definition)| {
            let is_asked = object.kind == "function" || object.name == "hacs_core.document_coverage";
            is_asked && object.name.starts_with("hacs_core.") && !definition.ends_with(GENERATED)
        });
        objects.map(|(object, definition)| (object.name.clone(), definition.to_owned())).collect()
    };
    let found = of_documents(found);
    if !of_documents(Manifest::embedded()).iter().all(|function| found.contains(function)) {
        return Vec::new();
    }
    let mut message = Message::new();
    let at = message.ask(QUERY);
    match message.send(client) {
        Ok(answers) => answers
            .rows(at)
            .map(|row| Difference {
                change: if row.string(2) == "missing" { Change::Missing } else { Change::Changed },
                kind: row.string(0),
                name: row.string(1),
                expected: Some("the functions for the columns and rules as they are now".into()),
                found: (row.string(2) != "missing").then(|| "others".into()),
                mend: Some(row.string(3)),
            })
            .filter(|difference| !told.iter().any(|cause| follows(difference, cause)))
            .collect(),
        Err(failure) => {
            log::debug!("the functions for documents could not be compared with what would be written now: {failure}");
            Vec::new()
        }
    }
}

fn follows(difference: &Difference, cause: &Difference) -> bool {
    let is_cause = ["table", "column", "constraint", "trigger"].contains(&cause.kind.as_str());
    is_cause && (cause.name == difference.name || cause.name.starts_with(&format!("{}.", difference.name)))
}
