//! The end of a server: SIGTERM while it works.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::program::Place;

#[tokio::test]
async fn a_server_that_is_told_to_end_finishes_what_goes_on() {
    for place in Place::each() {
        let mut server = place.serve(&[]);
        let session = server.session(Some("w")).await;
        let code = "artifacts.save('began', 'yes')\nimport time\ntime.sleep(1)\n\
                    artifacts.save('done', 'yes')\n'done'";
        let ask = server.execute(code).session(&session);
        let running = tokio::spawn(async move { ask.send().await });
        while server.get("/api/artifacts/began").session(&session).status().await != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        server.signal(Signal::TERM);
        let reply = running.await.unwrap();
        assert_eq!((reply.status, &reply.json()["value"]), (200, &json!("done")));
        assert!(server.ended().success(), "{}", place.name());
        let refused = tokio::net::TcpStream::connect(server.address).await;
        assert!(refused.is_err());
    }
}

#[tokio::test]
async fn what_takes_longer_than_the_server_waits_is_interrupted() {
    let mut server = Place::folder().serve(&["--drain", "200ms"]);
    let session = server.session(Some("w")).await;
    let code = "artifacts.save('began', 'yes')\nwhile True: pass";
    let ask = server.execute(code).session(&session);
    let running = tokio::spawn(async move { ask.send().await });
    while server.get("/api/artifacts/began").session(&session).status().await != 200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.signal(Signal::TERM);
    let result = running.await.unwrap().json();
    assert_eq!(result["error_info"]["kind"], "cancelled", "{result}");
    assert!(server.ended().success());
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let mut server = Place::folder().serve(&[]);
    let session = server.session(Some("w")).await;
    let code = "artifacts.save('began', 'yes')\nwhile True: pass";
    let _running = server.execute(code).session(&session).open().await;
    while server.get("/api/artifacts/began").session(&session).status().await != 200 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.signal(Signal::TERM);
    // It has taken the first one when it takes no connections any more.
    while tokio::net::TcpStream::connect(server.address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.signal(Signal::INT);
    assert_eq!(server.ended().code(), Some(130));
}
