//! Several servers, restarts, and requests that are repeated.

use std::sync::atomic::Ordering;
use std::time::Duration;

use pcm_storage::{RecordKey, RecordKind};
use serde_json::{Value, json};

use crate::redis::Redis;
use crate::support::{Place, Setup, World, until_is};

#[tokio::test]
async fn two_servers_over_one_redis_serve_the_same_workspaces() {
    let Some(redis) = Redis::start() else { return };
    let one = Setup::at(Place::redis(&redis)).named("one").start().await;
    let two = Setup::at(Place::redis(&redis)).named("two").start().await;
    let here = one.session(Some("w")).await;
    let there = two.session(Some("w")).await;
    let body = json!({"name": "a", "data": "of one"});
    assert_eq!(one.post("/api/artifacts", &body).session(&here).status().await, 200);
    let loaded = two.get("/api/artifacts/a").session(&there).send().await;
    assert_eq!(loaded.json(), "of one");
    // A sandbox lives on one server, and its workspace on all.
    let loaded = two.get("/api/artifacts/a").session(&here).send().await;
    assert_eq!(loaded.json(), "of one");
    for ask in [
        two.execute("echo 1").session(&here),
        two.ask("POST", "/reset").session(&here),
        two.ask("POST", &format!("/sessions/{here}/interrupt")),
        two.get(&format!("/sessions/{here}/files/a")),
        two.post("/api/deps/add", &json!({"package": "six"})).session(&here),
    ] {
        let reply = ask.send().await;
        assert_eq!((reply.status, reply.header("x-session-node")), (421, Some("one")));
        assert_eq!(reply.json()["node"], "one");
        assert!(reply.detail().contains("one"));
    }
    assert_eq!(one.run(&here, "echo 1").await["value"], "1");
}

#[tokio::test]
async fn a_session_that_was_lost_with_its_server_is_made_anew() {
    let Some(redis) = Redis::start() else { return };
    let one = Setup::at(Place::redis(&redis)).named("one").start().await;
    let two = Setup::at(Place::redis(&redis)).named("two").start().await;
    let lost = one.session(Some("w")).await;
    one.post(
        "/api/workflows",
        &json!({
            "name": "kept", "source": "async def run(): return 1", "description": ""
        }),
    )
    .session(&lost)
    .send()
    .await;
    one.kill().await;
    assert_eq!(two.execute("echo 1").session(&lost).status().await, 421, "it may come back");

    let one = Setup::at(Place::redis(&redis)).named("one").start().await;
    for world in [&two, &one] {
        let reply = world.execute("echo 1").session(&lost).send().await;
        assert_eq!((reply.status, reply.detail()), (400, "Invalid session ID".to_owned()));
    }
    let again = one.session(Some("w")).await;
    let kept = one.get("/api/workflows/kept").session(&again).send().await.json();
    assert_eq!(kept["name"], "kept");
}

#[tokio::test]
async fn a_server_that_was_silent_for_a_while_has_its_sessions_still() {
    let place = Place::memory();
    let one = Setup::at(place.clone()).named("one").start().await;
    let two = Setup::at(place.clone()).named("two").start().await;
    let session = one.session(Some("w")).await;
    let records = place.records();
    let mut nodes = records.list(RecordKind::Node).await.unwrap().into_iter();
    let asked = two.execute("echo 1").session(&session);
    assert_eq!(asked.status().await, 421);
    // What it says of itself expires, as if the records could not be reached for longer than that holds.
    let silent = nodes.next().unwrap();
    let other = nodes.next().unwrap();
    for (id, _) in [&silent, &other] {
        let key = RecordKey::new(RecordKind::Node, id).unwrap();
        records.remove(&key).await.unwrap();
    }
    assert_eq!(asked.status().await, 400);
    for (id, life) in [silent, other] {
        let key = RecordKey::new(RecordKind::Node, &id).unwrap();
        records.put(&key, life, Duration::from_mins(1)).await.unwrap();
    }
    assert_eq!(asked.status().await, 421);
    assert_eq!(one.run(&session, "echo 1").await["value"], "1");
}

#[tokio::test]
async fn a_restart_over_the_same_folder_keeps_workspaces_and_answers() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Setup::at(Place::files(folder.path())).named("n").start();
    let world = start().await;
    let session = world.session(Some("w")).await;
    let body = json!({"name": "a", "data": {"x": 1}});
    let save = |world: &World, session: &str| {
        world.post("/api/artifacts", &body).session(session).header("Idempotency-Key", "k-1")
    };
    let first = save(&world, &session).send().await.json();
    world.kill().await;

    let world = start().await;
    assert_eq!(world.execute("echo 1").session(&session).status().await, 400);
    let replayed = save(&world, &session).send().await;
    assert_eq!(replayed.header("idempotency-replayed"), Some("true"));
    assert_eq!(replayed.json(), first);
    let again = world.session(Some("w")).await;
    let loaded = world.get("/api/artifacts/a").session(&again).send().await;
    assert_eq!(loaded.json(), json!({"x": 1}));
}

#[tokio::test]
async fn a_request_with_a_key_is_done_once() {
    done_once(World::start().await).await;
    let folder = tempfile::tempdir().unwrap();
    done_once(Setup::at(Place::files(folder.path())).start().await).await;
    if let Some(redis) = Redis::start() {
        done_once(Setup::at(Place::redis(&redis)).start().await).await;
    }
}

async fn done_once(world: World) {
    let keyed = |code: &str, key: &str| world.execute(code).header("Idempotency-Key", key);
    let first = keyed("echo 1", "one").send().await.json();
    let second = keyed("echo 1", "one").send().await;
    assert_eq!((second.status, second.json()), (200, first));
    assert_eq!(world.stage.started.load(Ordering::SeqCst), 1);
    assert_eq!(keyed("echo 2", "one").status().await, 422, "another request");
    assert_eq!(keyed("echo 1", &"k".repeat(256)).status().await, 422);
    assert_eq!(keyed("echo 1", "").status().await, 422);
    assert_eq!(keyed("echo 1", "a\tb").status().await, 422);
    let events = keyed("echo 1", "events").header("Accept", "text/event-stream");
    assert_eq!(events.status().await, 422);

    // Whoever asked hangs up, and asks again while it is being done, and when it is done.
    let session = world.session(None).await;
    let slow = keyed("sleep", "slow").session(&session);
    let asked = slow.open().await;
    until_is(&world.stage.running, 1).await;
    drop(asked);
    assert_eq!(slow.status().await, 409);
    world.ask("POST", &format!("/sessions/{session}/interrupt")).send().await;
    until_is(&world.stage.running, 0).await;
    let mut reply = slow.send().await;
    while reply.status == 409 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        reply = slow.send().await;
    }
    assert_eq!(reply.json()["error_info"]["kind"], "cancelled");
    assert_eq!(world.stage.dropped.load(Ordering::SeqCst), 0);

    // What was not done may be tried again.
    world.stage.broken.store(true, Ordering::SeqCst);
    assert_eq!(keyed("echo 1", "broken").status().await, 503);
    world.stage.broken.store(false, Ordering::SeqCst);
    assert_eq!(keyed("echo 1", "broken").status().await, 200);
    // And what was refused for good is refused again.
    let bad = world.post("/execute", &json!({"code": 1})).header("Idempotency-Key", "bad");
    assert_eq!((bad.status().await, bad.status().await), (422, 422));
}

#[tokio::test]
async fn of_many_that_come_at_once_with_one_key_one_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let world = Setup::at(Place::files(folder.path())).start().await;
    let asks = (0..16).map(|_| {
        let ask = world.execute("echo 1").header("Idempotency-Key", "k");
        tokio::spawn(async move { ask.status().await })
    });
    for ask in asks.collect::<Vec<_>>() {
        assert!(matches!(ask.await.unwrap(), 200 | 409));
    }
    assert_eq!(world.stage.started.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_server_without_its_records_says_so() {
    let Some(mut redis) = Redis::start() else { return };
    let world = Setup::at(Place::redis(&redis)).start().await;
    let session = world.session(None).await;
    redis.kill();
    let reply = world.post("/sessions", &json!({})).send().await;
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(reply.header("retry-after").is_some());
    assert!(!reply.text().contains("redis.sock"), "{}", reply.text());
    assert_eq!(world.get("/api/artifacts").session(&session).status().await, 503);
    assert_eq!(world.run(&session, "echo 1").await["value"], "1", "what is here goes on");
    assert_eq!(world.get("/health").status().await, 200);
}

#[tokio::test]
async fn a_server_that_ends_finishes_what_goes_on() {
    let mut world = World::start().await;
    let session = world.session(None).await;
    let frame = json!({"namespace": "tools", "op": "call", "args": {"name": "pay", "args": {}}});
    let ask = world.execute(&format!("call {frame}")).session(&session);
    let running = tokio::spawn(async move { ask.send().await });
    until_is(&world.stage.running, 1).await;
    let mut waiting = Value::Null;
    while waiting.get(0).is_none() {
        waiting = world.get("/approvals").send().await.json();
    }
    let id = waiting[0]["id"].as_str().unwrap().to_owned();
    let idle = world.get("/health").without("Connection").open().await;
    // A connection that is there before the end may still ask, and is told.
    let approve = world.ask("POST", &format!("/approvals/{id}/approve"));
    assert_eq!(approve.status().await, 200);
    world.stop();
    let reply = running.await.unwrap();
    assert_eq!(reply.status, 200, "{}", reply.text());
    drop(idle);
    let stage = std::sync::Arc::clone(&world.stage);
    let address = world.address;
    world.ended().await;
    assert_eq!(stage.closed.load(Ordering::SeqCst), 1, "the session was closed");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_server_that_ends_interrupts_what_takes_too_long() {
    let setup = Setup::default().with(|config| config.limits.drain = Duration::from_millis(100));
    let mut world = setup.start().await;
    let session = world.session(None).await;
    let ask = world.execute("sleep").session(&session);
    let running = tokio::spawn(async move { ask.send().await });
    let keyed = world.execute("sleep").header("Idempotency-Key", "k").open().await;
    until_is(&world.stage.running, 2).await;
    world.stop();
    assert_eq!(running.await.unwrap().json()["error_info"]["kind"], "cancelled");
    drop(keyed);
    let stage = std::sync::Arc::clone(&world.stage);
    world.ended().await;
    assert_eq!((stage.running.load(Ordering::SeqCst), stage.closed.load(Ordering::SeqCst)), (0, 2));
}
