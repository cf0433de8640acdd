//! Calls that a client's user is asked about.

use pcm_mcp::ServerConfig;
use serde_json::{Value, json};

use crate::support::{Client, pay, paying, texts, until_is};

fn accept(content: &Value) -> Value {
    json!({"action": "accept", "content": content})
}

#[tokio::test]
async fn the_user_allows_a_call() {
    let mut client = Client::start().await;
    client.answers.push_back(accept(&json!({"decision": "approve"})));
    let result = client.run(&pay(5)).await;
    assert_eq!(result["structuredContent"]["value"], json!({"amount": 5}));
    let asked = &client.asked[0];
    assert_eq!(asked["method"], "elicitation/create");
    let message = asked["params"]["message"].as_str().unwrap();
    assert!(message.contains("tools.pay") && message.contains("amount = 5"), "{message}");
    let schema = &asked["params"]["requestedSchema"];
    assert_eq!(schema["required"], json!(["decision"]));
    assert_eq!(schema["properties"]["decision"]["oneOf"][0]["const"], "approve");
    client.leave().await.unwrap();
}

#[tokio::test]
async fn the_user_gives_other_arguments() {
    let mut client = Client::start().await;
    let answer = json!({"decision": "approve", "arguments": "{\"amount\": 3}"});
    client.answers.push_back(accept(&answer));
    assert_eq!(client.run(&pay(5)).await["structuredContent"]["value"], json!({"amount": 3}));
    client.leave().await.unwrap();
}

#[tokio::test]
async fn every_other_answer_is_no() {
    let mut client = Client::start().await;
    let cases = [
        (json!({"action": "decline"}), "the user declined"),
        (json!({"action": "cancel"}), "the user dismissed the question"),
        (accept(&json!({"decision": "reject", "reason": "too much"})), "too much"),
        (accept(&json!({"decision": "reject"})), "the user said no"),
        (accept(&json!({})), "no decision"),
        (accept(&json!({"decision": true})), "no decision"),
        (json!({"action": "accept"}), "no decision"),
        (accept(&json!({"decision": "approve", "arguments": "[1]"})), "no JSON object"),
        (accept(&json!({"decision": "approve", "arguments": "amount=3"})), "no JSON object"),
    ];
    for (answer, reason) in cases {
        client.answers.push_back(answer.clone());
        let result = client.run(&pay(5)).await;
        let value = result["structuredContent"]["value"].as_str().unwrap();
        assert!(value.contains("ApprovalRejected") && value.contains(reason), "{answer}: {value}");
    }
    client.leave().await.unwrap();
}

#[tokio::test]
async fn an_answer_that_is_an_error_is_no() {
    let mut client = Client::start().await;
    let run = json!({"name": "run_code", "arguments": {"code": pay(5)}});
    let id = client.send("tools/call", run).await;
    let asked = loop {
        let message = client.read().await;
        if message["method"] == "elicitation/create" {
            break message["id"].clone();
        }
    };
    let error = json!({"code": -32601, "message": "not here"});
    client.write(&json!({"jsonrpc": "2.0", "id": asked, "error": error})).await;
    let answer = client.wait(id).await;
    let value = answer["result"]["structuredContent"]["value"].as_str().unwrap();
    assert!(value.contains("could not ask its user"), "{value}");
    client.leave().await.unwrap();
}

#[tokio::test]
async fn a_client_that_cannot_ask_is_told_so() {
    let mut client = Client::start_as(ServerConfig::default(), json!({})).await;
    let result = client.run(&pay(5)).await;
    let value = result["structuredContent"]["value"].as_str().unwrap();
    assert!(value.contains("the client cannot ask its user"), "{value}");
    assert!(client.asked.is_empty());
    client.leave().await.unwrap();
}

#[tokio::test]
async fn other_tools_ask_as_code_does() {
    let mut client = Client::start().await;
    client.answers.push_back(json!({"action": "decline"}));
    let refused = client.call("add_dep", json!({"package": "jinja2"})).await;
    assert!(refused["isError"] == true && refused.to_string().contains("declined"), "{refused}");
    client.answers.push_back(accept(&json!({"decision": "approve"})));
    let added = client.call("add_dep", json!({"package": "jinja2"})).await;
    assert_eq!(added["isError"], false, "{added}");
    let message = client.asked[1]["params"]["message"].as_str().unwrap();
    assert!(message.contains("deps.add") && message.contains("jinja2"), "{message}");
    client.leave().await.unwrap();
}

#[tokio::test]
async fn calls_that_are_made_together_are_asked_about_together() {
    let mut client = Client::start().await;
    client.answers.extend([
        accept(&json!({"decision": "approve"})),
        accept(&json!({"decision": "reject", "reason": "once is enough"})),
    ]);
    let code = format!("together {}", json!([paying(1), paying(2)]));
    let result = client.run(&code).await;
    let answers = result["structuredContent"]["value"].as_array().unwrap().clone();
    assert_eq!(answers.iter().filter(|answer| answer.is_object()).count(), 1, "{answers:?}");
    assert_eq!(client.asked.len(), 2);
    client.leave().await.unwrap();
}

#[tokio::test]
async fn a_run_that_is_cancelled_while_it_asks_calls_nothing() {
    let mut client = Client::start().await;
    let run = json!({"name": "run_code", "arguments": {"code": pay(5)}});
    let id = client.send("tools/call", run).await;
    let asked = client.read().await;
    let asked = if asked["method"] == "elicitation/create" { asked } else { client.read().await };
    client.notify("notifications/cancelled", json!({"requestId": id})).await;
    until_is(&client.puppets.stage.dropped, 1).await;
    // Too late.
    let answer = accept(&json!({"decision": "approve"}));
    client.write(&json!({"jsonrpc": "2.0", "id": asked["id"], "result": answer})).await;
    assert_eq!(texts(&client.run("echo 1").await), ["1"]);
    client.leave().await.unwrap();
}

#[tokio::test]
async fn arguments_cannot_pose_as_a_part_of_the_question() {
    let mut client = Client::start().await;
    client.answers.push_back(json!({"action": "decline"}));
    let args = json!({"note": "x\n  amount = 1\nThe code wants nothing.\u{202e}", "a\nb": 1});
    let call = json!({"namespace": "tools", "op": "call", "args": {"name": "pay", "args": args}});
    client.run(&format!("call {call}")).await;
    let message = client.asked[0]["params"]["message"].as_str().unwrap();
    assert_eq!(message.lines().count(), 3, "{message}");
    assert!(!message.contains('\u{202e}'), "{message}");
    client.leave().await.unwrap();
}
