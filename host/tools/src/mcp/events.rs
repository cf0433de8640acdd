//! Server-sent events: bytes in, events out.

/// One event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// Its name; `message` if the server gave none.
    pub(crate) name: String,
    pub(crate) data: String,
}

/// An event is longer than it may be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// The part of a stream that is not yet an event.
#[derive(Debug)]
pub(crate) struct Events {
    /// What arrived and was not looked at.
    bytes: Vec<u8>,
    /// How much of that was looked at.
    at: usize,
    line: Vec<u8>,
    /// The line before this one ended in `\r`: a `\n` now belongs to it.
    after_return: bool,
    name: String,
    data: Option<String>,
    most: usize,
}

impl Events {
    pub(crate) fn new(most: usize) -> Self {
        Self {
            bytes: Vec::new(),
            at: 0,
            line: Vec::new(),
            after_return: false,
            name: String::new(),
            data: None,
            most,
        }
    }

    /// Takes what arrived. Call [`next`](Self::next) until there is none before the next time.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole event.
    pub(crate) fn next(&mut self) -> Result<Option<Event>, TooLong> {
        while let Some(byte) = self.bytes.get(self.at).copied() {
            self.at += 1;
            let continued = std::mem::take(&mut self.after_return);
            match byte {
                b'\n' if continued => {}
                b'\n' | b'\r' => {
                    self.after_return = byte == b'\r';
                    if let Some(event) = self.end_of_line() {
                        return Ok(Some(event));
                    }
                }
                byte => {
                    let data = self.data.as_ref().map_or(0, String::len);
                    if self.line.len() + data + self.name.len() >= self.most {
                        return Err(TooLong);
                    }
                    self.line.push(byte);
                }
            }
        }
        self.bytes.clear();
        self.at = 0;
        Ok(None)
    }

    fn end_of_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            let name = if name.is_empty() { "message".to_owned() } else { name };
            return self.data.take().map(|data| Event { name, data });
        }
        let line = String::from_utf8_lossy(&line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                data => *data = Some(value.to_owned()),
            },
            _ => {} // comments, ids, times to wait
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(chunks: &[&str], most: usize) -> Result<Vec<(String, String)>, TooLong> {
        let mut events = Events::new(most);
        let mut found = Vec::new();
        for chunk in chunks {
            events.push(chunk.as_bytes());
            while let Some(Event { name, data }) = events.next()? {
                found.push((name, data));
            }
        }
        Ok(found)
    }

    #[test]
    fn events_are_whole_however_they_arrive() -> Result<(), TooLong> {
        let text = ": hello\r\nevent: endpoint\r\ndata: /m?s=1\r\n\r\n\
                    id: 4\ndata:a\ndata:  b\n\n\rdata\r\r";
        let expected = vec![
            ("endpoint".to_owned(), "/m?s=1".to_owned()),
            ("message".to_owned(), "a\n b".to_owned()),
            ("message".to_owned(), String::new()),
        ];
        assert_eq!(all(&[text], 100)?, expected);
        let bytes: Vec<&str> = text.split_inclusive(|_| true).collect();
        assert_eq!(all(&bytes, 100)?, expected);
        Ok(())
    }

    #[test]
    fn an_event_without_an_end_is_too_long_at_some_time() {
        assert_eq!(all(&["data: ", &"x".repeat(100)], 50), Err(TooLong));
        assert_eq!(all(&["data: xxxxxxxx\n"; 20], 50), Err(TooLong));
        assert_eq!(all(&[&": comment\n".repeat(100)], 50), Ok(Vec::new()));
        assert_eq!(all(&[&"data: x\n\n".repeat(100)], 50).map(|all| all.len()), Ok(100));
    }
}
