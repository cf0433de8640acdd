//! Running code: what comes back, what is told meanwhile, and how it is stopped.

use std::sync::atomic::Ordering;

use pcm_mcp::ServerConfig;
use serde_json::json;

use crate::support::{Client, texts, until_is};

#[tokio::test]
async fn the_result_is_a_text_and_structured() {
    let mut client = Client::start().await;
    let result = client.run("print hello\necho [1, 2]").await;
    assert_eq!(texts(&result), ["[1, 2]\n\nStdout:\nhello\n"]);
    assert_eq!(result["isError"], false);
    let structured = &result["structuredContent"];
    assert_eq!(structured["value"], json!([1, 2]));
    assert_eq!(structured["stdout"], "hello\n");
    assert_eq!((&structured["session"], &structured["is_ok"]), (&json!("kept"), &json!(true)));
    assert_eq!(structured.get("session_id"), None);
    assert_eq!(texts(&client.run("").await), ["(no output)"]);
    client.leave().await.unwrap();
}

#[tokio::test]
async fn code_that_fails_is_told_to_the_model() {
    let mut client = Client::start().await;
    let result = client.run("print before\nraise").await;
    assert_eq!(texts(&result), ["Error: Traceback …\nValueError: no\n\nStdout:\nbefore\n"]);
    assert_eq!(result["isError"], true);
    assert_eq!(result["structuredContent"]["error"]["kind"], "exception");
    let result = client.run("crash").await;
    assert!(texts(&result)[1].contains("variables and imports are gone"), "{result}");
    client.leave().await.unwrap();
}

#[tokio::test]
async fn variables_stay_until_the_session_is_reset() {
    let mut client = Client::start().await;
    client.run("set x 5").await;
    assert_eq!(texts(&client.run("get x").await), ["5"]);
    let reset = client.call("reset_session", json!({})).await;
    assert_eq!(reset["structuredContent"], json!({"session": "reset"}));
    assert_eq!(client.run("get x").await["structuredContent"]["value"], json!(null));
    assert_eq!(client.puppets.stage.started.load(Ordering::SeqCst), 1);
    client.leave().await.unwrap();
}

#[tokio::test]
async fn output_is_told_while_the_code_runs() {
    let mut client = Client::start().await;
    let params = json!({
        "name": "run_code", "arguments": {"code": "print one\nsleep"}, "_meta": {"progressToken": "t"},
    });
    let id = client.send("tools/call", params).await;
    let (mut log, mut progress) = (None, None);
    while log.is_none() || progress.is_none() {
        let message = client.read().await;
        match message["method"].as_str() {
            Some("notifications/message") => log = Some(message["params"].clone()),
            Some("notifications/progress") => progress = Some(message["params"].clone()),
            _ => panic!("not told: {message}"),
        }
    }
    assert_eq!(log, Some(json!({"level": "info", "logger": "stdout", "data": "one\n"})));
    assert_eq!(progress, Some(json!({"progressToken": "t", "progress": 1.0, "message": "one"})));
    // Only now does it end.
    let stopped = client.send("tools/call", json!({"name": "interrupt", "arguments": {}})).await;
    let (mut interrupted, mut result) = (None, None);
    while interrupted.is_none() || result.is_none() {
        let message = client.read().await;
        if message["id"] == stopped {
            interrupted = Some(message["result"]["structuredContent"].clone());
        } else if message["id"] == id {
            result = Some(message["result"].clone());
        }
    }
    assert_eq!(interrupted, Some(json!({"interrupted": true})));
    let result = result.unwrap();
    assert_eq!(texts(&result), ["Error: Cancelled: interrupted\n\nStdout:\none\n"]);
    client.leave().await.unwrap();
}

#[tokio::test]
async fn the_client_says_how_much_it_wants_to_hear() {
    let mut client = Client::start().await;
    client.run("print one\nwarn two").await;
    let levels = |client: &Client| -> Vec<String> {
        let told = client.told("notifications/message");
        told.iter().map(|one| one["level"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(levels(&client), ["info", "warning"]);
    assert_eq!(client.told("notifications/progress").len(), 0);
    client.told.clear();
    client.ask("logging/setLevel", json!({"level": "error"})).await;
    client.run("print one\nwarn two").await;
    assert_eq!(levels(&client), [""; 0]);
    client.leave().await.unwrap();
}

#[tokio::test]
async fn a_cancelled_request_cancels_its_run_and_no_other() {
    let mut client = Client::start().await;
    client.run("set x 1").await;
    let first = client
        .send("tools/call", json!({"name": "run_code", "arguments": {"code": "sleep"}}))
        .await;
    until_is(&client.puppets.stage.sleeping, 1).await;
    let second = client
        .send("tools/call", json!({"name": "run_code", "arguments": {"code": "get x"}}))
        .await;
    client.notify("notifications/cancelled", json!({"requestId": first})).await;
    let answer = client.wait(second).await;
    assert_eq!(texts(&answer["result"]), ["1"]);
    assert_eq!(client.puppets.stage.dropped.load(Ordering::SeqCst), 1);
    client.leave().await.unwrap();
}

#[tokio::test]
async fn a_request_that_waits_for_its_turn_can_be_cancelled() {
    let mut client = Client::start().await;
    let sleep = json!({"name": "run_code", "arguments": {"code": "sleep"}});
    let first = client.send("tools/call", sleep.clone()).await;
    until_is(&client.puppets.stage.sleeping, 1).await;
    let second = client.send("tools/call", sleep).await;
    client.notify("notifications/cancelled", json!({"requestId": second})).await;
    let stopped = client.send("tools/call", json!({"name": "interrupt", "arguments": {}})).await;
    let mut ended = Vec::new();
    while ended.len() < 2 {
        ended.push(client.read().await["id"].as_u64().unwrap());
    }
    ended.sort_unstable();
    assert_eq!(ended, [first, stopped]);
    assert_eq!(client.puppets.stage.sleeping.load(Ordering::SeqCst), 1);
    client.leave().await.unwrap();
}

#[tokio::test]
async fn a_picture_is_content() {
    let mut client = Client::start().await;
    let result = client.run("picture").await;
    let picture = json!({"type": "image", "data": "iVBORw0KGgo=", "mimeType": "image/png"});
    assert_eq!(result["content"][1], picture);
    assert_eq!(result["structuredContent"]["display"], json!([{"text/plain": "<Figure>"}]));
    client.leave().await.unwrap();
}

#[tokio::test]
async fn the_session_ends_with_its_client() {
    let mut client = Client::start().await;
    client.run("set x 1").await;
    let stage = std::sync::Arc::clone(&client.puppets.stage);
    client.leave().await.unwrap();
    assert_eq!(stage.closed.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_server_that_shall_end_stops_what_runs() {
    let mut client = Client::start().await;
    client.send("tools/call", json!({"name": "run_code", "arguments": {"code": "sleep"}})).await;
    let stage = std::sync::Arc::clone(&client.puppets.stage);
    until_is(&stage.sleeping, 1).await;
    client.stop().await.unwrap();
    assert_eq!(stage.closed.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn who_comes_and_goes_without_a_word_is_no_error() {
    Client::connect(ServerConfig::default()).leave().await.unwrap();
}
