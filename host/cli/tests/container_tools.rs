//! Tools that run in the container of their session: the program of the image is the real one. Without an
//! engine these tests say so and check nothing, unless `DOCKER_HOST` names one.

#![expect(clippy::print_stdout, reason = "what is skipped is told")]

use std::error::Error as StdError;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use pcm_sandbox::middleware::{PolicyFile, PolicySetup};
use pcm_sandbox::storage::{ArtifactData, FileStorage, RedisStorage, Storage};
use pcm_sandbox::{
    Base, BuildRequest, ContainerEngine, ContainerSettings, Error, ErrorKind, Images, Map, Network,
    Places, RunRequest, Session, SessionBuilder, SessionState, StoragePlace, ToolsIn, Value, json,
};
use rustix::fs::{FlockOperation, flock};

type TestResult = Result<(), Box<dyn StdError>>;

const IMAGE: &str = "pcm-sandbox-test:inside";
const PROGRAM: &str = env!("CARGO_BIN_EXE_pcm-sandbox");
/// Who is in a container; nobody on this machine.
const USER: u32 = 65532;
const TOOL: &str = "\
name: show
description: Shows a file
command: cat
schema: {positional: [{name: file, type: string, required: true}]}
recipes: {read: {params: {file: {}}}}
";

/// The image of this program, which is made once; None where there is no engine.
async fn image() -> Result<Option<()>, Box<dyn StdError>> {
    let images = match Images::connect(None).await {
        Ok(images) => images,
        Err(error) if std::env::var_os("DOCKER_HOST").is_none() => {
            println!("skipped: {error}");
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    let lock = File::create(std::env::temp_dir().join("pcm-container-tools.lock"))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    let program = Some(Path::new(PROGRAM));
    let there = images.list(program).await?;
    if !there.iter().any(|image| image.name == IMAGE && image.current) {
        let (tag, program) = (IMAGE.to_owned(), program.map(Path::to_owned));
        let request = BuildRequest { base: Base::Host, tag, program, ..BuildRequest::default() };
        images.build(&request, &|_| {}).await?;
    }
    Ok(Some(()))
}

fn settings(name: &str) -> ContainerSettings {
    ContainerSettings {
        image: IMAGE.to_owned(),
        auto_build: false,
        program: Some(PROGRAM.into()),
        network: Network::Bridge,
        name: Some(name.to_owned()),
        warm: 0,
        ..ContainerSettings::default()
    }
}

fn inside(name: &str) -> SessionBuilder {
    Session::builder().container_settings(settings(name)).tools_in(ToolsIn::Container)
}

fn docker(arguments: &[&str]) -> Result<String, Box<dyn StdError>> {
    let output = Command::new("docker").args(arguments).output()?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?.trim().to_owned());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned().into())
}

/// The containers of a test, whatever their state.
fn containers(name: &str) -> Result<Vec<String>, Box<dyn StdError>> {
    let filter = format!("name=^/{name}-");
    let listed = docker(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &filter])?;
    Ok(listed.lines().map(str::to_owned).collect())
}

fn one_container(name: &str) -> Result<String, Box<dyn StdError>> {
    Ok(containers(name)?.pop().ok_or("there is no container")?)
}

async fn value(session: &Session, code: &str) -> Result<Value, Box<dyn StdError>> {
    let result = session.run(code).await;
    assert_eq!(&*result.backend, "container");
    match result.error {
        None => Ok(result.value),
        Some(error) => Err(format!("{code}: {error:?}").into()),
    }
}

/// Gives all that is in a folder to who is in a container, where only this test may.
fn give(folder: &Path) -> TestResult {
    if rustix::process::geteuid().is_root() {
        chown(folder, Some(USER), Some(USER))?;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                give(&entry.path())?;
            } else {
                chown(entry.path(), Some(USER), Some(USER))?;
            }
        }
    }
    Ok(())
}

/// What is answered at a port to a request for the tools.
fn status(port: u16, token: Option<&str>) -> Result<String, Box<dyn StdError>> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    let header = token.map(|token| format!("Authorization: Bearer {token}\r\n"));
    let header = header.unwrap_or_default();
    write!(
        stream,
        "GET /api/tools HTTP/1.1\r\nHost: localhost\r\n{header}Connection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.split(' ').nth(1).unwrap_or_default().to_owned())
}

#[tokio::test]
async fn tools_run_in_a_container_that_only_this_session_can_use() -> TestResult {
    const NAME: &str = "pcm-inside-tools";
    let Some(()) = image().await? else { return Ok(()) };
    let base = tempfile::tempdir()?;
    fs::write(base.path().join("show.yaml"), TOOL)?;
    let session = inside(NAME).tools(base.path()).start().await?;
    let shown = value(&session, "tools.show.read(file='/etc/hostname')").await?;
    assert_eq!(shown, json!("pcm-sandbox\n"));
    let error = session.run("open('/tools/other.yaml', 'w')").await.error;
    assert!(error.is_some_and(|error| error.message.contains("Read-only")));
    let hidden = "open('/proc/1/environ').read()";
    let error = session.run(hidden).await.error.ok_or("the server's variables are readable")?;
    assert_eq!(error.error_type, "PermissionError");

    let id = one_container(NAME)?;
    let token = docker(&["inspect", "-f", "{{range .Config.Env}}{{println .}}{{end}}", &id])?;
    let token = token.lines().find_map(|line| line.strip_prefix("CONTAINER_AUTH_TOKEN="));
    let token = token.ok_or("there is no token")?;
    assert_eq!(token.len(), 64);
    let told = "{{json .Config.Cmd}} {{json .Config.Labels}} {{json .Args}} {{json .Path}}";
    assert!(!docker(&["inspect", "-f", told, &id])?.contains(token));
    assert!(!docker(&["logs", &id])?.contains(token));
    let bound = docker(&["port", &id])?;
    let port = bound.lines().map(|line| line.rsplit_once(" -> 127.0.0.1:"));
    let ports: Vec<&str> = port.map(|line| line.map_or("elsewhere", |(_, port)| port)).collect();
    let [port] = ports.as_slice() else { return Err(bound.into()) };
    let port = port.parse()?;
    assert_eq!(status(port, None)?, "401");
    assert_eq!(status(port, Some("wrong"))?, "401");
    assert_eq!(status(port, Some(token))?, "200");

    session.close().await;
    assert_eq!(containers(NAME)?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn what_is_stored_in_a_folder_is_there_on_both_sides() -> TestResult {
    const NAME: &str = "pcm-inside-folder";
    let Some(()) = image().await? else { return Ok(()) };
    let base = tempfile::tempdir()?;
    for workspace in ["one", "other"] {
        let storage = FileStorage::open(base.path())?.workspace(&workspace.parse()?);
        let data = ArtifactData::Text(workspace.to_owned());
        storage.artifacts().save(&"here.txt".parse()?, data, "", Map::new()).await?;
    }
    give(base.path())?;
    let place = StoragePlace::Folder(base.path().to_owned());
    let session = inside(NAME).storage_at(place).workspace("one").start().await?;
    let loaded = value(&session, "artifacts.load('here.txt')").await?;
    assert_eq!(loaded, json!("one"));
    value(&session, "artifacts.save('there.json', {'step': 1})").await?;
    let storage = FileStorage::open(base.path())?.workspace(&"one".parse()?);
    assert!(storage.artifacts().exists(&"there.json".parse()?).await?);
    let seen = value(&session, "import os; sorted(os.listdir('/storage/workspaces'))").await?;
    assert_eq!(seen, json!(["one"]), "another workspace is not there");
    session.close().await;
    Ok(())
}

struct Redis(Child);

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_database_of_this_machine_is_reached_with_its_password() -> TestResult {
    const NAME: &str = "pcm-inside-redis";
    let Some(()) = image().await? else { return Ok(()) };
    let gateway = "{{range .IPAM.Config}}{{.Gateway}}{{end}}";
    let gateway = docker(&["network", "inspect", "bridge", "-f", gateway])?;
    let gateway = if gateway.is_empty() { "172.17.0.1" } else { &gateway };
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port().to_string();
    let server = Command::new("redis-server")
        .args(["--port", &port, "--bind", "127.0.0.1", gateway, "--requirepass", "secret word"])
        .args(["--save", "", "--appendonly", "no"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(server) = server else {
        println!("skipped: there is no redis-server");
        return Ok(());
    };
    let _server = Redis(server);
    let url = format!("redis://:secret%20word@localhost:{port}/0");
    let begun = Instant::now();
    while TcpStream::connect(("127.0.0.1", port.parse()?)).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10), "redis-server does not start");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let place = StoragePlace::Redis { url: url.clone(), prefix: Some("inside".to_owned()) };
    let places = Places { storage: Some(place), ..Places::default() };
    let session = inside(NAME).places(places).workspace("one").start().await?;
    value(&session, "artifacts.save('there.json', [1, 2])").await?;
    let storage = RedisStorage::connect(&url, "inside")?.workspace(&"one".parse()?);
    let here = storage.artifacts();
    assert!(here.exists(&"there.json".parse()?).await?);
    here.save(&"here.txt".parse()?, ArtifactData::Text("text".to_owned()), "", Map::new()).await?;
    assert_eq!(value(&session, "artifacts.load('here.txt')").await?, json!("text"));
    session.close().await;
    Ok(())
}

#[tokio::test]
async fn a_container_that_is_killed_is_a_crash_and_the_next_run_has_another() -> TestResult {
    const NAME: &str = "pcm-inside-killed";
    let Some(()) = image().await? else { return Ok(()) };
    let session = inside(NAME).start().await?;
    value(&session, "x = 1").await?;
    let first = one_container(NAME)?;
    let run = tokio::spawn({
        let session = session.clone();
        async move { session.run_request(RunRequest::new("import time; time.sleep(50)")).await }
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    docker(&["kill", &first])?;
    let result = run.await?;
    let error = result.error.ok_or("the run went on")?;
    assert_eq!((error.kind, result.session), (ErrorKind::Crashed, SessionState::Reset));
    assert!(error.message.contains("it was killed"), "{error}");
    assert_eq!(value(&session, "'x' in globals()").await?, json!(false));
    let second = containers(NAME)?;
    assert!(second.len() == 1 && !second.contains(&first), "{second:?}");
    session.close().await;
    assert_eq!(containers(NAME)?, Vec::<String>::new());
    Ok(())
}

#[tokio::test]
async fn a_container_that_is_not_ready_in_time_is_told_and_removed() -> TestResult {
    const NAME: &str = "pcm-inside-late";
    let Some(()) = image().await? else { return Ok(()) };
    let late = ContainerSettings { startup_timeout: Duration::from_millis(400), ..settings(NAME) };
    let builder = Session::builder().container_settings(late).tools_in(ToolsIn::Container);
    let refused = builder.start().await.err().ok_or("it was ready")?.to_string();
    assert!(refused.contains("healthy within 400ms"), "{refused}");
    // One whose server cannot be says why.
    let places = Places {
        storage: Some(StoragePlace::Redis {
            url: "redis://:hush@localhost:1/0".to_owned(),
            prefix: Some("not\na prefix".to_owned()),
        }),
        ..Places::default()
    };
    let refused = inside(NAME).places(places).start().await.err().map(|error| error.to_string());
    let refused = refused.ok_or("it was ready")?;
    assert!(!refused.contains("hush"), "{refused}");
    let begun = Instant::now();
    while !containers(NAME)?.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is not removed");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_policy_that_the_container_would_not_hear_of_is_refused() -> TestResult {
    let file: PolicyFile = "version: 1\ndefault: deny\n".parse()?;
    let policy = file.activate(PolicySetup::default())?;
    let refused = inside("pcm-inside-policy").policy(&policy).start().await.err();
    assert!(matches!(refused, Some(Error::RemoteHasIt { what: "a policy" })));
    let closed = ContainerSettings { network: Network::None, ..settings("pcm-inside-closed") };
    let engine = ContainerEngine::new(closed);
    let builder = Session::builder().containers(&engine).tools_in(ToolsIn::Container);
    let refused = builder.start().await.err().map(|error| error.to_string()).unwrap_or_default();
    assert!(refused.contains("network_disabled: false"), "{refused}");
    Ok(())
}
