//! The language of conditions.

use std::collections::BTreeMap;

use pcm_middleware::Condition;
use pcm_runtime_api::{Payload, ValueType};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::TestResult;

const YES: Option<bool> = Some(true);
const NO: Option<bool> = Some(false);
/// Undecided.
const OPEN: Option<bool> = None;

fn check(cases: &[(&str, Option<bool>)], args: &Payload) -> TestResult {
    for (text, expected) in cases {
        let condition: Condition = text.parse().map_err(|error| format!("{text}: {error}"))?;
        assert_eq!(condition.holds(args), *expected, "{text}");
        let again: Condition = condition.to_string().parse()?;
        assert_eq!(again, condition, "{text} became {condition}");
    }
    Ok(())
}

#[test]
fn tests_are_true_or_false_of_what_they_are_for() -> TestResult {
    let args = json!({
        "amount": 1000, "share": 0.5, "path": "data/x.csv", "method": "GET", "dry": true,
        "url": "https://api.example.org/v1/x", "tags": ["a", "b", 3], "nothing": null,
        "deep": {"er": [{"x": 1}], "odd key": 2}, "in": 7, "text": "grün",
    });
    check(
        &[
            ("amount <= 1000", YES),
            ("amount < 1000", NO),
            ("1000 == amount", YES),
            ("amount == 1000.0", YES),
            ("share > 0.25 and share < 75e-2", YES),
            ("amount != 1000 or dry == true", YES),
            ("not (amount > 999)", NO),
            ("method in [\"GET\", 'HEAD']", YES),
            ("method not in [\"GET\"]", NO),
            ("path starts_with \"data/\"", YES),
            ("path ends_with '.csv'", YES),
            ("path within \"data\"", YES),
            ("url matches \"https://api.example.org/**\"", YES),
            ("text contains \"ü\"", YES),
            ("len(text) == 4", YES),
            ("len(tags) == 3 and tags contains \"b\" and tags[2] == 3", YES),
            ("len($) == 11 and len(deep) == 2", YES),
            ("deep.er[0].x == 1", YES),
            ("deep[\"odd key\"] == 2 and $[\"deep\"][\"er\"][0][\"x\"] == 1", YES),
            ("$[\"in\"] == 7", YES),
            ("nothing == null", YES),
            ("amount == null", NO),
            ("amount != null", YES),
            ("has(amount) and has(nothing) and not has(missing) and has($)", YES),
            ("method < \"HEAD\"", YES),
            ("true and not false", YES),
            ("not not true", YES),
        ],
        &args.into(),
    )
}

#[test]
fn what_is_missing_or_of_another_type_is_undecided_also_behind_not() -> TestResult {
    let args = json!({"amount": "10", "list": [1], "flag": 1, "nothing": null, "path": 5});
    check(
        &[
            ("missing <= 1000", OPEN),
            ("not (missing > 1000)", OPEN),
            ("missing == null", OPEN),
            ("missing != 1", OPEN),
            ("missing in [1]", OPEN),
            ("missing not in [1]", OPEN),
            ("len(missing) < 5", OPEN),
            ("not (missing starts_with \"x\")", OPEN),
            ("list.x == 1", OPEN),
            ("list[1] == 1", OPEN),
            ("list[0].x == 1", OPEN),
            ("amount <= 1000", OPEN),
            ("amount != 5", OPEN),
            ("amount in [10]", OPEN),
            ("flag == true", OPEN),
            ("nothing == 1", OPEN),
            ("nothing != 1", OPEN),
            ("nothing < 1", OPEN),
            ("null < null", OPEN),
            ("path within \"data\"", OPEN),
            ("list == list", OPEN),
            ("list contains \"1\"", OPEN),
            ("true < false", OPEN),
            // One side alone may decide.
            ("missing == 1 or true", YES),
            ("missing == 1 and false", NO),
            ("missing == 1 or false", OPEN),
            ("missing == 1 and true", OPEN),
            ("has(missing) and missing > 1", NO),
        ],
        &args.into(),
    )
}

#[test]
fn numbers_are_exact_and_nan_is_none() -> TestResult {
    let args = Payload::from(json!({
        "big": "100000000000000000000000000000000000000000",
        "hex": "0xffffffffffffffffffffffffffffffffffff",
        "odd": "1_000", "nan": "NaN", "inf": "Infinity", "minus": "-Infinity",
        "max": u64::MAX, "min": i64::MIN, "precise": 9_007_199_254_740_993_u64, "price": "10.50",
    }))
    .with_type("/big", ValueType::Int)
    .with_type("/hex", ValueType::Int)
    .with_type("/odd", ValueType::Int)
    .with_type("/nan", ValueType::Float)
    .with_type("/inf", ValueType::Float)
    .with_type("/minus", ValueType::Float)
    .with_type("/price", ValueType::Decimal);
    check(
        &[
            ("big > 1000", YES),
            ("big == 100000000000000000000000000000000000000000", YES),
            ("big == 1e41", NO),
            ("hex > 1000 and hex > big", YES),
            ("odd <= 1000", OPEN),
            ("nan <= 1000", OPEN),
            ("not (nan > 1000)", OPEN),
            ("nan == nan", OPEN),
            ("inf > 1e308", YES),
            ("minus < -1e308", YES),
            ("max == 18446744073709551615", YES),
            ("max == 18446744073709551616.0", NO),
            ("min == -9223372036854775808", YES),
            ("precise <= 9007199254740992.0", NO),
            ("price <= 1000", OPEN),
            ("price == \"10.50\"", OPEN),
            ("has(price)", YES),
        ],
        &args,
    )
}

#[test]
fn types_beside_the_value_count() -> TestResult {
    let args = Payload::from(json!({
        "data": "aGVsbG8=", "junk": "a G V s", "where": "data/x", "when": "2020-01-01",
        "items": ["1", "1"], "a/b~c": "5",
    }))
    .with_type("/data", ValueType::Bytes)
    .with_type("/junk", ValueType::Bytes)
    .with_type("/where", ValueType::Path)
    .with_type("/when", ValueType::Date)
    .with_type("/items/1", ValueType::Int)
    .with_type("/a~1b~0c", ValueType::Int);
    check(
        &[
            ("len(data) == 5", YES),
            ("data == \"aGVsbG8=\"", OPEN),
            ("len(junk) < 100", OPEN),
            ("where within \"data\"", YES),
            ("when < \"2021\"", OPEN),
            ("items contains 1", YES),
            ("items[1] == 1", YES),
            ("items[0] == 1", OPEN),
            ("$[\"a/b~c\"] == 5", YES),
        ],
        &args,
    )
}

#[test]
fn texts_are_compared_character_by_character() -> TestResult {
    let args =
        json!({"method": "get", "name": "adm\u{0131}n", "e": "e\u{301}", "z": "admin\u{200b}"});
    check(
        &[
            ("method in [\"GET\"]", NO),
            ("name == \"admin\"", NO),
            ("e == \"\u{e9}\"", NO),
            ("z == \"admin\"", NO),
            ("z == \"admin\\u{200b}\"", YES),
        ],
        &args.into(),
    )
}

#[test]
fn errors_say_where_and_what() -> TestResult {
    for (text, column, part) in [
        ("", 1, "found the end"),
        ("amount", 7, "alone is no condition"),
        ("amount = 5", 8, "equality is `==`"),
        ("amount == ", 11, "found the end"),
        ("amount == 5 extra", 13, "`extra` is too much"),
        ("amount == 5 && b == 1", 13, "the word is `and`"),
        ("(amount == 5", 13, "expected `)`"),
        ("x in []", 7, "expected an argument"),
        ("x in [y]", 7, "expected"),
        ("x == \"open", 6, "without an end"),
        ("x == \"\\q\"", 9, "after `\\`"),
        ("x == 01", 6, "no number"),
        ("x == 1.2.3", 6, "no number"),
        ("x == 1e999", 6, "beyond"),
        ("x == 0x10", 6, "no number"),
        ("in == 1", 1, "expected"),
        ("len(in) == 1", 5, "word of the language"),
        ("x matches \"https://example.org\"", 11, "names the path too"),
        ("x within \"../x\"", 10, "is no folder"),
        ("x[-1] == 1", 3, "number from 0"),
        ("x.1 == 1", 3, "a name after"),
        ("größe == 1", 3, "$["),
        ("x == y == z", 8, "too much"),
    ] {
        let Err(error) = text.parse::<Condition>() else {
            return Err(format!("{text} parsed").into());
        };
        assert_eq!((error.column, error.message.contains(part)), (column, true), "{text}: {error}");
    }
    Ok(())
}

#[test]
fn length_and_depth_are_bounded() {
    let long = format!("x == \"{}\"", "y".repeat(5000));
    assert!(long.parse::<Condition>().is_err());
    let deep = format!("{}true{}", "(".repeat(1000), ")".repeat(1000));
    assert!(deep.parse::<Condition>().is_err());
    let nots = format!("{}true", "not ".repeat(1000));
    assert!(nots.parse::<Condition>().is_err());
    let fine = format!("{}true{}", "(".repeat(30), ")".repeat(30));
    assert!(fine.parse::<Condition>().is_ok());
    let digits = format!("x == {}", "9".repeat(401));
    assert!(digits.parse::<Condition>().is_err());
}

fn any_condition() -> impl Strategy<Value = String> {
    let path = prop_oneof![
        Just("a".to_owned()),
        Just("a.b[0]".to_owned()),
        Just("$[\"in\"].x".to_owned()),
        "[a-z_]{1,4}".prop_map(|key| format!("$[\"{key}\"]")),
    ];
    let literal = prop_oneof![
        any::<i64>().prop_map(|one| one.to_string()),
        any::<f64>()
            .prop_filter("finite", |one| one.is_finite())
            .prop_map(|one| format!("{one:?}")),
        "[^\"\\\\]{0,6}".prop_map(|text| format!("\"{text}\"")),
        Just("'\\u{1f600}\\n\\''".to_owned()),
        Just("null".to_owned()),
        Just("true".to_owned()),
    ];
    let sign = prop_oneof!["==", "!=", "<=?", ">=?"];
    let leaf = prop_oneof![
        (path.clone(), sign, literal.clone()).prop_map(|(a, b, c)| format!("{a} {b} {c}")),
        path.clone().prop_map(|path| format!("has({path})")),
        (path.clone(), any::<u8>()).prop_map(|(path, count)| format!("len({path}) < {count}")),
        (path.clone(), proptest::collection::vec(literal.clone(), 1..4))
            .prop_map(|(path, list)| format!("{path} in [{}]", list.join(", "))),
        path.clone().prop_map(|path| format!("{path} within \"a/./b\"")),
        path.clone().prop_map(|path| format!("{path} matches \"https://*.example.org/**\"")),
        (path, literal).prop_map(|(path, literal)| format!("{path} contains {literal}")),
        Just("false".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| format!("not ({one})")),
            proptest::collection::vec(inner.clone(), 2..4)
                .prop_map(|all| format!("({})", all.join(") and ("))),
            proptest::collection::vec(inner, 2..4).prop_map(|all| all.join(" or ")),
        ]
    })
}

fn any_args() -> impl Strategy<Value = Payload> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "(data|\\.\\.|/|x){0,5}|https://a\\.example\\.org/.{0,4}|.{0,6}".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[a-z_]{1,3}|in|b|x", inner, 0..3)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    let fields = proptest::collection::btree_map("a|in|[a-z_]{1,4}", value, 0..4);
    let types = proptest::collection::btree_map(
        "(/a|/in|/[a-z]{1,4})(/[0b]|)",
        prop_oneof![Just(ValueType::Int), Just(ValueType::Bytes), Just(ValueType::Path)],
        0..2,
    );
    (fields, types).prop_map(|(fields, types): (BTreeMap<String, Value>, _)| Payload {
        value: Value::Object(fields.into_iter().collect()),
        types,
    })
}

proptest! {
    #[test]
    fn nothing_makes_the_parser_panic(text in "\\PC{0,60}") {
        if let Ok(condition) = text.parse::<Condition>() {
            prop_assert_eq!(condition.to_string().parse::<Condition>(), Ok(condition));
        }
    }

    #[test]
    fn nor_do_pieces_of_the_language(
        pieces in proptest::collection::vec(
            "and|or|not|in|has|len|[()\\[\\],.$]|==|<|[0-9]{1,3}|-|\"|'|\\\\|a|within|matches| ", 0..24,
        ),
    ) {
        if let Ok(condition) = pieces.concat().parse::<Condition>() {
            prop_assert_eq!(condition.to_string().parse::<Condition>(), Ok(condition));
        }
    }

    #[test]
    fn what_is_printed_is_what_was_parsed_and_everything_is_decided_somehow(
        text in any_condition(), args in any_args(),
    ) {
        let Ok(condition) = text.parse::<Condition>() else {
            return Err(TestCaseError::fail(format!("{text} does not parse: {:?}", text.parse::<Condition>())));
        };
        let printed = condition.to_string();
        prop_assert_eq!(printed.parse::<Condition>(), Ok(condition.clone()), "{}", printed);
        let holds = condition.holds(&args);
        let negated = format!("not ({text})").parse::<Condition>().map(|one| one.holds(&args));
        prop_assert_eq!(negated, Ok(holds.map(|holds| !holds)));
    }
}
