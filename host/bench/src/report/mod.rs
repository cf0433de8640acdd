//! A record as one page of HTML: tables with plots, no script, dark where its reader's screen is.

mod plot;

use std::fmt::Write as _;

use crate::compare::{Comparison, Difference};
use crate::format::{digits, figure, optional};
use crate::record::{About, Entry, Record, Row};
use crate::targets::{Judged, Verdict};
use crate::{Kind, Unit};
use plot::Scale;

const STYLE: &str = include_str!("style.css");

/// The page. Everything that a record says is escaped: a file of somebody else may be shown, too.
pub fn html(record: &Record, judged: &[Judged], compared: Option<&[Comparison]>) -> String {
    let began = std::time::UNIX_EPOCH.checked_add(std::time::Duration::from_secs(record.began));
    let began = began.map(|time| humantime::format_rfc3339_seconds(time).to_string());
    let began = began.unwrap_or_default();
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>pcm-sandbox bench {began}</title>\n<style>\n{STYLE}</style>\n<main>\n\
         <h1>What backends cost</h1>\n<p>{}<br>{}<br>{began}, in {:.0} s{}</p>\n",
        escaped(&record.program),
        escaped(&record.machine.describe()),
        record.took,
        if record.quick { ", a quick run" } else { "" },
    );
    page.push_str(
        "<p>Every figure is the median of samples that were taken in turns, so that whatever else the \
         machine did met everybody. In the plots the scale is logarithmic: the line goes from the \
         smallest sample to the 99th percentile (or the largest), the bar from there to the median \
         and on to the 95th percentile; the mark is the median.</p>\n",
    );
    targets(&mut page, judged);
    if let Some(compared) = compared {
        differences(&mut page, compared);
    }
    for entry in &record.scenarios {
        scenario(&mut page, record, entry);
    }
    contestants(&mut page, record);
    page.push_str("</main>\n</html>\n");
    page
}

/// Text as it stands in HTML, also between quotes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            control if control.is_control() && control != '\n' => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

fn targets(page: &mut String, judged: &[Judged]) {
    if judged.is_empty() {
        return;
    }
    let count = |verdict: Verdict| judged.iter().filter(|one| one.verdict == verdict).count();
    let [held, missed, other] = [Verdict::Held, Verdict::Missed, Verdict::NotMeasured].map(count);
    let _ = writeln!(
        page,
        "<h2>Targets: {held} held, {missed} missed, {other} not measured</h2>\n<div class=\"wide\"><table>"
    );
    for one in judged {
        let (class, word) = match one.verdict {
            Verdict::Held => ("held", "held"),
            Verdict::Missed => ("missed", "missed"),
            Verdict::NotMeasured => ("other", "not measured"),
        };
        let cells = [one.contestant, one.title, &one.wanted, &one.measured].map(escaped);
        let _ = writeln!(page, "<tr><td class=\"{class}\">{word}<td>{}", cells.join("<td>"));
    }
    page.push_str("</table></div>\n");
}

fn differences(page: &mut String, compared: &[Comparison]) {
    let differ = compared.iter().filter(|one| one.difference != Difference::None);
    let mut differ: Vec<&Comparison> = differ.collect();
    differ.sort_by(|one, other| other.worse.value.total_cmp(&one.worse.value));
    let _ = writeln!(
        page,
        "<h2>Beside the earlier run: {} of {} figures differ</h2>",
        differ.len(),
        compared.len()
    );
    if differ.is_empty() {
        return;
    }
    page.push_str("<div class=\"wide\"><table>\n");
    for one in differ {
        let (class, word) = match one.difference {
            Difference::Regression => ("missed", "regression"),
            Difference::Better => ("held", "better"),
            Difference::Drift | Difference::None => ("other", "drift"),
        };
        let worse = &one.worse;
        let _ = writeln!(
            page,
            "<tr><td class=\"{class}\">{word}<td>{}<td>{}<td>{} × ({}–{})<td>p = {:.1e}",
            escaped(&one.scenario),
            escaped(&one.contestant),
            digits(worse.value),
            digits(worse.low),
            digits(worse.high),
            one.p
        );
    }
    page.push_str("</table></div>\n");
}

fn scenario(page: &mut String, record: &Record, entry: &Entry) {
    let unit = entry.unit();
    let about = entry.scenario().map(|scenario| scenario.about).unwrap_or_default();
    let _ = writeln!(
        page,
        "<h2 id=\"{0}\">{1}</h2>\n<p>{about}.</p>",
        escaped(&entry.scenario),
        escaped(entry.title())
    );
    if !entry.rows.is_empty() {
        page.push_str("<div class=\"wide\"><table class=\"figures\">\n<tr><th><th><th>p50<th>p95<th class=\"more\">p99<th class=\"more\">min<th class=\"more\">MAD");
        if unit == Unit::Seconds {
            page.push_str("<th class=\"more\">CPU");
        }
        page.push_str("<th class=\"more\">samples\n");
        let scale = Scale::of(entry.rows.iter().map(|row| &row.summary));
        for row in &entry.rows {
            figures(page, record, row, unit, &scale);
        }
        page.push_str("</table></div>\n");
    }
    let notes = entry.rows.iter().filter_map(|row| Some((&row.contestant, row.note.as_ref()?)));
    let absences = entry.absences.iter().map(|absence| (&absence.contestant, &absence.reason));
    let notes: Vec<String> = notes
        .chain(absences)
        .map(|(whose, text)| format!("<b>{}</b>: {}", escaped(whose), escaped(text)))
        .collect();
    if !notes.is_empty() {
        let _ = writeln!(page, "<p class=\"notes\">{}</p>", notes.join("<br>\n"));
    }
}

fn figures(page: &mut String, record: &Record, row: &Row, unit: Unit, scale: &Scale) {
    let summary = &row.summary;
    let is_ours = record.about(&row.contestant).is_some_and(|about| about.kind == Kind::Backend);
    let class = if is_ours { "ours" } else { "peer" };
    let mut cells = vec![
        format!("<td class=\"middle\">{}", figure(summary.p50, unit)),
        format!("<td>{}", optional(summary.p95, unit)),
        format!("<td class=\"more\">{}", optional(summary.p99, unit)),
        format!("<td class=\"more\">{}", figure(summary.min, unit)),
        format!("<td class=\"more\">{}", figure(summary.mad, unit)),
    ];
    if unit == Unit::Seconds {
        cells.push(format!("<td class=\"more\">{}", optional(row.cpu, unit)));
    }
    cells.push(format!("<td class=\"more\">{}", summary.count));
    let _ = writeln!(
        page,
        "<tr class=\"{class}\"><th>{}<td class=\"plot\">{}{}",
        escaped(&row.contestant),
        scale.plot(summary),
        cells.concat()
    );
}

fn contestants(page: &mut String, record: &Record) {
    page.push_str("<h2>Who took part</h2>\n<div class=\"wide\"><table>\n");
    for about in &record.contestants {
        let state = match &about.absent {
            Some(reason) => format!("absent: {}", escaped(reason)),
            None => escaped(&versions(about)),
        };
        let (key, name) = (escaped(&about.key), escaped(&about.name));
        let _ = writeln!(page, "<tr><th>{key}<td>{name}<td>{}<td>{state}", escaped(&about.version));
    }
    page.push_str("</table></div>\n");
}

fn versions(about: &About) -> String {
    let each = about.about.iter().map(|(name, version)| format!("{name} {version}"));
    each.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Absence;
    use crate::targets::judge;

    fn record() -> Record {
        let hostile = "<script>alert('x')</script>";
        let row = |key: &str, middle: f64| {
            let samples: Vec<f64> = (1..=200).map(|number| middle * f64::from(number)).collect();
            Row::new(key, &samples, Some(middle), Some(hostile.to_owned()))
        };
        let about = |key: &str, kind, absent: Option<&str>| About {
            key: key.to_owned(),
            kind,
            name: format!("{key} & sons"),
            version: hostile.to_owned(),
            about: [("python".to_owned(), hostile.to_owned())].into(),
            absent: absent.map(str::to_owned),
        };
        Record {
            program: hostile.to_owned(),
            contestants: vec![
                about("wasm", Kind::Backend, None),
                about(hostile, Kind::Peer, Some(hostile)),
            ],
            scenarios: vec![
                Entry {
                    scenario: "trivial-run".to_owned(),
                    rows: row("wasm", 1e-5).into_iter().chain(row(hostile, 1e-3)).collect(),
                    absences: vec![Absence {
                        contestant: "monty".to_owned(),
                        reason: hostile.to_owned(),
                    }],
                },
                Entry { scenario: hostile.to_owned(), rows: Vec::new(), absences: Vec::new() },
            ],
            ..Record::default()
        }
    }

    #[test]
    fn whatever_a_record_says_is_text() {
        let record = record();
        let page = html(&record, &judge(&record), Some(&[]));
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"));
        assert!(page.contains("wasm &amp; sons"));
    }

    #[test]
    fn a_page_needs_nothing_but_itself() {
        let page = html(&record(), &[], None);
        for outside in ["http:", "https:", "src=", "href=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("prefers-color-scheme: dark") && page.contains("<svg"));
    }

    #[test]
    fn an_empty_record_is_a_page_too() {
        let page = html(&Record::default(), &[], None);
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"));
    }

    #[test]
    fn absent_peers_are_told() {
        let page = html(&record(), &[], None);
        assert!(page.contains("absent: &lt;script"), "{page}");
        assert!(page.contains("<b>monty</b>: &lt;script"));
    }
}
