//! Functions that rules stand on. PostgreSQL lets `create or replace` change one under a CHECK, a domain, a generated
//! column or an index, and looks at no row again: what is marked as checked is not, and a dump may not be restored.

use std::collections::BTreeMap;

use crate::schema::owned::OwnedMigration;
use crate::schema::statements;
use crate::server::Row;

/// Each function under a rule, in whatever depth, with the rule and a hash of what the function does.
pub(crate) const QUERY: &str = "
    with recursive rules (classid, objid, objsubid, named_class, named, named_sub) as (
        select tableoid, oid, 0, tableoid, oid, 0 from pg_constraint where contype = 'c'
        union all
        select tableoid, oid, 0, tableoid, oid, 0 from pg_class where relkind in ('i', 'I')
        union all
        select x.classid, x.objid, x.objsubid, 'pg_class'::regclass, d.adrelid, d.adnum
        from pg_attrdef as d
        join pg_attribute as a on a.attrelid = d.adrelid and a.attnum = d.adnum and a.attgenerated <> ''
        -- up to 14 it is the column that depends, since then its expression
        cross join lateral (
            values (d.tableoid, d.oid, 0), ('pg_class'::regclass, d.adrelid, d.adnum::integer)
        ) as x (classid, objid, objsubid)
    ),
    under (function, class, rule, sub) as (
        select d.refobjid, r.named_class, r.named, r.named_sub
        from rules as r
        join pg_depend as d on (d.classid, d.objid, d.objsubid) = (r.classid, r.objid, r.objsubid)
        where d.refclassid = 'pg_proc'::regclass
        union
        select d.refobjid, u.class, u.rule, u.sub
        from under as u
        join pg_depend as d on d.classid = 'pg_proc'::regclass and d.objid = u.function
        where d.refclassid = 'pg_proc'::regclass
    )
    select p.oid, concat_ws(' ', u.class, u.rule, u.sub), p.oid::regprocedure, pg_describe_object(u.class, u.rule, u.sub),
        md5(concat_ws(' ', coalesce(pg_get_function_sqlbody(p.oid), p.prosrc), p.proconfig))
    from under as u
    join pg_proc as p on p.oid = u.function and p.prokind = 'f'
    where p.oid >= 16384";

/// Functions under rules: by function and rule, what they are called and a hash.
#[derive(Debug, Default)]
pub(crate) struct Rules(BTreeMap<(String, String), [String; 3]>);

/// A function that was replaced, and what stood on it before and still does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Replaced {
    pub function: String,
    pub rules: Vec<String>,
}

impl Rules {
    /// The answer to [`QUERY`].
    pub(crate) fn from_rows<'a>(rows: impl Iterator<Item = Row<'a>>) -> Self {
        Self(rows.map(|row| ((row.string(0), row.string(1)), [row.string(2), row.string(3), row.string(4)])).collect())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first function that does something else now.
    pub(crate) fn replaced(&self, now: &Self) -> Option<Replaced> {
        let mut found: Option<Replaced> = None;
        for (key, [function, rule, was]) in &self.0 {
            if now.0.get(key).is_none_or(|[_, _, is]| is == was) {
                continue;
            }
            let replaced = found.get_or_insert_with(|| Replaced { function: function.clone(), rules: Vec::new() });
            if replaced.function == *function {
                replaced.rules.push(rule.clone());
            }
        }
        found
    }
}

impl Replaced {
    /// The migration and the statement that did it: the last that has its name.
    pub(crate) fn place(&self, migrations: &[OwnedMigration]) -> Option<(usize, Option<usize>)> {
        let bare = self.function.split('(').next().unwrap_or_default();
        let bare = bare.rsplit('.').next().unwrap_or(bare);
        migrations.iter().enumerate().rev().find_map(|(index, migration)| {
            let sql = migration.sql().unwrap_or_default();
            let is_it = |text: &str| text.to_ascii_lowercase().contains("function") && text.contains(bare);
            let statement = statements::split(sql).into_iter().find(|s| is_it(s.text(sql)))?;
            Some((index, Some(statement.start)))
        })
    }
}
