//! Several servers behind nginx, by the configuration that the documentation has.

use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncReadExt as _;

use crate::ask::Client;
use crate::program::{Place, Program};
use crate::redis::Redis;

/// What the configuration calls the servers; and what they are called among each other.
const NODES: [&str; 2] = ["pcm-sandbox-0", "pcm-sandbox-1"];

/// The balancer; it ends when this is dropped.
struct Nginx {
    child: Child,
    client: Client,
    _folder: TempDir,
}

impl Nginx {
    /// One before these servers; None, and a line that says so, where there is no program for it.
    async fn start(servers: [SocketAddr; 2]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let text = include_str!("../../../../docs/deploy/nginx.conf");
        let mut site = replaced(text, "listen 8080;", &format!("listen {port};"), 1);
        for (node, server) in NODES.iter().zip(servers) {
            let named = format!("server {node}:8080");
            site = replaced(&site, &named, &format!("server {server}"), 2);
        }
        fs::write(folder.path().join("site.conf"), site).unwrap();
        fs::write(folder.path().join("nginx.conf"), main_conf()).unwrap();
        let mut spawned = spawn("nginx", folder.path());
        if spawned.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            // Where Debian has it, and where only root looks.
            spawned = spawn("/usr/sbin/nginx", folder.path());
        }
        let child = match spawned {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                println!("skipped: nginx is missing; apt-get install nginx");
                return None;
            }
            Err(error) => panic!("nginx does not start: {error}"),
        };
        let nginx = Self { child, client: Client { address: port }, _folder: folder };
        let began = Instant::now();
        while nginx.get("/health").try_send().await.is_none_or(|reply| reply.status != 200) {
            assert!(began.elapsed() < Duration::from_secs(20), "nginx does not answer");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Some(nginx)
    }
}

impl std::ops::Deref for Nginx {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It takes its workers with it only if it is asked.
        let _ = rustix::process::kill_process(
            rustix::process::Pid::from_child(&self.child),
            rustix::process::Signal::TERM,
        );
        let _ = self.child.wait();
    }
}

fn spawn(program: &str, folder: &Path) -> std::io::Result<Child> {
    let mut command = Command::new(program);
    command.arg("-p").arg(folder).args(["-c", "nginx.conf", "-e", "stderr"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()
}

/// What is around the site: everything that is written is written in the test's own folder.
fn main_conf() -> String {
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let paths: String = paths.map(|name| format!("{name}_temp_path {name};\n")).concat();
    format!(
        "daemon off;\npid nginx.pid;\nworker_processes 1;\nevents {{}}\n\
         http {{\naccess_log off;\n{paths}include site.conf;\n}}\n"
    )
}

fn replaced(text: &str, from: &str, to: &str, times: usize) -> String {
    assert_eq!(text.matches(from).count(), times, "{from} in nginx.conf");
    text.replace(from, to)
}

struct Cluster {
    servers: [Program; 2],
    nginx: Nginx,
    place: Place,
}

impl Cluster {
    async fn start(arguments: &[&str]) -> Option<Self> {
        let place = Place::Redis(Redis::start()?);
        let servers = NODES.map(|node| place.serve(&[&["--node", node], arguments].concat()));
        let nginx = Nginx::start([servers[0].address, servers[1].address]).await?;
        Some(Self { servers, nginx, place })
    }

    /// On which server a session lives.
    async fn home(&self, session: &str) -> usize {
        let mut homes = Vec::new();
        for (number, server) in self.servers.iter().enumerate() {
            let reply = server.execute("None").session(session).send().await;
            if reply.status == 200 {
                homes.push(number);
                continue;
            }
            // Defined: which server it is, in a header and in the body.
            let node = NODES[1 - number];
            assert_eq!((reply.status, reply.header("x-session-node")), (421, Some(node)));
            assert_eq!(reply.json()["node"], node);
        }
        assert_eq!(homes.len(), 1, "a session lives on one server");
        homes[0]
    }

    /// A session on each server.
    async fn sessions(&self, workspace: Option<&str>) -> [String; 2] {
        let mut found = [None, None];
        for _ in 0..200 {
            let session = self.nginx.session(workspace).await;
            let home = self.home(&session).await;
            found[home] = Some(session);
            if let [Some(one), Some(other)] = &found {
                return [one.clone(), other.clone()];
            }
        }
        panic!("all sessions are on one server");
    }
}

#[tokio::test]
async fn a_session_is_found_on_its_server_through_the_balancer() {
    let Some(cluster) = Cluster::start(&[]).await else { return };
    let nginx = &cluster.nginx;
    let sessions = cluster.sessions(Some("w")).await;
    // Also many at a time: each request reaches the variables of its session.
    let mut clients = Vec::new();
    for (number, session) in sessions.iter().cloned().enumerate() {
        let client = nginx.client;
        clients.push(tokio::spawn(async move {
            client.run(&session, &format!("mine = [{number}]")).await;
            for length in 2..20 {
                let code = format!("mine.append({number})\nprint('to {number}')\nmine");
                let result = client.run(&session, &code).await;
                assert_eq!(result["value"], json!(vec![number; length]), "{result}");
                assert_eq!(result["stdout"], format!("to {number}\n"));
            }
        }));
    }
    for client in clients {
        client.await.unwrap();
    }
    // A body is passed on whole, also one that the balancer keeps in a file, and a path as it is.
    for session in &sessions {
        let bytes: Vec<u8> = (0..=255).cycle().take(3 << 20).collect();
        let path = format!("/sessions/{session}/files/work/a%20b");
        let put = nginx.ask("PUT", &path).body(bytes.clone()).send().await;
        assert_eq!(put.json(), json!({"path": "/work/a b", "bytes": bytes.len()}));
        let got = nginx.get(&path).send().await;
        assert!(got.status == 200 && got.body == bytes, "{}", got.status);
        let long = format!("len({:?})", "x".repeat(1 << 20));
        assert_eq!(nginx.run(session, &long).await["value"], 1 << 20);
    }
    // A workspace is on all of them.
    nginx.run(&sessions[0], "artifacts.save('a/b', 'of one')").await;
    for session in &sessions {
        assert_eq!(nginx.run(session, "artifacts.load('a/b')").await["value"], "of one");
        let loaded = nginx.get("/api/artifacts/a%2Fb").session(session).send().await;
        assert_eq!(loaded.json(), "of one");
    }
    for session in &sessions {
        let reset = nginx.ask("POST", "/reset").session(session).send().await;
        assert_eq!(reset.status, 200);
        let reply = nginx.execute("1").session(session).send().await;
        assert_eq!((reply.status, &*reply.detail()), (400, "Invalid session ID"));
    }
}

#[tokio::test]
async fn events_and_interrupts_pass_the_balancer() {
    let Some(cluster) = Cluster::start(&[]).await else { return };
    for session in cluster.sessions(None).await {
        let code = "print('first')\nwhile True: pass";
        let ask = cluster.nginx.execute(code).session(&session);
        let mut stream = ask.header("Accept", "text/event-stream").open().await;
        let mut heard = Vec::new();
        while !String::from_utf8_lossy(&heard).contains("first") {
            let mut buffer = [0; 4096];
            let read = stream.read(&mut buffer).await.unwrap();
            assert!(read > 0, "{}", String::from_utf8_lossy(&heard));
            heard.extend_from_slice(&buffer[..read]);
        }
        let path = format!("/sessions/{session}/interrupt");
        let interrupted = cluster.nginx.ask("POST", &path).send().await.json();
        assert_eq!(interrupted["running"], true);
        stream.read_to_end(&mut heard).await.unwrap();
        let events = crate::ask::Reply::parse(&heard).events();
        let (kind, result) = events.last().unwrap();
        assert_eq!((&**kind, &result["error_info"]["kind"]), ("result", &json!("cancelled")));

        // Who hangs up ends the run, also from there.
        let ask = cluster.nginx.execute("print('began')\nwhile True: pass").session(&session);
        let mut stream = ask.header("Accept", "text/event-stream").open().await;
        let mut heard = vec![0; 1];
        stream.read_exact(&mut heard).await.unwrap();
        drop(stream);
        assert_eq!(cluster.nginx.run(&session, "1 + 1").await["value"], 2);
    }
}

#[tokio::test]
async fn a_call_can_be_approved_on_any_server() {
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.yaml");
    let text = "version: 1\ndefault: allow\nrules:\n  - {match: artifacts.save, action: ask}\n";
    fs::write(&policy, text).unwrap();
    let Some(cluster) = Cluster::start(&["--policy", policy.to_str().unwrap()]).await else {
        return;
    };
    for (number, session) in cluster.sessions(Some("w")).await.into_iter().enumerate() {
        let ask = cluster.nginx.execute("artifacts.save('a', '1'); 'saved'").session(&session);
        let run = tokio::spawn(async move { ask.send().await });
        let other = &cluster.servers[1 - number];
        let id = loop {
            let waiting = other.get("/approvals").send().await.json();
            if let Some(id) = waiting[0]["id"].as_str() {
                break id.to_owned();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let told = other.ask("POST", &format!("/approvals/{id}/approve")).send().await;
        assert_eq!((told.status, &told.json()["node"]), (202, &json!(NODES[number])));
        assert_eq!(run.await.unwrap().json()["value"], "saved");
    }
}

#[tokio::test]
async fn while_a_server_is_gone_the_other_goes_on() {
    let Some(mut cluster) = Cluster::start(&[]).await else { return };
    let [lost, kept] = cluster.sessions(Some("w")).await;
    cluster.nginx.run(&lost, "artifacts.save('a', 'stored'); x = 1").await;
    cluster.nginx.run(&kept, "x = 2").await;
    let address = cluster.servers[0].address;
    cluster.servers[0].signal(rustix::process::Signal::KILL);
    cluster.servers[0].ended();
    for _ in 0..8 {
        assert_eq!(cluster.nginx.run(&kept, "x").await["value"], 2);
        // Not yet known to be lost; not an answer that would be taken for one.
        let reply = cluster.nginx.execute("x").session(&lost).send().await;
        assert_eq!((reply.status, reply.header("retry-after")), (503, Some("2")));
        assert!(!reply.detail().is_empty());
        let new = cluster.nginx.session(Some("w")).await;
        assert_eq!(cluster.nginx.run(&new, "artifacts.load('a')").await["value"], "stored");
    }
    // It comes back where it was, and says itself that the session is lost.
    let mut command = cluster.place.command(&["--node", NODES[0]]);
    command.env("PORT", address.port().to_string());
    cluster.servers[0] = Program::start(command);
    for _ in 0..4 {
        let reply = cluster.nginx.execute("x").session(&lost).send().await;
        assert_eq!((reply.status, &*reply.detail()), (400, "Invalid session ID"));
    }
    let again = cluster.nginx.session(Some("w")).await;
    assert_eq!(cluster.nginx.run(&again, "artifacts.load('a')").await["value"], "stored");
    assert_eq!(cluster.nginx.run(&kept, "x").await["value"], Value::from(2));
}
