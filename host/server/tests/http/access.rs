//! Who gets in, and to what.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use pcm_server::{Access, ServerError};
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::support::{Setup, World};

/// Some endpoints of every kind.
const PATHS: [(&str, &str); 8] = [
    ("GET", "/info"),
    ("GET", "/openapi.json"),
    ("GET", "/metrics"),
    ("POST", "/sessions"),
    ("POST", "/execute"),
    ("GET", "/api/artifacts/a/b"),
    ("DELETE", "/api/workflows/x"),
    ("GET", "/approvals"),
];

fn bare(ask: Ask) -> Ask {
    ask.without("Authorization")
}

#[tokio::test]
async fn without_authentication_any_header_is_ignored() {
    let world = Setup::default().with(|config| config.access = Access::Open).start().await;
    for header in ["", "Basic x", "Bearer", "Bearer wrong", "nonsense"] {
        let ask = bare(world.get("/info")).header("Authorization", header);
        assert_eq!(ask.status().await, 200, "{header:?}");
    }
    assert_eq!(bare(world.get("/metrics")).status().await, 200);
}

#[tokio::test]
async fn a_header_that_is_missing_or_of_another_scheme_is_401() {
    let world = World::start().await;
    for (method, path) in PATHS {
        let reply = bare(world.ask(method, path)).send().await;
        assert_eq!((reply.status, reply.detail()), (401, "Authorization required".to_owned()));
        assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        for header in [
            "Basic dG9r",
            "bearer tok",
            "BEARER tok",
            "Bearertok",
            "",
            "   ",
            "Bearer\ttok",
            "\u{e9}",
        ] {
            let reply = bare(world.ask(method, path)).header("Authorization", header).send().await;
            assert_eq!(reply.status, 401, "{path} {header:?}");
            assert_eq!(reply.detail(), "Authorization required", "{header:?}");
        }
    }
    assert_eq!(bare(world.get("/health")).status().await, 200);
}

#[tokio::test]
async fn a_token_that_is_empty_or_wrong_is_401() {
    let world = World::start().await;
    for (method, path) in PATHS {
        for header in ["Bearer", "Bearer ", "Bearer  ", "Bearer wrong", "Bearer correct horse"] {
            let reply = bare(world.ask(method, path)).header("Authorization", header).send().await;
            assert_eq!(reply.status, 401, "{path} {header:?}");
            assert_eq!(reply.detail(), "Invalid token", "{header:?}");
        }
    }
    let twice = world.get("/info").header("Authorization", "Bearer wrong");
    assert_eq!(twice.status().await, 401, "two headers are none");
    let in_query = bare(world.get(&format!("/info?token={}", crate::ask::TOKEN.replace(' ', "+"))));
    assert_eq!(in_query.status().await, 401);
    let spoofed = bare(world.get("/info"))
        .header("X-Forwarded-For", "127.0.0.1")
        .header("X-Forwarded-User", "admin");
    assert_eq!(spoofed.status().await, 401);
}

#[tokio::test]
async fn the_right_token_proceeds() {
    let world = World::start().await;
    for (method, path) in PATHS {
        let status = world.ask(method, path).status().await;
        assert!(!matches!(status, 401 | 403), "{method} {path}: {status}");
    }
}

#[tokio::test]
async fn others_than_this_machine_need_a_token() {
    let everywhere = |access| {
        Setup::default().with(|config| {
            config.access = access;
            config.address = SocketAddr::from(([0, 0, 0, 0], 0));
        })
    };
    let refused = everywhere(Access::Open).try_start().await.err().unwrap();
    assert!(matches!(refused, ServerError::Exposed { .. }), "{refused}");
    assert!(everywhere(Access::token("t")).try_start().await.is_ok());
}

#[tokio::test]
async fn another_host_or_page_is_refused_with_the_right_token_too() {
    let world = World::start().await;
    for path in ["/info", "/health", "/nowhere"] {
        let ask = world.get(path).without("Host").header("Host", "evil.example");
        assert_eq!(ask.status().await, 403, "{path}");
        let ask = world.get(path).header("Origin", "http://evil.example");
        let reply = ask.send().await;
        assert_eq!(reply.status, 403, "{path}");
        assert_eq!(reply.header("access-control-allow-origin"), None);
        assert_eq!(world.get(path).without("Host").status().await, 400, "{path}");
    }
    let local = world.get("/info").without("Host").header("Host", "localhost:9");
    assert_eq!(local.status().await, 200);
}

/// A file of tokens: by name, token, and what else is said of it.
fn write_tokens(path: &Path, tokens: &[(&str, &str, &str)]) {
    let mut text = "version: 1\ntokens:\n".to_owned();
    for (name, token, more) in tokens {
        let hash = blake3::hash(token.as_bytes()).to_hex();
        writeln!(text, "  - name: {name}\n    hashes: ['blake3:{hash}']\n{more}").unwrap();
    }
    let aside = path.with_extension("new");
    std::fs::write(&aside, text).unwrap();
    std::fs::rename(aside, path).unwrap();
}

struct Listed {
    world: World,
    folder: tempfile::TempDir,
}

impl Listed {
    async fn start(tokens: &[(&str, &str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.yaml");
        write_tokens(&path, tokens);
        let setup = Setup::default().with(|config| config.access = Access::Tokens(path));
        Self { world: setup.start().await, folder }
    }

    fn rewrite(&self, tokens: &[(&str, &str, &str)]) {
        write_tokens(&self.folder.path().join("tokens.yaml"), tokens);
    }
}

#[tokio::test]
async fn a_token_is_for_its_workspaces() {
    let listed = Listed::start(&[
        ("a", "for-a", "    workspaces: [wa]"),
        ("all", "for-all", "    workspaces: ['*']\n    unscoped: true"),
    ])
    .await;
    let world = &listed.world;
    let bind = |token: &str, workspace: Value| {
        world.post("/sessions", &json!({"workspace_id": workspace})).token(token)
    };
    for (token, workspace, status) in [
        ("for-a", json!("wa"), 200),
        ("for-a", json!("wb"), 403),
        ("for-a", json!(null), 403),
        ("for-all", json!("wb"), 200),
        ("for-all", json!(null), 200),
        ("for-nobody", json!("wa"), 401),
    ] {
        assert_eq!(bind(token, workspace.clone()).status().await, status, "{token} {workspace}");
    }
    for (method, path) in [("GET", "/info"), ("GET", "/api/artifacts"), ("GET", "/api/deps")] {
        assert_eq!(world.ask(method, path).token("for-a").status().await, 403, "{path}");
        assert_eq!(world.ask(method, path).token("for-all").status().await, 200, "{path}");
    }
    assert_eq!(world.execute("echo 1").token("for-a").status().await, 403);
}

#[tokio::test]
async fn a_session_is_its_makers_alone() {
    let same = "    workspaces: [w]";
    let listed = Listed::start(&[("one", "t-one", same), ("two", "t-two", same)]).await;
    let world = &listed.world;
    let made = world.post("/sessions", &json!({"workspace_id": "w"})).token("t-one").send().await;
    let id = made.json()["session_id"].as_str().unwrap().to_owned();
    for (token, status) in [("t-one", 200), ("t-two", 400)] {
        for ask in [
            world.execute("echo 1").session(&id),
            world.get("/info").session(&id),
            world.ask("POST", &format!("/sessions/{id}/interrupt")),
            world.ask("PUT", &format!("/sessions/{id}/files/a")),
        ] {
            assert_eq!(ask.token(token).status().await, status);
        }
    }
    assert_eq!(world.ask("POST", "/reset").session(&id).token("t-two").status().await, 400);
    assert_eq!(world.execute("echo 1").session(&id).token("t-one").status().await, 200);
}

#[tokio::test]
async fn a_token_may_what_its_rights_say() {
    let all = "    workspaces: ['*']\n    unscoped: true\n    rights: ";
    let rights = ["execute", "read", "write", "deps", "approve", "metrics"];
    let tokens: Vec<(String, String)> =
        rights.iter().map(|right| (format!("t-{right}"), format!("{all}[{right}]"))).collect();
    let tokens: Vec<_> = rights
        .iter()
        .zip(&tokens)
        .map(|(right, (token, more))| (*right, token.as_str(), more.as_str()))
        .collect();
    let listed = Listed::start(&tokens).await;
    let needs = [
        ("POST", "/execute", "execute"),
        ("POST", "/sessions", "execute"),
        ("POST", "/reset", "execute"),
        ("POST", "/sessions/x/interrupt", "execute"),
        ("GET", "/sessions/x/files/a", "execute"),
        ("PUT", "/sessions/x/files/a", "execute"),
        ("GET", "/info", "read"),
        ("GET", "/openapi.json", "read"),
        ("GET", "/api/tools", "read"),
        ("GET", "/api/workflows", "read"),
        ("GET", "/api/artifacts/x", "read"),
        ("GET", "/api/deps", "read"),
        ("POST", "/api/workflows", "write"),
        ("DELETE", "/api/workflows/x", "write"),
        ("POST", "/api/artifacts", "write"),
        ("PUT", "/api/artifacts/x", "write"),
        ("DELETE", "/api/artifacts/x", "write"),
        ("POST", "/api/deps/add", "deps"),
        ("POST", "/api/deps/remove", "deps"),
        ("POST", "/install_deps", "deps"),
        ("POST", "/uninstall_deps", "deps"),
        ("GET", "/approvals", "approve"),
        ("POST", "/approvals/x/approve", "approve"),
        ("POST", "/approvals/x/reject", "approve"),
        ("GET", "/metrics", "metrics"),
    ];
    for (method, path, needed) in needs {
        for right in rights {
            let reply = listed.world.ask(method, path).token(&format!("t-{right}")).send().await;
            assert_eq!(reply.status == 403, right != needed, "{method} {path} with {right}");
        }
    }
}

#[tokio::test]
async fn the_file_of_tokens_is_read_again_when_it_changes() {
    let open = "    unscoped: true";
    let listed = Listed::start(&[("a", "first", open)]).await;
    let status = |token: &str| listed.world.get("/info").token(token);
    assert_eq!(status("first").status().await, 200);
    listed.rewrite(&[("a", "second", open)]);
    assert_eq!(status("first").status().await, 401);
    assert_eq!(status("second").status().await, 200);

    // Nobody gets in by a file that is not understood, is empty, or is gone.
    let path = listed.folder.path().join("tokens.yaml");
    for text in ["version: 1\ntokens: []\n", "version: 1\ntokens:\n  - nmae: a\n", "\0"] {
        std::fs::write(&path, text).unwrap();
        let reply = status("second").send().await;
        assert_eq!((reply.status, reply.detail()), (500, "Server misconfigured".to_owned()));
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(status("second").status().await, 500);
    assert_eq!(bare(listed.world.get("/info")).status().await, 401);
    listed.rewrite(&[("a", "third", open)]);
    assert_eq!(status("third").status().await, 200);
}

#[tokio::test]
async fn a_file_of_tokens_that_is_wrong_starts_no_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens.yaml");
    std::fs::write(&path, "version: 1\ntokens:\n  - name: a\n    hash: x\n").unwrap();
    let setup = Setup::default().with(|config| config.access = Access::Tokens(path));
    let error = setup.try_start().await.err().unwrap().to_string();
    assert!(error.contains("tokens.yaml:4:") && error.contains("hash"), "{error}");
}
