//! Secrets in every form that they take.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use pcm_middleware::{MiddlewareError, RedactionLayer, Redactor, Secret, layer_fn};
use pcm_runtime_api::{HostError, HostPort, Payload, ValueType};
use serde_json::{Value, json};

use crate::support::{TestResult, chain, tool};

const SECRET: &str = "s3cr\"t/ké+y==";
const MARK: &str = "[redacted: KEY]";

fn redactor() -> Result<Redactor, MiddlewareError> {
    Redactor::builder().secret("KEY", Secret::new(SECRET)).build()
}

fn hidden(value: Value) -> Result<Value, MiddlewareError> {
    Ok(redactor()?.result(value.into()).value)
}

#[test]
fn a_secret_is_found_in_common_encodings() -> TestResult {
    let json_text = json!({"token": SECRET}).to_string();
    let twice = json!({"body": json_text}).to_string();
    let url: String = url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    let hex = "733363722274/".trim_end_matches('/').to_owned() + "2f6bc3a92b793d3d";
    for text in [
        SECRET.to_owned(),
        json_text,
        twice,
        "{\"t\": \"s3cr\\\"t/k\\u00e9+y==\"}".to_owned(),
        url,
        "x=s3cr%22t/k%c3%a9%2by%3d%3d".to_owned(),
        hex.to_uppercase(),
        hex,
        STANDARD.encode(SECRET),
        STANDARD.encode(format!("user:{SECRET}")),
        STANDARD.encode(format!("me:{SECRET}:more")),
        URL_SAFE_NO_PAD.encode(format!("{{\"a\":\"{SECRET}\"}}")),
        "s3cr&quot;t/ké+y==".to_owned(),
    ] {
        let found = redactor()?.text(&text).into_owned();
        assert!(found.contains(MARK), "{text} became {found}");
        assert!(hidden(json!({"a": [text]}))?.to_string().contains(MARK));
    }
    assert_eq!(redactor()?.text("nothing to see"), "nothing to see");
    Ok(())
}

#[test]
fn a_secret_is_found_wherever_it_stands_in_a_value() -> TestResult {
    let value = json!({"a": {"b": [1, SECRET, {"c": SECRET}]}, SECRET: {SECRET: 1}});
    assert_eq!(hidden(value)?, json!({"a": {"b": [1, MARK, {"c": MARK}]}, MARK: {MARK: 1}}));
    Ok(())
}

#[test]
fn bytes_stay_bytes_and_types_move_with_their_values() -> TestResult {
    let bytes = STANDARD.encode(format!("before {SECRET} after"));
    let other = STANDARD.encode([0, 255, 1]);
    let payload = Payload::from(json!({
        "data": bytes, "other": other, SECRET: {"x/y": "1.5"}, "when": SECRET, "list": ["1", "2"],
    }))
    .with_type("/data", ValueType::Bytes)
    .with_type("/other", ValueType::Bytes)
    .with_type(format!("/{}/x~1y", SECRET.replace('/', "~1")), ValueType::Decimal)
    .with_type("/when", ValueType::Date)
    .with_type("/list/1", ValueType::Int);
    let found = redactor()?.result(payload);
    assert_eq!(
        found.value,
        json!({
            "data": STANDARD.encode(format!("before {MARK} after")), "other": other,
            MARK: {"x/y": "1.5"}, "when": MARK, "list": ["1", "2"],
        })
    );
    let types: Vec<_> = found.types.iter().map(|(at, kind)| (at.as_str(), *kind)).collect();
    assert_eq!(
        types,
        [
            ("/[redacted: KEY]/x~1y", ValueType::Decimal),
            ("/data", ValueType::Bytes),
            ("/list/1", ValueType::Int),
            ("/other", ValueType::Bytes),
        ]
    );
    Ok(())
}

#[test]
fn two_keys_that_look_the_same_both_stay() -> TestResult {
    let redactor = Redactor::builder().pattern("n", "[0-9]+").build()?;
    let payload = Payload::from(json!({"k1": "1.5", "k2": "2.5", "x": 7}))
        .with_type("/k2", ValueType::Decimal);
    let found = redactor.result(payload);
    let mark = "[redacted: n]";
    assert_eq!(
        found.value,
        json!({
            format!("k{mark}"): format!("{mark}.{mark}"),
            format!("k{mark} (2)"): format!("{mark}.{mark}"), "x": mark,
        })
    );
    assert!(found.types.is_empty(), "what was replaced is no decimal");
    Ok(())
}

#[test]
fn numbers_are_looked_at_where_a_secret_is_one() -> TestResult {
    let redactor = Redactor::builder().secret("PIN", Secret::new("73519")).build()?;
    let found = redactor.result(json!({"pin": 73519, "n": 735, "f": 1.0}).into());
    assert_eq!(found.value, json!({"pin": "[redacted: PIN]", "n": 735, "f": 1.0}));
    Ok(())
}

#[test]
fn overlapping_secrets_leave_nothing() -> TestResult {
    let redactor = Redactor::builder()
        .secret("SHORT", Secret::new("abcdef"))
        .secret("LONG", Secret::new("abcdef-ghijkl"))
        .pattern("number", r"\b[0-9]{16}\b")
        .build()?;
    assert_eq!(
        redactor.text("abcdef-ghijkl abcdefabcdef 1234567812345678"),
        "[redacted: LONG] [redacted: SHORT][redacted: SHORT] [redacted: number]"
    );
    Ok(())
}

#[test]
fn values_without_end_are_not_walked() -> TestResult {
    let mut deep = json!(SECRET);
    for _ in 0..300 {
        deep = json!([deep]);
    }
    assert!(!hidden(deep)?.to_string().contains("s3cr"));
    Ok(())
}

#[test]
fn what_cannot_be_looked_for_is_refused() {
    let secret = |text: &str| Redactor::builder().secret("K", Secret::new(text)).build().is_err();
    assert!(secret("") && secret("abc") && secret(&"x".repeat(20_000)));
    assert!(!secret("abcd"));
    let pattern = |text: &str| Redactor::builder().pattern("p", text).build().is_err();
    assert!(pattern("(") && pattern("a*") && pattern("") && pattern("(a{1000}){1000}"));
    for name in ["", "a\"b", "a\nb", &"x".repeat(65)] {
        assert!(Redactor::builder().secret(name, Secret::new("abcdef")).build().is_err(), "{name}");
    }
    let many = (0..300)
        .fold(Redactor::builder(), |all, at| all.secret("K", Secret::new(format!("secret-{at}"))));
    assert!(many.build().is_err());
    let long = (0..5).fold(Redactor::builder(), |all, at| {
        all.secret("K", Secret::new(format!("{at}{}", "x".repeat(16_000))))
    });
    assert!(long.build().is_err());
}

#[test]
fn secrets_do_not_print_themselves() -> TestResult {
    let text = format!(
        "{:?} {:?} {:?}",
        Secret::new(SECRET),
        redactor()?,
        Redactor::builder().secret("K", Secret::new(SECRET))
    );
    assert!(!text.contains("s3cr"), "{text}");
    Ok(())
}

#[tokio::test]
async fn results_and_errors_pass_and_arguments_do_not() -> TestResult {
    let failing = layer_fn(|context, next| {
        Box::pin(async move {
            if context.tool_name() == Some("fail") {
                return Err(HostError::new(format!("E {SECRET}"), format!("bad {SECRET}")));
            }
            next.run(context).await
        })
    });
    let (chain, port) = chain(vec![Arc::new(RedactionLayer::new(redactor()?)), failing]);
    let answer = chain.call(tool("echo", json!({"x": SECRET}))).await?;
    assert_eq!(answer.value["args"]["x"], MARK);
    assert_eq!(port.calls(), [tool("echo", json!({"x": SECRET}))]);
    let error = chain.call(tool("fail", json!({}))).await;
    assert_eq!(error, Err(HostError::new(format!("E {MARK}"), format!("bad {MARK}"))));
    Ok(())
}
