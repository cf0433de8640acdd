//! Calls that wait for somebody.

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::redis::Redis;
use crate::support::{Place, Setup, World};

/// Code that pays, and so waits.
fn pay(amount: u32) -> String {
    let args = json!({"name": "pay", "args": {"amount": amount}});
    format!("call {}", json!({"namespace": "tools", "op": "call", "args": args}))
}

/// Runs it in a session, and gives what waits once it does.
async fn start(world: &World, session: &str) -> (JoinHandle<Value>, Value) {
    let ask = world.execute(&pay(5)).session(session);
    let running = tokio::spawn(async move { ask.send().await.json() });
    (running, waiting(world).await)
}

/// The one call that waits, as soon as it does.
async fn waiting(world: &World) -> Value {
    for _ in 0..2000 {
        let list = world.get("/approvals").send().await.json();
        if let Some(first) = list.get(0) {
            assert_eq!(list.as_array().unwrap().len(), 1);
            return first.clone();
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("nothing waits");
}

fn decide(id: &Value, what: &str) -> String {
    format!("/approvals/{}/{what}", id.as_str().unwrap())
}

#[tokio::test]
async fn a_call_is_approved_refused_or_edited() {
    let world = World::start().await;
    let session = world.session(Some("w")).await;

    let (running, asked) = start(&world, &session).await;
    assert_eq!((&asked["name"], &asked["workspace_id"]), (&json!("tools.pay"), &json!("w")));
    assert_eq!(asked["session_id"], session.as_str());
    assert_eq!(asked["args"]["value"], json!({"amount": 5}));
    let reply = world.ask("POST", &decide(&asked["id"], "approve")).send().await;
    assert_eq!(reply.json(), json!({"id": asked["id"], "status": "approved"}));
    assert_eq!(running.await.unwrap()["value"], json!({"amount": 5}));
    assert_eq!(world.ask("POST", &decide(&asked["id"], "approve")).status().await, 404, "once");

    let (running, asked) = start(&world, &session).await;
    let reply = world.post(&decide(&asked["id"], "reject"), &json!({"reason": "too much"}));
    assert_eq!(reply.send().await.json()["status"], "rejected");
    let value = running.await.unwrap()["value"].as_str().unwrap().to_owned();
    assert!(value.contains("was not approved: too much"), "{value}");

    let (running, asked) = start(&world, &session).await;
    for body in [json!({}), json!({"args": {"value": 1}}), json!({"args": 1})] {
        assert_eq!(world.post(&decide(&asked["id"], "edit"), &body).status().await, 422, "{body}");
    }
    let body = json!({"args": {"value": {"amount": 1}}});
    let reply = world.post(&decide(&asked["id"], "edit"), &body).send().await;
    assert_eq!(reply.json()["status"], "edited");
    assert_eq!(running.await.unwrap()["value"], json!({"amount": 1}));
    assert_eq!(world.get("/approvals").send().await.json(), json!([]));
}

#[tokio::test]
async fn what_waits_ends_with_its_session() {
    let world = World::start().await;
    let session = world.session(None).await;
    let (running, asked) = start(&world, &session).await;
    world.ask("POST", "/reset").session(&session).send().await;
    running.await.unwrap();
    assert_eq!(world.get("/approvals").send().await.json(), json!([]));
    assert_eq!(world.ask("POST", &decide(&asked["id"], "approve")).status().await, 404);
    for id in ["x", "..", "%00", &"f".repeat(200)] {
        let path = format!("/approvals/{id}/approve");
        assert_eq!(world.ask("POST", &path).status().await, 404, "{id}");
    }
}

#[tokio::test]
async fn another_server_may_be_asked() {
    let Some(redis) = Redis::start() else { return };
    let one = Setup::at(Place::redis(&redis)).named("one").start().await;
    let two = Setup::at(Place::redis(&redis)).named("two").start().await;
    let session = one.session(None).await;
    for (what, status, body) in [
        ("approve", "approve", json!({})),
        ("reject", "reject", json!({"reason": "no"})),
        ("edit", "edit", json!({"args": {"value": {"amount": 2}}})),
    ] {
        let ask = one.execute(&pay(5)).session(&session);
        let running = tokio::spawn(async move { ask.send().await.json() });
        let asked = waiting(&two).await;
        assert_eq!(asked["node"], "one");
        let reply = two.post(&decide(&asked["id"], what), &body).send().await;
        assert_eq!(reply.status, 202, "{status}");
        assert_eq!(reply.json()["node"], "one");
        let value = running.await.unwrap()["value"].clone();
        match what {
            "approve" => assert_eq!(value, json!({"amount": 5})),
            "edit" => assert_eq!(value, json!({"amount": 2})),
            _ => assert!(value.as_str().unwrap().contains("not approved: no"), "{value}"),
        }
        // The record goes with the request.
        let mut left = 1;
        for _ in 0..2000 {
            left = two.get("/approvals").send().await.json().as_array().unwrap().len();
            if left == 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_eq!(left, 0);
    }
}
