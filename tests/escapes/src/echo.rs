//! A server that tells what it was asked, and sends on whoever wants to be sent on.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use serde_json::json;

/// The longest request that is read.
const MOST: usize = 1 << 20;

/// The server, on a port of its own. It ends with the process.
#[derive(Debug, Clone, Copy)]
pub struct Echo {
    port: u16,
}

impl Echo {
    /// Starts it.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let port = listener.local_addr()?.port();
        thread::Builder::new().name("echo".to_owned()).spawn(move || {
            for stream in listener.incoming().flatten() {
                // Who hangs up gets no answer.
                drop(answer(stream));
            }
        })?;
        Ok(Self { port })
    }

    /// Where it listens.
    pub fn port(self) -> u16 {
        self.port
    }
}

/// `/redirect?to=URL` leads to the URL. Everything else is answered with the line of the request, its
/// fields and its body. What the host authorises itself with is the host's, and is not told.
fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let request = read(&mut stream)?;
    let (head, body) = request.split_once("\r\n\r\n").unwrap_or((&request, ""));
    let line = head.lines().next().unwrap_or_default();
    let target = line.split(' ').nth(1).unwrap_or_default();
    let answer = if let Some((_, place)) = target.split_once("/redirect?to=") {
        let place = decoded(place);
        format!("HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n")
    } else {
        let is_secret = |field: &&str| field.to_ascii_lowercase().starts_with("authorization:");
        let fields: Vec<&str> = head.lines().skip(1).filter(|field| !is_secret(field)).collect();
        let text = json!({"line": line, "fields": fields, "body": body}).to_string();
        let length = text.len();
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\
             Content-Length: {length}\r\n\r\n{text}"
        )
    };
    stream.write_all(answer.as_bytes())
}

/// A request with as much of a body as it says.
fn read(stream: &mut TcpStream) -> io::Result<String> {
    let mut request = Vec::new();
    let mut part = [0; 4096];
    while !is_complete(&request) && request.len() < MOST {
        let count = stream.read(&mut part)?;
        if count == 0 {
            break;
        }
        request.extend(part.iter().take(count));
    }
    Ok(String::from_utf8_lossy(&request).into_owned())
}

/// What stands behind percent signs is taken for what it is. What is no text then is left out.
fn decoded(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        let byte = piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.extend(byte);
        bytes.extend_from_slice(piece.get(2..).unwrap_or_default().as_bytes());
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn is_complete(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    body.len() >= length.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", Echo::start()?.port()))?;
        let authorised = "Authorization: Bearer secret\r\nX: y\r\nContent-Length: 2";
        write!(stream, "POST {path} HTTP/1.1\r\n{authorised}\r\n\r\nok")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    #[test]
    fn it_tells_what_it_was_asked_but_for_the_secret() -> io::Result<()> {
        let answer = ask("/x")?;
        assert!(answer.contains(r#""line":"POST /x HTTP/1.1""#), "{answer}");
        assert!(answer.contains(r#""body":"ok""#) && answer.contains("X: y"), "{answer}");
        assert!(!answer.contains("secret"), "{answer}");
        Ok(())
    }

    #[test]
    fn it_sends_on_whoever_wants_to() -> io::Result<()> {
        assert!(ask("/redirect?to=http%3A//x/")?.contains("Location: http://x/\r\n"));
        Ok(())
    }
}
