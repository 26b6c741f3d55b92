//! The index of docs/performance.md that turns the embeddings into nearest-neighbour search, where pgvector is at hand.

use crate::database::Database;

/// A block of SQL of the document, by the words before it.
fn example(before: &str) -> &'static str {
    let text = include_str!("../../../docs/performance.md");
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("{before}"));
    let (_, rest) = rest.split_once("```sql\n").expect("a block of SQL");
    rest.split_once("```").expect("its end").0
}

#[test]
fn the_index_of_the_document_finds_the_nearest_passages() {
    if std::env::var_os("HACS_TEST_WITHOUT_PGVECTOR").is_some() {
        eprintln!("NOT TESTED: embeddings, since HACS_TEST_WITHOUT_PGVECTOR is set");
        return;
    }
    let database = Database::migrated();
    let mut client = database.client();
    client.batch_execute("create extension vector").unwrap_or_else(|error| {
        panic!("pgvector is missing: install postgresql-NN-pgvector, or set HACS_TEST_WITHOUT_PGVECTOR=1; {error:?}")
    });
    // Points on a circle: the neighbours of each are known.
    let passages = "insert into hacs_registry.knowledge_items (id, content, embedding)
        select 'k' || n, 'passage', array[cosd(n * 0.36), sind(n * 0.36), 0.5] from generate_series(0, 999) as s (n);
        insert into hacs_registry.knowledge_items (id, content) values ('none', 'not computed yet')";
    client.batch_execute(passages).unwrap();
    client.batch_execute(&example("### Embeddings").replace("1536", "3")).unwrap();
    client.batch_execute("analyze hacs_registry.knowledge_items; set enable_seqscan = off").unwrap();

    let nearest = example("This one finds the ten nearest").replace("1536", "3");
    let nearest = nearest.replace("$1", "array[1, 0.001, 0.5]");
    let found: Vec<String> = client.query(&nearest, &[]).unwrap().iter().map(|row| row.get("id")).collect();
    assert_eq!(found[0], "k0", "{found:?}");
    let expected = ["k0", "k1", "k2", "k3", "k4", "k5", "k996", "k997", "k998", "k999"];
    let close = found.iter().filter(|id| expected.contains(&id.as_str())).count();
    assert!(found.len() == 10 && close >= 9, "{found:?}");
    let plan = client.query(&format!("explain {nearest}"), &[]).unwrap();
    let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
    assert!(plan.iter().any(|line| line.contains("knowledge_items_embedding_idx")), "{plan:#?}");
}
