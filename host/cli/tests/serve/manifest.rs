//! The manifest for Kubernetes: it has what it should, and what it starts serves.

use serde_json::{Value, json};

use crate::ask::TOKEN;
use crate::program::{Program, command};
use crate::redis::Redis;

const MANIFEST: &str = include_str!("../../../../docs/deploy/kubernetes.yaml");
const BALANCER: &str = include_str!("../../../../docs/deploy/nginx.conf");

fn objects() -> Vec<Value> {
    let read = |text| serde_saphyr::from_str::<Value>(text).unwrap();
    MANIFEST.split("\n---\n").map(read).collect()
}

fn object(kind: &str, name: &str) -> Value {
    let is_it = |object: &Value| object["kind"] == kind && object["metadata"]["name"] == name;
    let mut found = objects().into_iter().filter(is_it);
    let object = found.next().unwrap_or_else(|| panic!("there is no {kind} {name}"));
    assert!(found.next().is_none(), "there are two {kind} {name}");
    object
}

fn pod(kind: &str, name: &str) -> Value {
    object(kind, name)["spec"]["template"]["spec"].clone()
}

#[test]
fn the_balancer_is_configured_as_it_is_tested() {
    assert_eq!(object("ConfigMap", "pcm-balancer")["data"]["pcm-sandbox.conf"], BALANCER);
    let ingress = object("Ingress", "pcm-sandbox");
    let service = &ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"];
    let service = object("Service", service["name"].as_str().unwrap());
    let balancer = object("Deployment", "pcm-balancer");
    let labels = &balancer["spec"]["template"]["metadata"]["labels"];
    assert_eq!(&service["spec"]["selector"], labels);
}

#[test]
fn every_server_has_an_address_under_the_name_that_it_answers_with() {
    let servers = object("StatefulSet", "pcm-sandbox");
    for number in 0..servers["spec"]["replicas"].as_u64().unwrap() {
        let node = format!("pcm-sandbox-{number}");
        let service = object("Service", &node);
        let selector = json!({"statefulset.kubernetes.io/pod-name": node});
        assert_eq!(service["spec"]["selector"], selector);
        assert_eq!(service["spec"]["ports"][0]["port"], 8080);
        assert_eq!(BALANCER.matches(&format!("server {node}:8080")).count(), 2, "{node}");
        assert!(BALANCER.contains(&format!("    {node} pcm_{number};")), "{node}");
    }
}

#[test]
fn pods_may_no_more_than_they_have_to() {
    let balancer = pod("Deployment", "pcm-balancer");
    for pod in [pod("StatefulSet", "pcm-sandbox"), balancer] {
        assert_eq!(pod["automountServiceAccountToken"], false);
        assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
        for container in pod["containers"].as_array().unwrap() {
            let context = json!({
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            });
            assert_eq!(container["securityContext"], context);
            assert!(container["resources"]["limits"]["memory"].is_string());
            assert!(container["readinessProbe"].is_object());
        }
    }
    let policy = object("NetworkPolicy", "pcm-sandbox");
    assert_eq!(policy["spec"]["policyTypes"], json!(["Ingress"]));
    // Longer than a server takes to end: it waits 30 s, and then twice for 5 s.
    let grace = &pod("StatefulSet", "pcm-sandbox")["terminationGracePeriodSeconds"];
    assert!(grace.as_u64().unwrap() > 40);
}

#[tokio::test]
async fn what_the_manifest_starts_serves() {
    let Some(redis) = Redis::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let secret = object("Secret", "pcm-sandbox");
    let hash = "blake3:".to_owned() + &blake3::hash(TOKEN.as_bytes()).to_hex();
    let tokens = secret["stringData"]["tokens.yaml"].as_str().unwrap();
    let placeholder = format!("sha256:{}", "0".repeat(64));
    assert!(tokens.contains(&placeholder), "{tokens}");
    let file = folder.path().join("tokens.yaml");
    std::fs::write(&file, tokens.replace(&placeholder, &hash)).unwrap();

    let container = &pod("StatefulSet", "pcm-sandbox")["containers"][0];
    assert_eq!(container["command"], json!(["pcm-sandbox"]));
    let arguments: Vec<String> = container["args"]
        .as_array()
        .unwrap()
        .iter()
        .map(|argument| {
            let argument = argument.as_str().unwrap();
            let argument = argument.replace("$(POD_NAME)", "pcm-sandbox-0");
            argument.replace("/etc/pcm-sandbox/tokens.yaml", file.to_str().unwrap())
        })
        .collect();
    assert_eq!(arguments[0], "serve");
    let arguments: Vec<&str> = arguments.iter().skip(1).map(String::as_str).collect();
    let mut command = command(&arguments);
    for variable in container["env"].as_array().unwrap() {
        // What is read from elsewhere, and what belongs to this machine, is the test's.
        let name = variable["name"].as_str().unwrap();
        if let Some(value) = variable["value"].as_str().filter(|_| name != "XDG_CACHE_HOME") {
            command.env(name, value);
        }
    }
    command.env("PORT", "0").env("REDIS_URL", redis.url());
    let server = Program::start(command);
    assert!(server.address.ip().is_unspecified(), "{}", server.address);
    let client = crate::ask::Client { address: ([127, 0, 0, 1], server.address.port()).into() };
    let path = container["readinessProbe"]["httpGet"]["path"].as_str().unwrap();
    assert_eq!(client.get(path).without("Authorization").status().await, 200);
    let session = client.session(Some("w")).await;
    assert_eq!(client.run(&session, "6 * 7").await["value"], 42);
    assert_eq!(client.get("/info").token("wrong").status().await, 401);
}
