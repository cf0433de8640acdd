//! A whole run, over peers that are a few lines of shell, and a backend that is a few lines of Rust.

use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsString;
use std::time::Duration;

use async_trait::async_trait;
use pcm_bench::{
    Backend, Bench, Contestant, Hello, Kind, Ran, Record, Reply, Sandbox, Scenario, Settings,
    Verdict, Wall, judge, serve, table,
};
use serde_json::json;

type TestResult = Result<(), Box<dyn Error>>;

/// Answers as `batch` says: a line of shell that knows `$count`.
fn peer(key: &str, scenarios: &str, batch: &str) -> Contestant {
    let script = format!(
        r#"
        while read -r line; do
            case "$line" in
            *hello*) echo '{{"hello": {{"name": "Fake", "version": "1", "scenarios": [{scenarios}]}}}}' ;;
            *batch*)
                count=$(echo "$line" | sed 's/.*"count":\([0-9]*\).*/\1/')
                samples=$(seq "$count" | sed 's/.*/1e-9/' | paste -sd,)
                {batch} ;;
            *) echo '{{}}' ;;
            esac
        done"#
    );
    Contestant {
        key: key.to_owned(),
        kind: Kind::Peer,
        driver: Ok(["sh", "-c", &script].map(OsString::from).to_vec()),
        environment: Vec::new(),
        works_elsewhere: false,
    }
}

const GOOD: &str = r#"echo "{\"samples\": [$samples]}""#;

fn run(scenario: &str, contestants: Vec<Contestant>) -> Record {
    let settings = Settings {
        scenarios: Scenario::find(scenario).into_iter().collect(),
        rounds: 3,
        each: Duration::from_millis(50),
        whole: Duration::from_secs(30),
        quick: false,
        program: "a test".to_owned(),
    };
    let mut told = 0;
    let mut tell = |_: pcm_bench::Progress<'_>| told += 1;
    let record = Bench::start(settings, contestants, &mut tell).run(&mut tell);
    assert!(told > 0);
    record
}

fn reason<'a>(record: &'a Record, contestant: &str) -> Option<&'a str> {
    let absences = record.scenarios.iter().flat_map(|entry| &entry.absences);
    let mut of_it = absences.filter(|absence| absence.contestant == contestant);
    of_it.next().map(|absence| absence.reason.as_str())
}

#[test]
fn whoever_answers_is_measured_and_whoever_does_not_is_told_with_the_reason() {
    let trivial = r#""trivial-run""#;
    let absent = Contestant {
        driver: Err("it is not installed".to_owned()),
        ..peer("absent", trivial, GOOD)
    };
    let record = run(
        "trivial-run",
        vec![
            peer("good", trivial, GOOD),
            peer("failing", trivial, r#"echo '{"error": "no tools"}'"#),
            peer("ending", trivial, "echo 'out of memory' >&2; exit 1"),
            peer(
                "boasting",
                trivial,
                r#"echo "{\"samples\": [$(echo "$samples" | sed 's/1e-9/9/g')]}""#,
            ),
            peer("lazy", trivial, r#"echo '{"samples": []}'"#),
            peer("elsewhere", r#""tool-call""#, GOOD),
            absent,
        ],
    );
    let good = record.row("trivial-run", "good").map(|row| row.summary.count);
    assert!(good.is_some_and(|count| count >= 3), "{record:?}");
    assert_eq!(reason(&record, "failing"), Some("no tools"));
    assert_eq!(reason(&record, "ending"), Some("the driver of ending ended: out of memory"));
    assert!(
        reason(&record, "boasting").is_some_and(|it| it.contains("its clock says")),
        "{record:?}"
    );
    assert!(reason(&record, "lazy").is_some_and(|it| it.contains("0 samples came")), "{record:?}");
    assert_eq!(reason(&record, "elsewhere"), None);
    assert!(record.row("trivial-run", "elsewhere").is_none());
    let absent = record.about("absent").and_then(|about| about.absent.as_deref());
    assert_eq!(absent, Some("it is not installed"));
    let judged = judge(&record);
    assert!(judged.iter().all(|judged| judged.verdict == Verdict::NotMeasured));
    let text = table(&record, &judged);
    for part in ["absent: it is not installed", "Trivial run", "no tools", "targets: 0 held"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn output_that_is_not_the_expected_one_is_no_result() {
    let agent = r#""agent-run""#;
    let prints =
        |text: &str| format!(r#"echo "{{\"samples\": [$samples], \"output\": \"{text}\"}}""#);
    let right = prints("3 orders, total 21.6, biggest B2");
    let record = run(
        "agent-run",
        vec![peer("right", agent, &right), peer("wrong", agent, &prints("3 orders, total 24"))],
    );
    assert!(record.row("agent-run", "right").is_some(), "{record:?}");
    let told = reason(&record, "wrong").unwrap_or_default();
    assert!(told.contains("it printed \"3 orders, total 24\""), "{told}");
}

/// Adds one and one, and knows ten blocks by heart.
struct Simple;

#[async_trait]
impl Backend for Simple {
    fn hello(&self) -> Hello {
        Hello { name: "Simple".to_owned(), about: BTreeMap::new(), ..Hello::default() }
    }

    async fn wall(&self, _pooled: bool) -> Result<Box<dyn Wall>, String> {
        Ok(Box::new(Self))
    }
}

#[async_trait]
impl Wall for Simple {
    async fn ready(&self) -> Result<(), String> {
        Ok(())
    }

    async fn open(&self) -> Result<Box<dyn Sandbox>, String> {
        Ok(Box::new(Self))
    }
}

#[async_trait]
impl Sandbox for Simple {
    async fn run(&self, code: &str) -> Result<Ran, String> {
        match code {
            "1 + 1" => Ok(Ran { value: json!(2), ..Ran::default() }),
            "print(report)" => Ok(Ran {
                stdout: "3 orders, total 21.6, biggest B2\n".to_owned(),
                ..Ran::default()
            }),
            "len(data)" => Ok(Ran { value: json!(1), ..Ran::default() }),
            _ => Ok(Ran::default()),
        }
    }

    async fn run_until(&self, _code: &str, _deadline: Duration) -> Result<(), String> {
        Ok(())
    }

    async fn reset(&self) -> Result<(), String> {
        Ok(())
    }

    async fn fork(&self) -> Result<Box<dyn Sandbox>, String> {
        Ok(Box::new(Self))
    }

    async fn checkpoint(&self) -> Result<(), String> {
        Ok(())
    }

    async fn roll_back(&self) -> Result<(), String> {
        Ok(())
    }

    async fn close(&self) {}
}

/// What a driver answers to these lines.
fn answers(requests: &[&str]) -> Result<Vec<Reply>, Box<dyn Error>> {
    let mut replies = Vec::new();
    serve(&Simple, requests.join("\n").as_bytes(), &mut replies)?;
    let lines = String::from_utf8(replies)?;
    Ok(lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

#[test]
fn a_driver_measures_and_refuses_what_makes_no_sense() -> TestResult {
    let begin =
        |scenario: &str| format!(r#"{{"do":"begin","scenario":"{scenario}","text":["x"]}}"#);
    let (trivial, fork, timeout, nothing) =
        (begin("trivial-run"), begin("fork"), begin("timeout"), begin("nothing"));
    let batch = r#"{"do":"batch","count":3}"#;
    let replies = answers(&[
        r#"{"do":"hello"}"#,
        batch,
        &trivial,
        batch,
        r#"{"do":"end"}"#,
        &fork,
        batch,
        &timeout,
        batch,
        &nothing,
        "nonsense",
    ])?;
    let error = |at: usize| replies.get(at).and_then(|reply| reply.error.as_deref()).unwrap_or("");
    assert_eq!(
        replies.first().and_then(|reply| reply.hello.as_ref()).map(|it| it.name.as_str()),
        Some("Simple")
    );
    assert_eq!(error(1), "no scenario has begun");
    let samples = replies.get(3).and_then(|reply| reply.samples.as_ref());
    assert_eq!(samples.map(Vec::len), Some(3), "{replies:?}");
    assert_eq!(error(6), "the value is 1, not 1048576");
    assert!(error(8).contains("before its deadline"), "{replies:?}");
    assert_eq!(error(9), "this driver does not know the scenario nothing");
    assert!(error(10).starts_with("this is no request"), "{replies:?}");
    Ok(())
}

#[test]
fn throughputs_and_held_sessions_are_sessions_of_the_driver() -> TestResult {
    let replies = answers(&[
        r#"{"do":"begin","scenario":"throughput-8","text":[]}"#,
        r#"{"do":"batch","count":1}"#,
        r#"{"do":"begin","scenario":"memory-10","text":[]}"#,
        r#"{"do":"hold","count":10}"#,
    ])?;
    let samples = replies.get(1).and_then(|reply| reply.samples.clone()).unwrap_or_default();
    assert!(samples.first().is_some_and(|runs| *runs > 0.0), "{replies:?}");
    assert!(replies.iter().all(|reply| reply.error.is_none()), "{replies:?}");
    Ok(())
}
