//! The parts of documents that have a model of their own: every key that one of them names, with values of its kind and
//! with others.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::database::Database;

/// Values of a kind, and values that are none. `whole` gives the least that another model takes.
fn samples(kind: &str, whole: &dyn Fn(&str) -> Value) -> (Vec<Value>, Vec<Value>) {
    let period = (json!({"start": "2020-01-01", "end": "2021"}), json!({"start": "2020-01-02", "end": "2020-01-01"}));
    let (name, detail) = kind.split_once(' ').unwrap_or((kind, ""));
    match name {
        "string" => (vec![json!(""), json!("x")], vec![json!(1), json!(["x"])]),
        "strings" => (vec![json!([]), json!(["x", ""])], vec![json!("x"), json!(["x", 1])]),
        "number" => (vec![json!(0), json!(-1.5)], vec![json!("1")]),
        "integer" => (vec![json!(-3)], vec![json!(1.5), json!("1")]),
        "integers" => (vec![json!([]), json!([1, 2])], vec![json!([1.5]), json!(1)]),
        "boolean" => (vec![json!(true)], vec![json!("true"), json!(1)]),
        "object" => (vec![json!({}), json!({"a": [1]})], vec![json!([]), json!("x")]),
        "list" => (vec![json!([]), json!([{}])], vec![json!({}), json!("x")]),
        "map" => (vec![json!({}), json!({"a": "b"})], vec![json!({"a": 1}), json!([])]),
        "instant" => (vec![json!("2020-01-01T00:00:00Z")], vec![json!("soon"), json!("2020-13-01"), json!(2020)]),
        "instants" => (vec![json!([]), json!(["2020-01-01T00:00:00Z"])], vec![json!(["soon"]), json!("2020-01-01")]),
        "period" => (vec![json!({}), period.0], vec![period.1, json!([])]),
        "email" => (vec![json!("a@example.org")], vec![json!("nobody"), json!(1)]),
        "in" => {
            let words: Vec<Value> = detail.split('|').map(|word| json!(word)).collect();
            (words, vec![json!("no such word"), json!("in"), json!(1)])
        }
        "between" => {
            let (range, whole_number) = detail.split_once(' ').map_or((detail, false), |(range, _)| (range, true));
            let (low, high) = range.split_once("..").unwrap();
            let (low, high): (Option<i64>, Option<i64>) = (low.parse().ok(), high.parse().ok());
            let mut others = vec![json!("1")];
            others.extend(low.map(|low| json!(low - 1)));
            others.extend(high.map(|high| json!(high + 1)));
            others.extend(whole_number.then(|| json!(low.unwrap_or(0) as f64 + 0.5)));
            (low.into_iter().chain(high).map(|number| json!(number)).collect(), others)
        }
        "one" => (vec![whole(detail)], vec![json!([]), json!("x")]),
        "each" => (vec![json!([]), json!([whole(detail)])], vec![json!({}), json!([1])]),
        other => panic!("no values are known of the kind {other}"),
    }
}

#[test]
fn every_key_of_every_nested_model_takes_its_kind_and_nothing_else() {
    let database = Database::migrated();
    let mut client = database.client();
    let body = database.text("select pg_get_functiondef('hacs_core.nested_model(text)'::regprocedure)");
    let names: BTreeSet<&str> = body.split("WHEN '").skip(1).filter_map(|rest| rest.split('\'').next()).collect();
    assert!(names.len() >= 20, "{names:?}");
    let specification = |model: &str| -> Value {
        serde_json::from_str(&database.text(&format!("select hacs_core.nested_model('{model}')"))).unwrap()
    };
    fn whole(model: &str, specification: &dyn Fn(&str) -> Value) -> Value {
        let of = specification(model);
        let required = of["required"].as_array().unwrap().iter().map(|key| key.as_str().unwrap());
        let value = |key: &str| {
            let kind = of["kinds"][key].as_str().unwrap();
            samples(kind, &|model| whole(model, specification)).0.pop().unwrap()
        };
        required.map(|key| (key.to_owned(), value(key))).collect::<serde_json::Map<_, _>>().into()
    }
    let mut kinds = 0;
    for model in names {
        let of = specification(model);
        let least = whole(model, &specification);
        let mut conforms = |part: &Value| -> bool {
            let query = "select hacs_core.conforms($1::text::jsonb, $2)";
            client.query_one(query, &[&part.to_string(), &model]).unwrap().get(0)
        };
        assert!(conforms(&least), "{model}: {least}");
        for key in of["required"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()) {
            let mut part = least.clone();
            part.as_object_mut().unwrap().remove(key);
            assert!(!conforms(&part), "{model} without {key}");
        }
        for (key, kind) in of["kinds"].as_object().unwrap() {
            kinds += 1;
            let (good, bad) = samples(kind.as_str().unwrap(), &|model| whole(model, &specification));
            let with = |value: &Value| {
                let mut part = least.clone();
                part[key] = value.clone();
                part
            };
            assert!(!good.is_empty() && !bad.is_empty(), "{model}.{key}: {kind}");
            good.iter().for_each(|value| assert!(conforms(&with(value)), "{model}.{key} takes no {value}"));
            bad.iter().for_each(|value| assert!(!conforms(&with(value)), "{model}.{key} takes {value}"));
            let null_is_refused = of["not_null"].as_array().unwrap().iter().any(|not_null| not_null == key);
            assert_eq!(conforms(&with(&Value::Null)), !null_is_refused, "{model}.{key}: null");
        }
    }
    assert!(kinds > 200, "{kinds}");
}
