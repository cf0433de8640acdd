//! What a run writes, kept up to its limit.

use pcm_fences::{Fence, holds};
use pcm_runtime_api::{EventSink, LimitHit, LimitName, Limits, MimeBundle, OutputStream, RunEvent};

use crate::frames::host_bytes;

/// The most rich results that a run may show.
const MAX_BUNDLES: usize = 1000;

/// The run wrote so much that it is to be stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the run wrote more output than it may")]
pub struct OutputRefused;

/// The output of one run.
pub(crate) struct Output {
    pub(crate) stdout: Text,
    pub(crate) stderr: Text,
    pub(crate) display: Vec<MimeBundle>,
    /// All bytes of text that were written, dropped ones included.
    pub(crate) written: u64,
    /// How often a write was refused.
    pub(crate) refusals: u32,
    kept: u64,
    /// Whether text was dropped; the marker that says so is written once.
    cut: bool,
    /// What the rich results take on the host.
    displayed: u64,
    limits: Limits,
    events: Option<EventSink>,
}

impl Output {
    pub(crate) fn new(limits: Limits, events: Option<EventSink>) -> Self {
        Self {
            stdout: Text::default(),
            stderr: Text::default(),
            display: Vec::new(),
            written: 0,
            refusals: 0,
            kept: 0,
            cut: false,
            displayed: 0,
            limits,
            events,
        }
    }

    pub(crate) fn write(
        &mut self,
        stream: OutputStream,
        bytes: &[u8],
    ) -> Result<(), OutputRefused> {
        self.written = self.written.saturating_add(bytes.len() as u64);
        if self.written > self.limits.output_stop_bytes() && holds(Fence::Output) {
            return self.refuse();
        }
        if self.cut {
            return Ok(());
        }
        let most = if holds(Fence::Output) { self.limits.output_bytes } else { u64::MAX };
        let room = most.saturating_sub(self.kept);
        let fits = usize::try_from(room).map_or(bytes.len(), |room| bytes.len().min(room));
        self.kept += fits as u64;
        let text = match stream {
            OutputStream::Stdout => &mut self.stdout,
            OutputStream::Stderr => &mut self.stderr,
        };
        let start = text.decoded.len();
        text.push(&bytes[..fits]);
        if fits < bytes.len() {
            self.cut = true;
            text.finish();
            let LimitHit { value, raise, .. } = LimitHit::of(LimitName::Output, &self.limits);
            text.decoded.extend(["\n[output cut at ", &value, "; raise it with ", &raise, "]\n"]);
        }
        if let Some(events) = &self.events
            && text.decoded.len() > start
        {
            events(RunEvent::Output { stream, text: text.decoded[start..].to_owned() });
        }
        Ok(())
    }

    /// Keeps a rich result, unless it is no JSON object or all of them together take too much.
    pub(crate) fn display(&mut self, bundle: &[u8]) -> Result<(), OutputRefused> {
        let fits = self.display.len() < MAX_BUNDLES
            && host_bytes(bundle, &self.limits).is_ok_and(|bytes| {
                self.displayed += bytes;
                self.displayed <= self.limits.host_call_bytes.saturating_mul(2)
            });
        if !fits {
            return self.refuse();
        }
        if let Ok(bundle) = serde_json::from_slice::<MimeBundle>(bundle) {
            if let Some(events) = &self.events {
                events(RunEvent::Display { bundle: bundle.clone() });
            }
            self.display.push(bundle);
        }
        Ok(())
    }

    fn refuse(&mut self) -> Result<(), OutputRefused> {
        self.refusals += 1;
        Err(OutputRefused)
    }
}

/// Text that arrives as bytes in arbitrary pieces.
#[derive(Default)]
pub(crate) struct Text {
    decoded: String,
    /// The beginning of a character whose rest has not arrived.
    partial: Vec<u8>,
}

impl Text {
    fn push(&mut self, bytes: &[u8]) {
        let joined;
        let mut rest = if self.partial.is_empty() {
            bytes
        } else {
            joined = [self.partial.as_slice(), bytes].concat();
            self.partial.clear();
            joined.as_slice()
        };
        loop {
            match str::from_utf8(rest) {
                Ok(text) => return self.decoded.push_str(text),
                Err(error) => {
                    let (valid, invalid) = rest.split_at(error.valid_up_to());
                    self.decoded.push_str(&String::from_utf8_lossy(valid));
                    let Some(length) = error.error_len() else {
                        self.partial.extend_from_slice(invalid);
                        return;
                    };
                    self.decoded.push(char::REPLACEMENT_CHARACTER);
                    rest = &invalid[length..];
                }
            }
        }
    }

    /// A character that never became whole.
    fn finish(&mut self) {
        if !self.partial.is_empty() {
            self.partial.clear();
            self.decoded.push(char::REPLACEMENT_CHARACTER);
        }
    }

    pub(crate) fn into_string(mut self) -> String {
        self.finish();
        self.decoded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use OutputStream::{Stderr, Stdout};

    fn output(output_bytes: u64) -> Output {
        Output::new(Limits { output_bytes, ..Limits::default() }, None)
    }

    #[test]
    fn characters_may_arrive_in_pieces() {
        let mut output = output(100);
        for byte in "né😀".as_bytes() {
            assert_eq!(output.write(Stdout, &[*byte]), Ok(()));
        }
        assert_eq!(output.stdout.into_string(), "né😀");
    }

    #[test]
    fn invalid_bytes_become_replacement_characters() {
        let mut output = output(100);
        assert_eq!(output.write(Stdout, b"a\xff\xfeb\xf0\x9f"), Ok(()));
        assert_eq!(output.stdout.into_string(), "a\u{fffd}\u{fffd}b\u{fffd}");
    }

    #[test]
    fn output_is_cut_once_and_then_refused() {
        let mut output = output(4);
        assert_eq!(output.write(Stdout, b"ab"), Ok(()));
        assert_eq!(output.write(Stderr, b"cde"), Ok(()));
        assert_eq!(output.write(Stderr, b"fgh"), Ok(()));
        assert_eq!(output.write(Stdout, b"ijk"), Ok(()));
        assert_eq!(output.write(Stdout, &[b'x'; 300]), Err(OutputRefused));
        assert_eq!(output.written, 311);
        assert_eq!(output.stdout.into_string(), "ab");
        let cut =
            "cd\n[output cut at 4 bytes; raise it with --output-limit or Limits::output_bytes]\n";
        assert_eq!(output.stderr.into_string(), cut);
    }

    #[test]
    fn exactly_the_limit_is_not_cut() {
        let mut output = output(4);
        assert_eq!(output.write(Stdout, b"abcd"), Ok(()));
        assert_eq!(output.write(Stdout, b""), Ok(()));
        assert_eq!(output.stdout.into_string(), "abcd");
    }

    #[test]
    fn rich_results_are_bounded_together() {
        let mut output = Output::new(Limits { host_call_bytes: 400, ..Limits::default() }, None);
        assert_eq!(output.display(br#"{"text/html":"<b>x</b>"}"#), Ok(()));
        assert_eq!(output.display(b"no json"), Ok(()));
        assert_eq!(output.display(br#"{"text/html":"<b>x</b>"}"#), Err(OutputRefused));
        assert_eq!(output.display.len(), 1);
    }
}
