//! On the host: an HTTP proxy for one container, over a socket that nobody else has. What may be reached,
//! somebody else decides, name by name.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio::time::timeout;

/// Connections of one container at a time; further ones wait.
const CONNECTIONS: usize = 64;
/// The longest head of a request.
const LONGEST_HEAD: usize = 32 << 10;
/// The most headers of a request.
const MOST_HEADERS: usize = 100;
/// How long the head of a request may take to come.
const TO_ASK: Duration = Duration::from_secs(30);
/// How long a connection may be silent in both directions.
const IDLE: Duration = Duration::from_mins(5);
/// How much, and for how long, a client is listened to that was refused.
const MOST_HEARD: u64 = 1 << 20;
const TO_HEAR: Duration = Duration::from_secs(2);
const PIECE: usize = 16 << 10;

/// Connects code to what it may reach.
#[async_trait]
pub trait Connect: fmt::Debug + Send + Sync {
    /// A connection to a port of a host, by its name or its address; or why there is none, in words that the
    /// code may read.
    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, String>;
}

/// Serves a container until the handle is used. In this runtime.
pub(crate) fn serve(
    listener: std::os::unix::net::UnixListener,
    connect: Arc<dyn Connect>,
) -> io::Result<AbortHandle> {
    let listener = UnixListener::from_std(listener)?;
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let serving = tokio::spawn(async move {
        // They end with this.
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                Some(_) = connections.join_next() => continue,
            };
            let Ok((client, _)) = accepted else { return };
            let connect = Arc::clone(&connect);
            connections.spawn(async move {
                let _place = place;
                let _ = answer(client, &*connect).await; // the client is gone
            });
        }
    });
    Ok(serving.abort_handle())
}

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    host: String,
    port: u16,
    /// What goes to the server before all else; None where it is a tunnel.
    head: Option<Vec<u8>>,
}

async fn answer(mut client: UnixStream, connect: &dyn Connect) -> io::Result<()> {
    let head = match timeout(TO_ASK, read_head(&mut client)).await {
        Ok(head) => head?,
        Err(_) => return Ok(()),
    };
    let asked = match head.as_deref().map(|head| (read(head), head)) {
        Some((Ok((asked, length)), head)) => {
            (asked, head.get(length..).unwrap_or_default().to_vec())
        }
        Some((Err(reason), _)) => return refuse(&mut client, "400 Bad Request", reason).await,
        None => {
            return refuse(&mut client, "431 Request Header Fields Too Large", "too long").await;
        }
    };
    let (Asked { host, port, head }, rest) = asked;
    let mut server = match connect.connect(&host, port).await {
        Ok(server) => server,
        Err(reason) => return refuse(&mut client, "403 Forbidden", &reason).await,
    };
    match head {
        Some(head) => server.write_all(&head).await?,
        None => client.write_all(b"HTTP/1.1 200 Connection Established\r\n\r\n").await?,
    }
    server.write_all(&rest).await?;
    splice(client, server).await
}

/// The head of a request and what came with it; None where it is too long.
async fn read_head(client: &mut UnixStream) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    loop {
        if head.windows(4).any(|window| window == b"\r\n\r\n") {
            return Ok(Some(head));
        }
        if head.len() >= LONGEST_HEAD {
            return Ok(None);
        }
        let mut piece = [0; 4096];
        let count = client.read(&mut piece).await?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        head.extend_from_slice(piece.get(..count).unwrap_or_default());
    }
}

/// What is asked for, and how long the head was.
fn read(head: &[u8]) -> Result<(Asked, usize), &'static str> {
    const NO_REQUEST: &str = "that is no request of HTTP/1.1";
    const NO_TARGET: &str = "a proxy is asked for CONNECT host:port, or for http://host/path";
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let Ok(httparse::Status::Complete(length)) = request.parse(head) else {
        return Err(NO_REQUEST);
    };
    let (Some(method), Some(target)) = (request.method, request.path) else {
        return Err(NO_REQUEST);
    };
    if method == "CONNECT" {
        let (host, port) = authority(target, None).ok_or(NO_TARGET)?;
        return Ok((Asked { host, port, head: None }, length));
    }
    let rest = target.get(..7).filter(|scheme| scheme.eq_ignore_ascii_case("http://"));
    let rest = rest.and_then(|_| target.get(7..)).ok_or(NO_TARGET)?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (place, path) = rest.split_at(end);
    let (host, port) = authority(place, Some(80)).ok_or(NO_TARGET)?;
    let slash = if path.starts_with('/') { "" } else { "/" };
    // One request for each connection: the next one may be for another host.
    let mut sent =
        format!("{method} {slash}{path} HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\n")
            .into_bytes();
    for header in request.headers.iter() {
        let own = ["host", "connection", "keep-alive", "upgrade"];
        let name = header.name.to_ascii_lowercase();
        if own.contains(&name.as_str()) || name.starts_with("proxy-") {
            continue;
        }
        sent.extend_from_slice(header.name.as_bytes());
        sent.extend_from_slice(b": ");
        sent.extend_from_slice(header.value);
        sent.extend_from_slice(b"\r\n");
    }
    sent.extend_from_slice(b"\r\n");
    Ok((Asked { host, port, head: Some(sent) }, length))
}

/// A host and its port. Whether the host is one, who connects decides.
fn authority(text: &str, default: Option<u16>) -> Option<(String, u16)> {
    if text.contains('@') {
        return None;
    }
    let after_address = text.rfind(']').map_or(0, |end| end + 1);
    let (host, port) = match text.get(after_address..)?.rfind(':') {
        Some(colon) => {
            let (host, port) = text.split_at(after_address + colon);
            let port = port.get(1..)?;
            let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
            (host, is_number.then(|| port.parse().ok()).flatten()?)
        }
        None => (text, default?),
    };
    (!host.is_empty() && port != 0).then(|| (host.to_owned(), port))
}

async fn refuse(client: &mut UnixStream, status: &str, reason: &str) -> io::Result<()> {
    let body = format!("{reason}\n");
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    client.write_all(head.as_bytes()).await?;
    client.write_all(body.as_bytes()).await?;
    client.shutdown().await?;
    // What it is still saying: a socket that is closed before that is read takes the answer with it.
    let rest =
        async { tokio::io::copy(&mut client.take(MOST_HEARD), &mut tokio::io::sink()).await };
    timeout(TO_HEAR, rest).await.map_or(Ok(()), |heard| heard.map(drop))
}

/// Bytes from one to the other until both have ended, or nobody says anything.
async fn splice(client: UnixStream, server: TcpStream) -> io::Result<()> {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let (heard, said) = (tokio::sync::Notify::new(), tokio::sync::Notify::new());
    let both = async {
        let there = pass(&mut from_client, &mut to_server, &heard);
        let back = pass(&mut from_server, &mut to_client, &said);
        tokio::try_join!(there, back).map(drop)
    };
    let silence = async {
        loop {
            let any = async {
                tokio::select! { () = heard.notified() => {}, () = said.notified() => {} }
            };
            if timeout(IDLE, any).await.is_err() {
                return;
            }
        }
    };
    tokio::select! { passed = both => passed, () = silence => Ok(()) }
}

async fn pass(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    moved: &tokio::sync::Notify,
) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        let count = from.read(&mut piece).await?;
        moved.notify_one();
        if count == 0 {
            return to.shutdown().await;
        }
        to.write_all(piece.get(..count).unwrap_or_default()).await?;
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// Leads to one port, whatever it is asked for, and nowhere else for what it does not know.
    #[derive(Debug)]
    struct Only(u16);

    #[async_trait]
    impl Connect for Only {
        async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, String> {
            if host != "listed.example" || port != 80 {
                return Err(format!("{host}:{port} is not listed"));
            }
            TcpStream::connect(("127.0.0.1", self.0)).await.map_err(|error| error.to_string())
        }
    }

    /// What the proxy says to these bytes, and what arrives at a server behind it.
    async fn through(request: &[u8]) -> (String, String) {
        let folder = tempfile::tempdir().unwrap();
        let listener =
            std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
        listener.set_nonblocking(true).unwrap();
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = server.local_addr().unwrap().port();
        let serving = serve(listener, Arc::new(Only(port))).unwrap();
        let heard = tokio::spawn(async move {
            let (mut stream, _) = server.accept().await.unwrap();
            let mut heard = Vec::new();
            let mut piece = [0; 1024];
            while !heard.ends_with(b"\r\n\r\n") {
                let count = stream.read(&mut piece).await.unwrap();
                heard.extend_from_slice(&piece[..count]);
            }
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            String::from_utf8(heard).unwrap()
        });
        let mut client = UnixStream::connect(folder.path().join("socket")).await.unwrap();
        client.write_all(request).await.unwrap();
        let mut said = String::new();
        client.read_to_string(&mut said).await.unwrap();
        serving.abort();
        let heard = if heard.is_finished() { heard.await.unwrap() } else { String::new() };
        (said, heard)
    }

    #[tokio::test]
    async fn a_request_goes_to_its_host_without_what_was_for_the_proxy() {
        let request = b"GET http://listed.example/path?q=1 HTTP/1.1\r\nHost: other.example\r\n\
                        Proxy-Authorization: secret\r\nConnection: keep-alive\r\nX: y\r\n\r\n";
        let (said, heard) = through(request).await;
        assert!(said.starts_with("HTTP/1.1 204"), "{said}");
        assert_eq!(
            heard,
            "GET /path?q=1 HTTP/1.1\r\nHost: listed.example\r\nConnection: close\r\nX: y\r\n\r\n"
        );
    }

    #[tokio::test]
    async fn a_tunnel_carries_what_comes_with_its_request() {
        let request = b"CONNECT listed.example:80 HTTP/1.1\r\n\r\nany bytes\r\n\r\n";
        let (said, heard) = through(request).await;
        assert!(
            said.starts_with("HTTP/1.1 200 Connection Established\r\n\r\nHTTP/1.1 204"),
            "{said}"
        );
        assert_eq!(heard, "any bytes\r\n\r\n");
    }

    #[tokio::test]
    async fn what_is_not_listed_is_refused_with_the_reason() {
        for request in [
            "CONNECT other.example:80 HTTP/1.1\r\n\r\n",
            "GET http://listed.example:81/ HTTP/1.1\r\n\r\n",
        ] {
            let (said, heard) = through(request.as_bytes()).await;
            assert!(said.starts_with("HTTP/1.1 403") && said.contains("is not listed"), "{said}");
            assert_eq!(heard, "");
        }
        let long =
            format!("GET http://listed.example/{} HTTP/1.1\r\n\r\n", "x".repeat(LONGEST_HEAD));
        let (said, _) = through(long.as_bytes()).await;
        assert!(said.starts_with("HTTP/1.1 431"), "{said}");
    }

    #[test]
    fn only_what_can_be_read_in_one_way_is_a_target() {
        for head in [
            "GET / HTTP/1.1\r\n\r\n",
            "GET https://listed.example/ HTTP/1.1\r\n\r\n",
            "GET http:// HTTP/1.1\r\n\r\n",
            "GET http://user@listed.example/ HTTP/1.1\r\n\r\n",
            "CONNECT listed.example HTTP/1.1\r\n\r\n",
            "CONNECT listed.example:0 HTTP/1.1\r\n\r\n",
            "CONNECT listed.example:65536 HTTP/1.1\r\n\r\n",
            "CONNECT listed.example:+80 HTTP/1.1\r\n\r\n",
            "CONNECT :80 HTTP/1.1\r\n\r\n",
            "nonsense\r\n\r\n",
            "\x16\x03\x01\r\n\r\n",
        ] {
            assert!(read(head.as_bytes()).is_err(), "{head:?}");
        }
        let (asked, _) = read(b"CONNECT [::1]:443 HTTP/1.1\r\n\r\n").unwrap();
        assert_eq!(asked, Asked { host: "[::1]".to_owned(), port: 443, head: None });
    }
}
