//! Several runs of one session as one result.

use std::collections::BTreeMap;

use pcm_sandbox::{ChangeKind, ExecutionResult, FileChange, Usage};

/// Joins the results of runs that followed each other: what was written and used adds up, the rest
/// is that of the last. None without any.
pub(crate) fn join(results: impl IntoIterator<Item = ExecutionResult>) -> Option<ExecutionResult> {
    results.into_iter().reduce(|before, mut last| {
        last.stdout.insert_str(0, &before.stdout);
        last.stderr.insert_str(0, &before.stderr);
        last.display.splice(0..0, before.display);
        last.files = changes(before.files, last.files);
        last.usage = sum(&before.usage, &last.usage);
        last
    })
}

/// What became of the files in the end.
fn changes(before: Vec<FileChange>, last: Vec<FileChange>) -> Vec<FileChange> {
    let mut files: BTreeMap<String, FileChange> =
        before.into_iter().map(|file| (file.path.clone(), file)).collect();
    for mut file in last {
        match (files.get(&file.path).map(|file| file.change), file.change) {
            (Some(ChangeKind::Created), ChangeKind::Deleted) => {
                files.remove(&file.path);
                continue;
            }
            (Some(ChangeKind::Created), _) => file.change = ChangeKind::Created,
            (Some(ChangeKind::Deleted), _) => file.change = ChangeKind::Modified,
            _ => {}
        }
        files.insert(file.path.clone(), file);
    }
    files.into_values().collect()
}

fn sum(before: &Usage, last: &Usage) -> Usage {
    let fuel = match (before.fuel, last.fuel) {
        (Some(before), Some(last)) => Some(before.saturating_add(last)),
        (one, other) => one.or(other),
    };
    Usage {
        wall_ms: before.wall_ms + last.wall_ms,
        cpu_ms: before.cpu_ms + last.cpu_ms,
        fuel,
        memory_peak_bytes: before.memory_peak_bytes.max(last.memory_peak_bytes),
        tool_calls: before.tool_calls.saturating_add(last.tool_calls),
        output_bytes: before.output_bytes.saturating_add(last.output_bytes),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use pcm_sandbox::{ErrorKind, ExecutionError, MimeBundle, SessionState, ValueType, json};

    use super::*;

    fn bundle(text: &str) -> MimeBundle {
        MimeBundle::from([("text/plain".to_owned(), json!(text))])
    }

    #[test]
    fn output_adds_up_and_the_last_value_stays() {
        let first = ExecutionResult {
            value: json!("old"),
            value_types: BTreeMap::from([(String::new(), ValueType::Bytes)]),
            value_repr: Some("old".to_owned()),
            stdout: "a".to_owned(),
            stderr: "x".to_owned(),
            display: vec![bundle("1")],
            usage: Usage {
                wall_ms: 1.0,
                cpu_ms: 0.5,
                fuel: Some(1),
                memory_peak_bytes: 9,
                tool_calls: 1,
                output_bytes: 2,
            },
            ..ExecutionResult::new("wasm")
        };
        let last = ExecutionResult {
            stdout: "b".to_owned(),
            stderr: "y".to_owned(),
            display: vec![bundle("2")],
            error: Some(ExecutionError::new(ErrorKind::Crashed, "it stopped")),
            session: SessionState::Reset,
            usage: Usage {
                wall_ms: 2.0,
                cpu_ms: 1.0,
                fuel: None,
                memory_peak_bytes: 5,
                tool_calls: 2,
                output_bytes: 2,
            },
            ..ExecutionResult::new("wasm")
        };
        let expected = ExecutionResult {
            stdout: "ab".to_owned(),
            stderr: "xy".to_owned(),
            display: vec![bundle("1"), bundle("2")],
            usage: Usage {
                wall_ms: 3.0,
                cpu_ms: 1.5,
                fuel: Some(1),
                memory_peak_bytes: 9,
                tool_calls: 3,
                output_bytes: 4,
            },
            ..last.clone()
        };
        assert_eq!(join([first, last]), Some(expected));
    }

    #[test]
    fn one_is_itself_and_none_is_nothing() {
        let only = ExecutionResult { value: json!(1), ..ExecutionResult::new("wasm") };
        assert_eq!(join([only.clone()]), Some(only));
        assert_eq!(join([]), None);
    }

    #[test]
    fn files_are_as_they_are_in_the_end() {
        let file = |path: &str, change| FileChange { path: path.to_owned(), change, bytes: 1 };
        let before = vec![
            file("a", ChangeKind::Created),
            file("b", ChangeKind::Created),
            file("c", ChangeKind::Modified),
            file("d", ChangeKind::Deleted),
        ];
        let last = vec![
            file("a", ChangeKind::Modified),
            file("b", ChangeKind::Deleted),
            file("c", ChangeKind::Deleted),
            file("d", ChangeKind::Created),
        ];
        let expected = [
            file("a", ChangeKind::Created),
            file("c", ChangeKind::Deleted),
            file("d", ChangeKind::Modified),
        ];
        assert_eq!(changes(before, last), expected);
    }
}
