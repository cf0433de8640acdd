//! What a client sees besides code: tools, workflows, artifacts, packages, resources, prompts.

use pcm_mcp::ServerConfig;
use serde_json::{Value, json};

use crate::support::{Client, texts};

const GREET: &str = "async def run(name: str, times: int = 1):\n    return name * times\n";

async fn names(client: &mut Client, method: &str, list: &str) -> Vec<String> {
    let answer = client.ask(method, json!({})).await;
    let listed = answer["result"][list].as_array().unwrap();
    listed.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn every_tool_says_what_it_takes_gives_and_does() {
    let mut client = Client::start().await;
    let answer = client.ask("tools/list", json!({})).await;
    let tools = answer["result"]["tools"].as_array().unwrap();
    let names: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "run_code",
            "list_tools",
            "search_tools",
            "list_workflows",
            "search_workflows",
            "get_workflow",
            "create_workflow",
            "delete_workflow",
            "list_artifacts",
            "load_artifact",
            "save_artifact",
            "delete_artifact",
            "list_deps",
            "add_dep",
            "remove_dep",
            "reset_session",
            "interrupt",
        ]
    );
    for tool in tools {
        assert_eq!(tool["inputSchema"]["type"], "object", "{tool}");
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{tool}");
        assert_eq!(tool["outputSchema"]["type"], "object", "{tool}");
        let annotations = tool["annotations"].as_object().unwrap();
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            assert!(annotations.contains_key(hint), "{hint}: {tool}");
        }
        let (reads, destroys) = (&annotations["readOnlyHint"], &annotations["destructiveHint"]);
        assert!(reads != true || destroys != true, "{tool}");
    }
    client.leave().await.unwrap();
}

#[tokio::test]
async fn without_packages_at_run_time_nobody_is_offered_any() {
    let mut config = ServerConfig::default();
    config.runtime_deps = false;
    let mut client = Client::start_as(config, json!({})).await;
    let listed = names(&mut client, "tools/list", "tools").await;
    assert!(!listed.contains(&"add_dep".to_owned()) && listed.contains(&"list_deps".to_owned()));
    let params = json!({"name": "add_dep", "arguments": {"package": "x"}});
    assert_eq!(client.ask("tools/call", params).await["error"]["code"], -32602);
    client.leave().await.unwrap();
}

#[tokio::test]
async fn tools_of_the_sandbox_are_listed_and_found() {
    let mut client = Client::start().await;
    let listed = client.call("list_tools", json!({})).await;
    let tools = listed["structuredContent"]["tools"].as_array().unwrap();
    let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["echo.say", "pay"]);
    assert_eq!(serde_json::from_str::<Value>(texts(&listed)[0]).unwrap(), json!(tools));
    let found = client.call("search_tools", json!({"query": "pays", "limit": 1})).await;
    assert_eq!(found["structuredContent"]["tools"][0]["name"], "pay");
    client.leave().await.unwrap();
}

#[tokio::test]
async fn an_empty_list_is_one_text() {
    let mut client = Client::start().await;
    for (tool, list) in
        [("list_workflows", "workflows"), ("list_artifacts", "artifacts"), ("list_deps", "deps")]
    {
        let result = client.call(tool, json!({})).await;
        assert_eq!(texts(&result), ["[]"]);
        assert_eq!(result["structuredContent"], json!({list: []}));
    }
    client.leave().await.unwrap();
}

#[tokio::test]
async fn workflows_are_stored_listed_shown_and_deleted() {
    let mut client = Client::start().await;
    let stored = json!({"name": "greet", "source": GREET, "description": "Says hello"});
    let created = client.call("create_workflow", stored).await;
    assert_eq!(created["structuredContent"]["source"], GREET);
    assert_eq!(client.told("notifications/prompts/list_changed").len(), 1);
    let listed = client.call("list_workflows", json!({})).await;
    let listed = &listed["structuredContent"]["workflows"][0];
    assert_eq!((&listed["name"], listed.get("source")), (&json!("greet"), None));
    let found = client.call("search_workflows", json!({"query": "hello"})).await;
    assert_eq!(found["structuredContent"]["workflows"][0]["name"], "greet");
    let shown = client.call("get_workflow", json!({"name": "greet"})).await;
    assert_eq!(shown["structuredContent"]["parameters"][1]["type"], "integer");
    for (deleted, text) in [(true, "true"), (false, "false")] {
        let answer = client.call("delete_workflow", json!({"name": "greet"})).await;
        assert_eq!(texts(&answer), [text]);
        assert_eq!(answer["structuredContent"], json!({"deleted": deleted}));
    }
    let gone = client.call("get_workflow", json!({"name": "greet"})).await;
    assert_eq!(texts(&gone), ["Error: there is no workflow \"greet\""]);
    client.leave().await.unwrap();
}

#[tokio::test]
async fn workflows_are_prompts() {
    let mut client = Client::start().await;
    let stored = json!({"name": "greet", "source": GREET, "description": "Says hello"});
    client.call("create_workflow", stored).await;
    let answer = client.ask("prompts/list", json!({})).await;
    assert_eq!(
        answer["result"]["prompts"],
        json!([{"name": "greet", "description": "Says hello", "arguments": [
            {"name": "name", "required": true},
            {"name": "times", "description": "As JSON: integer", "required": false},
        ]}])
    );
    let arguments = json!({"name": "Ada", "times": "2"});
    let params = json!({"name": "greet", "arguments": arguments});
    let prompt = client.ask("prompts/get", params).await;
    let message = &prompt["result"]["messages"][0];
    assert_eq!(message["role"], "user");
    let text = message["content"]["text"].as_str().unwrap();
    assert!(text.contains(r#"workflows.invoke("greet", name="Ada", times=2)"#), "{text}");
    for params in [json!({"name": "nobody"}), json!({"name": "greet"}), json!({"name": "../x"})] {
        let refused = client.ask("prompts/get", params).await;
        assert!(refused["error"]["code"].is_i64(), "{refused}");
    }
    client.leave().await.unwrap();
}

#[tokio::test]
async fn workflows_that_code_stores_are_told() {
    let mut client = Client::start().await;
    let args = json!({"name": "greet", "source": GREET, "description": ""});
    let call = json!({"namespace": "workflows", "op": "create", "args": args});
    let id = {
        let params = json!({"name": "run_code", "arguments": {"code": format!("call {call}")}});
        client.send("tools/call", params).await
    };
    client.wait(id).await;
    assert_eq!(client.told("notifications/prompts/list_changed").len(), 1);
    assert_eq!(client.told("notifications/resources/list_changed").len(), 0);
    client.leave().await.unwrap();
}

#[tokio::test]
async fn artifacts_come_back_as_they_were() {
    let mut client = Client::start().await;
    for (saved, kind, data) in [
        (json!({"name": "a.txt", "data": "text"}), "text", json!("text")),
        (json!({"name": "a.json", "data": {"a": [1]}}), "json", json!({"a": [1]})),
        (json!({"name": "a.bin", "data": "/wA=", "encoding": "base64"}), "bytes", json!(null)),
    ] {
        let info = client.call("save_artifact", saved.clone()).await;
        assert_eq!(info["structuredContent"]["name"], saved["name"], "{info}");
        let loaded = client.call("load_artifact", json!({"name": saved["name"]})).await;
        assert_eq!(loaded["structuredContent"]["type"], kind);
        assert_eq!(loaded["structuredContent"]["data"], data);
    }
    let loaded = client.call("load_artifact", json!({"name": "a.bin"})).await;
    let resource = json!({
        "uri": "pcm://artifacts/a.bin", "mimeType": "application/octet-stream", "blob": "/wA=",
    });
    assert_eq!(loaded["content"][0], json!({"type": "resource", "resource": resource}));
    let png = json!({"name": "p", "data": "iVBORw0KGgo=", "encoding": "base64"});
    client.call("save_artifact", png).await;
    let loaded = client.call("load_artifact", json!({"name": "p"})).await;
    assert_eq!(loaded["content"][0]["type"], "image");
    let told = client.told("notifications/resources/list_changed").len();
    client.call("delete_artifact", json!({"name": "p"})).await;
    assert_eq!(client.told("notifications/resources/list_changed").len(), told + 1);
    let gone = client.call("load_artifact", json!({"name": "p"})).await;
    assert_eq!(gone["isError"], true);
    client.leave().await.unwrap();
}

#[tokio::test]
async fn tools_and_artifacts_are_resources() {
    let mut client = Client::start().await;
    client.call("save_artifact", json!({"name": "plots/a b.txt", "data": "x"})).await;
    assert_eq!(client.told("notifications/resources/list_changed").len(), 1);
    let listed = names(&mut client, "resources/list", "resources").await;
    assert_eq!(listed, ["tools.py", "plots/a b.txt"]);
    let stubs = client.ask("resources/read", json!({"uri": "pcm://tools.py"})).await;
    let stubs = stubs["result"]["contents"][0]["text"].as_str().unwrap().to_owned();
    assert!(stubs.contains("class tools:") && stubs.contains("def say("), "{stubs}");
    let uri = "pcm://artifacts/plots/a%20b.txt";
    let read = client.ask("resources/read", json!({"uri": uri})).await;
    let contents = json!({"uri": uri, "mimeType": "text/plain", "text": "x"});
    assert_eq!(read["result"]["contents"], json!([contents]));
    for uri in ["pcm://artifacts/none", "pcm://artifacts/../x", "pcm://", "file:///etc/passwd"] {
        let refused = client.ask("resources/read", json!({"uri": uri})).await;
        assert_eq!(refused["error"]["code"], -32002, "{uri}: {refused}");
    }
    let template = client.ask("resources/templates/list", json!({})).await;
    let uri = &template["result"]["resourceTemplates"][0]["uriTemplate"];
    let reference = json!({"type": "ref/resource", "uri": uri});
    let params = json!({"ref": reference, "argument": {"name": "name", "value": "pl"}});
    let completed = client.ask("completion/complete", params).await;
    assert_eq!(completed["result"]["completion"]["values"], json!(["plots/a b.txt"]));
    client.leave().await.unwrap();
}

#[tokio::test]
async fn packages_are_added_and_removed() {
    let mut client = Client::start().await;
    let approved = json!({"action": "accept", "content": {"decision": "approve"}});
    client.answers.extend([approved.clone(), approved]);
    let added = client.call("add_dep", json!({"package": "jinja2>=3"})).await;
    assert_eq!(added["structuredContent"]["installed"], json!(["jinja2>=3"]));
    let listed = client.call("list_deps", json!({})).await;
    assert_eq!(listed["structuredContent"]["deps"], json!(["jinja2>=3"]));
    let removed = client.call("remove_dep", json!({"package": "jinja2"})).await;
    assert_eq!(removed["structuredContent"]["removed_from_config"], true);
    let refused = client.call("add_dep", json!({"package": "not a spec!"})).await;
    assert_eq!(refused["isError"], true);
    let error: Value = serde_json::from_str(texts(&refused)[0]).unwrap();
    assert!(error["error"].is_string(), "{error}");
    client.leave().await.unwrap();
}

#[tokio::test]
async fn what_code_may_not_do_the_client_may_not_either() {
    let mut client = Client::start().await;
    for (tool, arguments, called) in [
        ("load_artifact", json!({"name": "kept"}), "artifacts.load"),
        ("save_artifact", json!({"name": "kept", "data": "x"}), "artifacts.save"),
        ("delete_artifact", json!({"name": "kept"}), "artifacts.delete"),
        ("get_workflow", json!({"name": "kept"}), "workflows.get"),
        ("delete_workflow", json!({"name": "kept"}), "workflows.delete"),
        (
            "create_workflow",
            json!({"name": "kept", "source": GREET, "description": ""}),
            "workflows.create",
        ),
        ("add_dep", json!({"package": "kept"}), "deps.add"),
        ("remove_dep", json!({"package": "kept"}), "deps.remove"),
    ] {
        let result = client.call(tool, arguments).await;
        assert_eq!(result["isError"], true, "{tool}");
        let said = format!("{called} from mcp");
        assert!(texts(&result)[0].contains(&said), "{tool}: {result}");
    }
    let uri = json!({"uri": "pcm://artifacts/kept"});
    let read = client.ask("resources/read", uri).await;
    assert!(read["error"]["message"].as_str().unwrap().contains("artifacts.load"), "{read}");
    let prompt = client.ask("prompts/get", json!({"name": "kept"})).await;
    assert!(prompt["error"]["message"].as_str().unwrap().contains("workflows.get"), "{prompt}");
    client.leave().await.unwrap();
}
