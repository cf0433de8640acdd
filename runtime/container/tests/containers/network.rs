//! What code reaches of the network: nothing, a list, or what the bridge does.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use libtest_mimic::Failed;
use pcm_runtime_api::{Capability, Executor as _, SandboxConfig};
use pcm_runtime_container::{Connect, Network};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::fixture::{Check, Test, check, engine, same, session, started, value};

pub(crate) const TESTS: [(&str, Test); 3] = [
    ("without_a_network_nothing_is_reached", || Box::pin(none())),
    ("a_list_is_reached_and_nothing_else", || Box::pin(listed())),
    ("a_bridge_reaches_the_host", || Box::pin(bridge())),
];

/// Answers every request with the same words.
async fn server(address: IpAddr) -> Result<SocketAddr, Failed> {
    let listener = TcpListener::bind((address, 0)).await?;
    let place = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut piece = [0; 1024];
            let _ = stream.read(&mut piece).await;
            let _ = stream
                .write_all(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nheard",
                )
                .await;
        }
    });
    Ok(place)
}

/// Where a container on the usual bridge would find this machine.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(172, 17, 0, 1);

/// Tries to connect past any proxy.
fn direct(place: SocketAddr) -> String {
    format!(
        "
import errno, socket
def reach(host, port):
    try:
        socket.create_connection((host, port), timeout=3).close()
        return 'reached'
    except socket.gaierror:
        return 'no name'
    except TimeoutError:
        return 'timeout'
    except OSError as error:
        return errno.errorcode[error.errno]
[reach({:?}, {}), reach('8.8.8.8', 53), reach('example.org', 80)]",
        place.ip().to_string(),
        place.port()
    )
}

async fn none() -> Check {
    let place = SocketAddr::new(GATEWAY.into(), server(Ipv4Addr::UNSPECIFIED.into()).await?.port());
    let session = session().await?;
    let said = value(&session, &direct(place)).await?;
    same(said, json!(["ENETUNREACH", "ENETUNREACH", "no name"]))?;
    let interfaces = "import socket; [name for _, name in socket.if_nameindex() if name not in ('tunl0', 'sit0', 'ip6tnl0')]";
    same(value(&session, interfaces).await?, json!(["lo"]))?;
    check(session.capabilities().contains(&Capability::NetworkIsolation), || {
        "it says less".to_owned()
    })?;
    session.close().await;
    Ok(())
}

/// Knows one name.
#[derive(Debug)]
struct One(SocketAddr);

#[async_trait]
impl Connect for One {
    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, String> {
        if host != "listed.example" || port != 8000 {
            return Err(format!("{host}:{port} is not listed"));
        }
        TcpStream::connect(self.0).await.map_err(|error| error.kind().to_string())
    }
}

async fn listed() -> Check {
    let place = server(Ipv4Addr::LOCALHOST.into()).await?;
    let engine = engine(|settings| settings.network = Network::Listed(Arc::new(One(place))));
    let session = started(&engine, SandboxConfig::default()).await?;
    let fetch = "
import urllib.error, urllib.request
def fetch(url):
    try:
        return urllib.request.urlopen(url, timeout=10).read().decode()
    except urllib.error.HTTPError as error:
        return [error.code, error.read().decode().strip()]
    except urllib.error.URLError as error:
        return str(error.reason)
[fetch('http://listed.example:8000/x'), fetch('http://other.example/'), fetch('http://listed.example:22/'), fetch('https://other.example/')]";
    let expected = json!([
        "heard",
        [403, "other.example:80 is not listed"],
        [403, "listed.example:22 is not listed"],
        "Tunnel connection failed: 403 Forbidden",
    ]);
    same(value(&session, fetch).await?, expected)?;
    // Past the proxy there is nothing.
    let said = value(&session, &direct(SocketAddr::new(GATEWAY.into(), place.port()))).await?;
    same(said, json!(["ENETUNREACH", "ENETUNREACH", "no name"]))?;
    // A tunnel carries anything to what is listed.
    let tunnel = "
import http.client
connection = http.client.HTTPConnection('127.0.0.1', 3128, timeout=10)
connection.set_tunnel('listed.example', 8000)
connection.request('GET', '/')
connection.getresponse().read().decode()";
    same(value(&session, tunnel).await?, json!("heard"))?;
    session.close().await;
    Ok(())
}

async fn bridge() -> Check {
    let port = server(Ipv4Addr::UNSPECIFIED.into()).await?.port();
    let engine = engine(|settings| settings.network = Network::Bridge);
    let session = started(&engine, SandboxConfig::default()).await?;
    let fetch = format!(
        "import urllib.request; urllib.request.urlopen('http://host.docker.internal:{port}/', timeout=10).read().decode()"
    );
    same(value(&session, &fetch).await?, json!("heard"))?;
    let capabilities = session.capabilities();
    check(!capabilities.contains(&Capability::NetworkIsolation), || "it says more".to_owned())?;
    session.close().await;
    Ok(())
}
