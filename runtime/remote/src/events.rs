//! A run as it happens: server-sent events, read as they come.

use std::mem;

use reqwest::Response;

use crate::client::Failure;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) data: String,
}

/// The events of an answer, each of which is at most so long.
#[derive(Debug)]
pub(crate) struct Events {
    response: Response,
    lines: Lines,
}

impl Events {
    pub(crate) fn new(response: Response, most: u64) -> Self {
        Self { response, lines: Lines { most, ..Lines::default() } }
    }

    /// The next event; None at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, Failure> {
        loop {
            if let Some(event) = self.lines.next()? {
                return Ok(Some(event));
            }
            match self.response.chunk().await? {
                Some(chunk) => self.lines.pending.extend_from_slice(&chunk),
                None => return Ok(None),
            }
        }
    }
}

#[derive(Debug, Default)]
struct Lines {
    /// What has arrived and is not read yet.
    pending: Vec<u8>,
    /// How far of it no end of a line was found.
    searched: usize,
    event: Event,
    has_data: bool,
    most: u64,
}

impl Lines {
    /// The next event of what has arrived.
    fn next(&mut self) -> Result<Option<Event>, Failure> {
        let mut begin = 0;
        let found = loop {
            let rest = self.pending.get(self.searched..).unwrap_or_default();
            let Some(length) = rest.iter().position(|byte| *byte == b'\n') else {
                self.searched = self.pending.len();
                break None;
            };
            let end = self.searched + length;
            let line = self.pending.get(begin..end).unwrap_or_default().to_vec();
            (begin, self.searched) = (end + 1, end + 1);
            if let Some(event) = self.line(&line)? {
                break Some(event);
            }
        };
        self.pending.drain(..begin);
        self.searched -= begin;
        self.check(self.pending.len())?;
        Ok(found)
    }

    /// Takes one line. An empty one ends the event.
    fn line(&mut self, line: &[u8]) -> Result<Option<Event>, Failure> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            let event = mem::take(&mut self.event);
            return Ok(mem::take(&mut self.has_data).then_some(event));
        }
        let line = str::from_utf8(line).map_err(|_| Failure::Unreadable)?;
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.kind),
            "data" => {
                self.check(self.event.data.len().saturating_add(value.len()))?;
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.has_data = true;
                self.event.data.push_str(value);
            }
            _ => {} // a comment, or what nobody knows yet
        }
        Ok(None)
    }

    fn check(&self, length: usize) -> Result<(), Failure> {
        if length as u64 > self.most { Err(Failure::TooLong(self.most)) } else { Ok(()) }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn events(pieces: &[&[u8]], most: u64) -> Result<Vec<(String, String)>, Failure> {
        let mut lines = Lines { most, ..Lines::default() };
        let mut found = Vec::new();
        for piece in pieces {
            lines.pending.extend_from_slice(piece);
            while let Some(Event { kind, data }) = lines.next()? {
                found.push((kind, data));
            }
        }
        Ok(found)
    }

    #[test]
    fn events_are_read_however_they_arrive() {
        let whole: &[u8] =
            b"event: a\ndata: 1\n\n: alive\n\nevent: b\r\ndata: 2\r\ndata:3\r\n\r\nid: 7\n\n";
        let expected = [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2\n3".to_owned())];
        assert_eq!(events(&[whole], 100).unwrap(), expected);
        let bytes: Vec<&[u8]> = whole.chunks(1).collect();
        assert_eq!(events(&bytes, 100).unwrap(), expected);
    }

    #[test]
    fn nothing_is_kept_without_bounds() {
        let endless = [b'x'; 101];
        assert!(matches!(events(&[&endless], 100), Err(Failure::TooLong(100))));
        let line = b"data: 0123456789\n".repeat(11);
        assert!(matches!(events(&[&line], 100), Err(Failure::TooLong(100))));
    }
}
