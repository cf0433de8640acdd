//! A record for a terminal.

use std::fmt::Write as _;

use crate::compare::{Comparison, Difference};
use crate::format::{digits, figure, optional};
use crate::record::{Entry, Row};
use crate::targets::{Judged, Verdict};
use crate::{Record, Unit};

/// The contestant that others are held against in a table: the first of ours that was measured.
fn reference(entry: &Entry) -> Option<&Row> {
    entry.rows.iter().find(|row| row.contestant == "wasm").or_else(|| entry.rows.first())
}

/// Everything that was measured, who was not, and which targets hold.
pub fn table(record: &Record, judged: &[Judged]) -> String {
    let mut text = format!("{}\n{}\n", record.program, record.machine.describe());
    for about in &record.contestants {
        let name = format!("{} {}", about.name, about.version);
        let more: Vec<String> =
            about.about.iter().map(|(key, value)| format!("{key} {value}")).collect();
        let state =
            about.absent.as_ref().map_or_else(|| more.join(", "), |why| format!("absent: {why}"));
        line(&mut text, &format!("  {:<15} {:<26} {state}", about.key, name.trim()));
    }
    for entry in &record.scenarios {
        scenario(&mut text, entry);
    }
    if !judged.is_empty() {
        targets(&mut text, judged);
    }
    text
}

fn line(text: &mut String, line: &str) {
    text.push_str(line.trim_end());
    text.push('\n');
}

fn scenario(text: &mut String, entry: &Entry) {
    let unit = entry.unit();
    let reference = reference(entry).map(|row| (row.contestant.clone(), row.summary.p50));
    let against = reference.as_ref().map(|(key, _)| format!("× {key}")).unwrap_or_default();
    let head = ["p50", "p95", "p99", "min", "cpu"].map(|name| format!("{name:>10}")).concat();
    let cpu_of = |row: &Row| optional(row.cpu.filter(|_| unit == Unit::Seconds), Unit::Seconds);
    text.push('\n');
    line(text, &format!("{:<40}{head}{against:>11}{:>8}", entry.title(), "samples"));
    for row in &entry.rows {
        let summary = &row.summary;
        let cells = [
            figure(summary.p50, unit),
            optional(summary.p95, unit),
            optional(summary.p99, unit),
            figure(summary.min, unit),
            cpu_of(row),
        ];
        let cells = cells.map(|cell| format!("{cell:>10}")).concat();
        let ratio = reference.as_ref().map_or(1.0, |(_, middle)| summary.p50 / middle);
        let ratio = digits(ratio);
        let note = row.note.as_ref().map(|note| format!("  {note}")).unwrap_or_default();
        line(
            text,
            &format!("  {:<38}{cells}{ratio:>11}{:>8}{note}", row.contestant, summary.count),
        );
    }
    for absence in &entry.absences {
        line(text, &format!("  {:<38}  {}", absence.contestant, absence.reason));
    }
}

fn targets(text: &mut String, judged: &[Judged]) {
    let count = |verdict: Verdict| judged.iter().filter(|one| one.verdict == verdict).count();
    let [held, missed, other] = [Verdict::Held, Verdict::Missed, Verdict::NotMeasured].map(count);
    let _ = writeln!(text, "\ntargets: {held} held, {missed} missed, {other} not measured");
    for one in judged {
        let word = match one.verdict {
            Verdict::Held => "held",
            Verdict::Missed => "MISSED",
            Verdict::NotMeasured => "-",
        };
        let (whose, title, wanted) = (one.contestant, one.title, &one.wanted);
        line(text, &format!("  {word:<7} {whose:<15}{title:<38}{wanted:<30}{}", one.measured));
    }
}

/// What differs from an earlier run.
pub fn comparison_table(compared: &[Comparison]) -> String {
    let mut text = format!("compared: {} figures of both runs\n", compared.len());
    let mut differ: Vec<&Comparison> =
        compared.iter().filter(|one| one.difference != Difference::None).collect();
    differ.sort_by(|one, other| other.worse.value.total_cmp(&one.worse.value));
    for one in &differ {
        let word = match one.difference {
            Difference::Regression => "REGRESSION",
            Difference::Better => "better",
            Difference::Drift => "drift",
            Difference::None => "",
        };
        let (low, high) = (digits(one.worse.low), digits(one.worse.high));
        let worse = format!("{} × ({low}–{high})", digits(one.worse.value));
        line(
            &mut text,
            &format!(
                "  {word:<11} {:<25}{:<16}{worse:<24}p = {:.1e}",
                one.scenario, one.contestant, one.p
            ),
        );
    }
    if differ.is_empty() {
        text.push_str("  nothing differs by more than noise\n");
    }
    text
}
