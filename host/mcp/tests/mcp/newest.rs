//! The newest version of the protocol: no handshake, and questions by answers.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::support::{Client, NEW, pay, paying, until_is};

fn run(code: &str) -> Value {
    json!({"name": "run_code", "arguments": {"code": code}})
}

/// The same request again, with answers to what it asked.
fn again(code: &str, asked: &Value, answer: &Value) -> Value {
    let mut params = run(code);
    params["requestState"] = asked["requestState"].clone();
    let names = asked["inputRequests"].as_object().unwrap().keys();
    params["inputResponses"] = names.map(|name| (name.clone(), answer.clone())).collect();
    params
}

fn approval() -> Value {
    json!({"action": "accept", "content": {"decision": "approve"}})
}

async fn ask(client: &mut Client, params: Value) -> Value {
    let answer = client.ask("tools/call", params).await;
    answer.get("result").cloned().unwrap_or_else(|| panic!("no result: {answer}"))
}

#[tokio::test]
async fn a_client_begins_with_what_it_wants() {
    let mut client = Client::newest(&json!({}));
    let found = client.ask("server/discover", json!({})).await;
    assert!(found["result"]["supportedVersions"].as_array().unwrap().contains(&json!(NEW)));
    assert_eq!(ask(&mut client, run("set x 5")).await["isError"], false);
    let result = ask(&mut client, run("get x")).await;
    assert_eq!(result["structuredContent"]["value"], "5");
    assert_eq!(result["resultType"], "complete");
    client.leave().await.unwrap();
}

#[tokio::test]
async fn a_log_is_told_to_who_asks_for_it() {
    let mut client = Client::newest(&json!({}));
    ask(&mut client, run("print a")).await;
    assert_eq!(client.told.len(), 0);
    let mut params = run("print a\nwarn b");
    params["_meta"] = json!({"io.modelcontextprotocol/logLevel": "warning", "progressToken": 7});
    ask(&mut client, params).await;
    let log = client.told("notifications/message");
    assert_eq!(log, [&json!({"level": "warning", "logger": "stderr", "data": "b\n"})]);
    assert!(!client.told("notifications/progress").is_empty());
    client.leave().await.unwrap();
}

#[tokio::test]
async fn a_question_is_the_answer_to_the_request() {
    let mut client = Client::newest(&json!({"elicitation": {"form": {}}}));
    let code = format!("print before\n{}", pay(5));
    let asked = ask(&mut client, run(&code)).await;
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let (_, question) = asked["inputRequests"].as_object().unwrap().iter().next().unwrap();
    assert_eq!(question["method"], "elicitation/create");
    assert!(question["params"]["message"].as_str().unwrap().contains("tools.pay"));
    let result = ask(&mut client, again(&code, &asked, &approval())).await;
    assert_eq!(result["structuredContent"]["value"], json!({"amount": 5}));
    assert_eq!(result["structuredContent"]["stdout"], "before\n");
    // It was the same run, and an answer is good for one.
    let repeated = client.ask("tools/call", again(&code, &asked, &approval())).await;
    assert_eq!(repeated["error"]["code"], -32602);
    client.leave().await.unwrap();
}

#[tokio::test]
async fn other_tools_ask_by_answers_too() {
    let mut client = Client::newest(&json!({"elicitation": {}}));
    let call = |spec: &str| json!({"name": "add_dep", "arguments": {"package": spec}});
    let asked = ask(&mut client, call("jinja2")).await;
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let answered = |mut params: Value| {
        params["requestState"] = asked["requestState"].clone();
        let names = asked["inputRequests"].as_object().unwrap().keys();
        params["inputResponses"] = names.map(|name| (name.clone(), approval())).collect();
        params
    };
    // What was allowed is what was asked for.
    let other = client.ask("tools/call", answered(call("numpy"))).await;
    assert_eq!(other["error"]["code"], -32602, "{other}");
    let added = ask(&mut client, answered(call("jinja2"))).await;
    assert_eq!(added["isError"], false, "{added}");
    let again = client.ask("tools/call", answered(call("jinja2"))).await;
    assert_eq!(again["error"]["code"], -32602, "{again}");
    client.leave().await.unwrap();
}

#[tokio::test]
async fn questions_that_follow_each_other_are_answered_one_by_one() {
    let mut client = Client::newest(&json!({"elicitation": {}}));
    let code = format!("{}\n{}", pay(1), pay(2));
    let first = ask(&mut client, run(&code)).await;
    let second = ask(&mut client, again(&code, &first, &approval())).await;
    assert_eq!(second["resultType"], "input_required");
    assert_ne!(first["requestState"], second["requestState"]);
    let no = json!({"action": "decline"});
    let result = ask(&mut client, again(&code, &second, &no)).await;
    let value = result["structuredContent"]["value"].as_str().unwrap();
    assert!(value.contains("the user declined"), "{value}");
    client.leave().await.unwrap();
}

#[tokio::test]
async fn a_request_without_an_answer_is_asked_again() {
    let mut client = Client::newest(&json!({"elicitation": {}}));
    let code = format!("together {}", json!([paying(1), paying(2)]));
    let mut asked = ask(&mut client, run(&code)).await;
    let mut open = asked["inputRequests"].as_object().unwrap().len();
    let mut rounds = 0;
    while asked["resultType"] == "input_required" {
        rounds += 1;
        assert!(rounds < 6, "{asked}");
        let mut params = again(&code, &asked, &approval());
        if rounds == 1 {
            params["inputResponses"] = json!({"something": approval()});
        }
        asked = ask(&mut client, params).await;
        if rounds == 1 {
            let now = asked["inputRequests"].as_object().unwrap().len();
            assert!(now >= open, "{asked}");
            open = now;
        }
    }
    assert_eq!(asked["structuredContent"]["value"], json!([{"amount": 1}, {"amount": 2}]));
    client.leave().await.unwrap();
}

#[tokio::test]
async fn a_state_that_was_not_given_is_refused_and_harms_nothing() {
    let mut client = Client::newest(&json!({"elicitation": {}}));
    let code = pay(5);
    let asked = ask(&mut client, run(&code)).await;
    let mut forged = again(&code, &asked, &approval());
    forged["requestState"] = "0".repeat(32).into();
    let mut other = again(&code, &asked, &approval());
    other["arguments"]["code"] = pay(50).into();
    let mut elsewhere = again(&code, &asked, &approval());
    elsewhere["name"] = "list_tools".into();
    elsewhere["arguments"] = json!({});
    for params in [forged, other, elsewhere] {
        let refused = client.ask("tools/call", params).await;
        assert!(refused["error"]["code"].is_i64(), "{refused}");
    }
    let result = ask(&mut client, again(&code, &asked, &approval())).await;
    assert_eq!(result["structuredContent"]["value"], json!({"amount": 5}));
    client.leave().await.unwrap();
}

#[tokio::test]
async fn an_answer_that_makes_no_sense_is_no() {
    let mut client = Client::newest(&json!({"elicitation": {}}));
    let code = pay(5);
    for answer in [json!("yes"), json!({"action": "maybe"}), json!({"content": {}}), json!(null)] {
        let asked = ask(&mut client, run(&code)).await;
        let result = ask(&mut client, again(&code, &asked, &answer)).await;
        let value = result["structuredContent"]["value"].as_str().unwrap();
        assert!(value.contains("ApprovalRejected"), "{answer}: {value}");
    }
    client.leave().await.unwrap();
}

#[tokio::test]
async fn who_cannot_ask_is_not_asked() {
    let mut client = Client::newest(&json!({"elicitation": {"url": {}}}));
    let result = ask(&mut client, run(&pay(5))).await;
    let value = result["structuredContent"]["value"].as_str().unwrap();
    assert!(value.contains("the client cannot ask its user"), "{value}");
    client.leave().await.unwrap();
}

#[tokio::test]
async fn a_run_that_waits_for_its_client_can_be_stopped() {
    let mut client = Client::newest(&json!({"elicitation": {}}));
    let asked = ask(&mut client, run(&pay(5))).await;
    assert_eq!(asked["resultType"], "input_required");
    let stopped = ask(&mut client, json!({"name": "interrupt", "arguments": {}})).await;
    assert_eq!(stopped["structuredContent"], json!({"interrupted": true}));
    until_is(&client.puppets.stage.dropped, 1).await;
    assert_eq!(ask(&mut client, run("echo 1")).await["structuredContent"]["value"], 1);
    assert_eq!(client.puppets.stage.started.load(Ordering::SeqCst), 1);
    client.leave().await.unwrap();
}
