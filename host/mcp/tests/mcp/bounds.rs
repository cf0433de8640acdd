//! What does not fit, is too long, or makes no sense.

use pcm_mcp::ServerConfig;
use serde_json::{Value, json};

use crate::support::{Client, texts};

#[tokio::test]
async fn arguments_that_do_not_fit_are_told_to_the_model() {
    let mut client = Client::start().await;
    for (tool, arguments, said) in [
        ("run_code", json!({}), "the argument code is missing"),
        ("run_code", json!({"code": 5}), "the argument code has to be a string"),
        ("run_code", json!({"code": "", "timeout": 5}), "there is no argument \"timeout\""),
        ("run_code", json!({"code": "", "session_id": "x"}), "there is no session"),
        ("search_tools", json!({"query": "x", "limit": 0}), "has to be from 1 to 100"),
        ("save_artifact", json!({"name": "a", "data": 5}), "a text, a list or a mapping"),
        ("save_artifact", json!({"name": "a", "data": "?", "encoding": "base64"}), "not base64"),
        ("save_artifact", json!({"name": "../a", "data": "x"}), "../a"),
        ("create_workflow", json!({"name": "a b", "source": "", "description": ""}), "a b"),
        ("create_workflow", json!({"name": "a", "source": "(", "description": ""}), "a"),
    ] {
        let result = client.call(tool, arguments.clone()).await;
        assert_eq!(result["isError"], true, "{tool} {arguments}");
        let text = texts(&result)[0];
        assert!(text.starts_with("Error: ") && text.contains(said), "{tool} {arguments}: {text}");
    }
    client.leave().await.unwrap();
}

#[tokio::test]
async fn a_tool_that_there_is_not_is_an_error_of_the_protocol() {
    let mut client = Client::start().await;
    let answer = client.ask("tools/call", json!({"name": "rm", "arguments": {}})).await;
    assert_eq!(answer["error"]["code"], -32602);
    client.leave().await.unwrap();
}

#[tokio::test]
async fn lines_that_are_no_messages_end_nothing() {
    let mut client = Client::start().await;
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    for line in ["{", "[]", "5", "\"x\"", "{\"jsonrpc\": \"2.0\"}", &deep] {
        let message: Value = Value::String(line.to_owned());
        client.write(&message).await;
    }
    client.write(&json!({"jsonrpc": "2.0", "method": "no/such", "params": {"a": 1}})).await;
    // Those that can be answered are, and have no id.
    let id = client.send("tools/list", json!({})).await;
    let answer = loop {
        let message = client.read().await;
        if message["id"] == id {
            break message;
        }
        assert!(message.get("id").is_none_or(Value::is_null), "{message}");
    };
    assert!(answer["result"]["tools"].is_array());
    client.leave().await.unwrap();
}

#[tokio::test]
async fn a_message_that_is_too_long_is_dropped() {
    let mut config = ServerConfig::default();
    config.message_bytes = 10_000;
    let mut client = Client::start_as(config, json!({})).await;
    let code = "x".repeat(20_000);
    client.send("tools/call", json!({"name": "run_code", "arguments": {"code": code}})).await;
    assert_eq!(texts(&client.run("echo 1").await), ["1"]);
    client.leave().await.unwrap();
}

#[tokio::test]
async fn an_artifact_that_is_too_long_is_not_sent() {
    let mut config = ServerConfig::default();
    config.artifact_bytes = 10;
    let mut client = Client::start_as(config, json!({})).await;
    let long = json!({"name": "a.txt", "data": "x".repeat(11)});
    client.call("save_artifact", long).await;
    let result = client.call("load_artifact", json!({"name": "a.txt"})).await;
    assert!(texts(&result)[0].contains("has 11 bytes, and 10 are the most"), "{result}");
    let uri = json!({"uri": "pcm://artifacts/a.txt"});
    let answer = client.ask("resources/read", uri).await;
    assert!(answer["error"]["message"].as_str().unwrap().contains("11 bytes"), "{answer}");
    client.leave().await.unwrap();
}

#[tokio::test]
async fn a_loud_run_does_not_hold_up_its_result() {
    let mut client = Client::start().await;
    let line = format!("print {}\n", "x".repeat(1000));
    let result = client.run(&line.repeat(2000)).await;
    assert_eq!(result["structuredContent"]["stdout"].as_str().unwrap().len(), 2000 * 1001);
    client.leave().await.unwrap();
}
