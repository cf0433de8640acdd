//! Calls that wait for somebody, over HTTP.

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::ask::{Client, Reply};
use crate::program::Place;

const POLICY: &str = "
version: 1
default: allow
rules:
  - {name: small sums, match: tools.pay, action: allow, when: amount <= 1000}
  - {name: too much, match: tools.pay, action: deny, when: amount > 9000}
  - {name: large sums, match: tools.pay, action: ask, reason: it is much}
";

const PAY: &str = "
name: pay
command: echo
schema:
  positional: [{name: amount, type: integer, required: true}]
recipes:
  now: {description: Pays}
";

/// The call that waits, once there is one.
async fn waiting(client: &Client) -> Value {
    for _ in 0..2000 {
        let all = client.get("/approvals").send().await.json();
        if let Some(first) = all.get(0) {
            return first.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("no call waits");
}

fn pays(client: Client, session: &str, amount: u32) -> JoinHandle<Reply> {
    let ask = client.execute(&format!("tools.pay(amount={amount})")).session(session);
    tokio::spawn(async move { ask.send().await })
}

#[tokio::test]
async fn a_call_waits_until_somebody_decides() {
    let folder = tempfile::tempdir().unwrap();
    let tools = folder.path().join("tools");
    std::fs::create_dir(&tools).unwrap();
    std::fs::write(tools.join("pay.yaml"), PAY).unwrap();
    let policy = folder.path().join("policy.yaml");
    std::fs::write(&policy, POLICY).unwrap();
    let (tools, policy) = (tools.to_str().unwrap(), policy.to_str().unwrap());
    for place in Place::each() {
        let server = place.serve(&["--tools", tools, "--policy", policy]);
        let session = server.session(Some("w")).await;
        let small = server.run(&session, "tools.pay(amount=10)").await;
        assert_eq!(small["value"], "10\n", "{small}");
        let denied = server.run(&session, "tools.pay(amount=10000)").await;
        assert!(denied["error"].as_str().unwrap().contains("PolicyDenied"), "{denied}");

        let decide = async |id: &str, what: &str, body: Value| {
            server.post(&format!("/approvals/{id}/{what}"), &body).send().await
        };
        // Approved as it is; nobody can do so twice.
        let run = pays(*server, &session, 5000);
        let call = waiting(&server).await;
        assert_eq!(
            (&call["name"], &call["args"]["value"]),
            (&json!("tools.pay"), &json!({"amount": 5000}))
        );
        assert_eq!((&call["session_id"], &call["workspace_id"]), (&json!(session), &json!("w")));
        assert_eq!(call["reason"], "it is much", "{call}");
        let id = call["id"].as_str().unwrap();
        let approved = decide(id, "approve", json!({})).await;
        assert_eq!(approved.json(), json!({"id": id, "status": "approved"}));
        assert_eq!(run.await.unwrap().json()["value"], "5000\n");
        assert_eq!(decide(id, "approve", json!({})).await.status, 404);
        assert_eq!(server.get("/approvals").send().await.json(), json!([]));

        // Refused, and the code reads why.
        let run = pays(*server, &session, 6000);
        let id = waiting(&server).await["id"].as_str().unwrap().to_owned();
        let rejected = decide(&id, "reject", json!({"reason": "not this month"})).await;
        assert_eq!(rejected.json()["status"], "rejected");
        let error = run.await.unwrap().json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains("ApprovalRejected") && error.contains("not this month"), "{error}");

        // Changed; and what it becomes is judged like any other call.
        let run = pays(*server, &session, 7000);
        let id = waiting(&server).await["id"].as_str().unwrap().to_owned();
        let edited = decide(&id, "edit", json!({"args": {"value": {"amount": 70}}})).await;
        assert_eq!(edited.json()["status"], "edited");
        assert_eq!(run.await.unwrap().json()["value"], "70\n");
        let run = pays(*server, &session, 8000);
        let id = waiting(&server).await["id"].as_str().unwrap().to_owned();
        decide(&id, "edit", json!({"args": {"value": {"amount": 10_000}}})).await;
        let error = run.await.unwrap().json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains("PolicyDenied"), "{error}");

        // Whoever waits no more has no call that waits.
        let run = pays(*server, &session, 5000);
        waiting(&server).await;
        assert_eq!(server.ask("POST", "/reset").session(&session).status().await, 200);
        run.await.unwrap();
        assert_eq!(server.get("/approvals").send().await.json(), json!([]), "{}", place.name());
    }
}
