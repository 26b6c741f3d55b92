//! Whether the generic tables of the original system that are followed still are.

use std::collections::BTreeSet;

use super::status;
use crate::error::{Error, Result};
use crate::schema::difference::{Change, Difference};
use crate::server::sql::literal;
use crate::server::{Connection, Message, Row};

/// For each trigger that there has to be: its name, its definition, and what is there. Of the catalogue alone, but for
/// the settings, which are asked for behind the same guard as everything else that is registered.
pub(super) const QUERY: &str = "
    select format('%s.%s', f.target, t.name), t.definition, (
        select pg_get_triggerdef(g.oid)
            || case g.tgenabled when 'D' then ' DISABLED' when 'R' then ' ENABLE REPLICA' when 'A' then ' ENABLE ALWAYS' else '' end
        from pg_trigger as g
        where g.tgrelid = to_regclass(f.target) and g.tgname = t.name and not g.tgisinternal
    ), f.target
    from only hacs_admin.system_config as s
    cross join lateral (select to_jsonb(s) ->> 'key' as key, to_jsonb(s) -> 'value' as value) as c
    cross join lateral (select c.value ->> 'table' as target) as f
    left join pg_class as r on r.oid = to_regclass(f.target)
    left join pg_namespace as n on n.oid = r.relnamespace
    cross join lateral (
        values
            ('hacs_follow', format(
                'CREATE TRIGGER hacs_follow AFTER INSERT OR DELETE OR UPDATE ON %s FOR EACH ROW '
                'EXECUTE FUNCTION hacs_core.follow_document(%L, %L, %L)',
                f.target, c.value ->> 'mode', c.value -> 'others', format('%I.%I', n.nspname, left(r.relname, 53) || '_refusals')
            )),
            ('hacs_follow_truncate', format(
                'CREATE TRIGGER hacs_follow_truncate BEFORE TRUNCATE ON %s FOR EACH STATEMENT '
                'EXECUTE FUNCTION hacs_core.refuse_truncate_of_followed()', f.target
            ))
    ) as t (name, definition)
    where c.key like 'follow.%' and c.value ->> 'table' is not null
    order by 1";

/// What is followed, as the settings say.
#[derive(Debug, Default)]
pub(super) struct Followed {
    tables: BTreeSet<String>,
    triggers: Vec<Difference>,
}

impl Followed {
    /// The answer to [`QUERY`].
    pub(super) fn of<'a>(rows: impl Iterator<Item = Row<'a>>) -> Self {
        let mut followed = Self::default();
        for row in rows {
            followed.tables.insert(row.string(3));
            followed.triggers.extend(difference(&row.string(0), &row.string(1), row.text(2)));
        }
        followed
    }

    /// What is not as it should be, and what is to be known: with `deep`, documents are compared as well.
    pub(super) fn compared(
        mut self,
        client: &mut dyn Connection,
        deep: bool,
    ) -> Result<(Vec<Difference>, Vec<Difference>)> {
        let mut warnings = Vec::new();
        // Without its triggers nothing is expected of the documents.
        let comparable = deep && self.triggers.is_empty();
        for table in self.tables.iter().filter(|_| comparable) {
            let [differing, refused] = compare(client, table)?;
            self.triggers.extend(differing);
            warnings.extend(refused);
        }
        Ok((self.triggers, warnings))
    }
}

/// A trigger, where it is not as it should be.
fn difference(name: &str, expected: &str, found: Option<&str>) -> Option<Difference> {
    let change = match found {
        None => Change::Missing,
        Some(found) if found == expected => return None,
        Some(found) if found.starts_with(expected) => Change::Disabled,
        Some(_) => Change::Changed,
    };
    Some(Difference {
        change,
        kind: "trigger".into(),
        name: name.into(),
        expected: Some(expected.into()),
        found: found.map(str::to_owned),
        mend: None,
    })
}

/// Documents of a followed table that are not stored as they stand there: those that nothing explains, and those that
/// are listed as refused.
fn compare(client: &mut dyn Connection, target: &str) -> Result<[Option<Difference>; 2]> {
    let mut message = Message::start(status::START);
    let counts = message.ask(&format!(
        "select count(*) filter (where d.reason is null), count(*) filter (where d.reason is not null),
            min(concat_ws('/', d.resource_type, d.id)) filter (where d.reason is null),
            min(concat_ws('/', d.resource_type, d.id)) filter (where d.reason is not null)
        from hacs_core.follow_differences({}::regclass) as d",
        literal(target)
    ));
    let answers =
        message.then("commit").send(client).map_err(Error::during("comparing the documents of a followed table"))?;
    let row = answers.rows(counts).next();
    let of = |count: usize, example: usize, kind: &str| {
        let (count, example) = (row.as_ref()?.text(count)?, row.as_ref()?.text(example)?);
        Some(Difference {
            change: Change::Changed,
            kind: kind.into(),
            name: target.into(),
            expected: Some("stored as they stand there".into()),
            found: Some(format!("{count} that are not, such as {example}")),
            mend: None,
        })
    };
    Ok([of(0, 2, "followed documents"), of(1, 3, "refused documents")])
}
