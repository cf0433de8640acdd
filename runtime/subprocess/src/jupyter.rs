//! Messages of the Jupyter protocol: signed, and no more of them than runs need.

use std::io;
use std::path::Path;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::zmtp::Message;

/// Between what routes a message and the message.
const DELIMITER: &[u8] = b"<IDS|MSG>";
const VERSION: &str = "5.3";

/// The sockets of a kernel, by the numbers in its connection file.
pub(crate) const SHELL: u8 = 1;
pub(crate) const IOPUB: u8 = 2;

/// Who talks to one kernel: the key that its messages are signed with.
#[derive(Debug)]
pub(crate) struct Client {
    key: String,
    mac: Hmac<Sha256>,
    last: u64,
}

/// What the kernel says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    /// As `execute_reply`.
    pub(crate) kind: String,
    /// The request that it is about.
    pub(crate) request: String,
    /// Of a `status`: whether it is idle.
    pub(crate) is_idle: bool,
}

#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    msg_type: String,
    #[serde(default)]
    msg_id: String,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    execution_state: String,
}

impl Client {
    pub(crate) fn new() -> io::Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(io::Error::other)?;
        let key = hex(&key);
        let mac = Hmac::new_from_slice(key.as_bytes()).map_err(io::Error::other)?;
        Ok(Self { key, mac, last: 0 })
    }

    /// The connection file of a kernel whose sockets are `place-1` and so on.
    pub(crate) fn connection(&self, place: &Path) -> Value {
        json!({
            "transport": "ipc", "ip": place, "key": self.key, "signature_scheme": "hmac-sha256",
            "shell_port": SHELL, "iopub_port": IOPUB, "stdin_port": 3, "control_port": 4, "hb_port": 5,
        })
    }

    /// A request, and the number that its replies will name.
    pub(crate) fn request(
        &mut self,
        kind: &str,
        metadata: &Value,
        content: &Value,
    ) -> (String, Message) {
        self.last += 1;
        let id = format!("pcm-{}", self.last);
        let header = json!({
            "msg_id": id, "msg_type": kind, "version": VERSION,
            "session": "pcm-sandbox", "username": "pcm-sandbox", "date": "1970-01-01T00:00:00Z",
        });
        let parts =
            [&header, &json!({}), metadata, content].map(|part| part.to_string().into_bytes());
        let signature = self.signature(&parts);
        let mut message = vec![DELIMITER.to_vec(), signature.into_bytes()];
        message.extend(parts);
        (id, message)
    }

    /// What a message says; None for one that is no message of the protocol, or has another signature.
    pub(crate) fn read(&self, message: &Message) -> Option<Heard> {
        let place = message.iter().position(|frame| frame == DELIMITER)?;
        let [signature, parts @ ..] = message.get(place + 1..)? else { return None };
        let parts = parts.get(..4)?;
        self.mac(parts).verify_slice(&unhex(signature)?).ok()?;
        let [header, parent, _, content] = parts else { return None };
        let header: Header = serde_json::from_slice(header).ok()?;
        let parent: Header = serde_json::from_slice(parent).ok()?;
        let is_idle = header.msg_type == "status"
            && serde_json::from_slice::<Status>(content).ok()?.execution_state == "idle";
        Some(Heard { kind: header.msg_type, request: parent.msg_id, is_idle })
    }

    fn signature(&self, parts: &[Vec<u8>]) -> String {
        hex(&self.mac(parts).finalize().into_bytes())
    }

    fn mac(&self, parts: &[Vec<u8>]) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        for part in parts {
            mac.update(part);
        }
        mac
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn unhex(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok().filter(|text| text.is_ascii())?;
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_was_signed_is_read_and_nothing_else() {
        let mut client = Client::new().unwrap();
        let idle = json!({"execution_state": "idle"});
        let (id, message) = client.request("status", &json!({}), &idle);
        assert_eq!(id, "pcm-1");
        let heard = client.read(&message).unwrap();
        assert_eq!((heard.kind.as_str(), heard.is_idle), ("status", true));
        for place in 1..message.len() {
            let mut changed = message.clone();
            changed[place].push(b' ');
            assert_eq!(client.read(&changed), None, "{place}");
        }
        assert_eq!(Client::new().unwrap().read(&message), None, "another key");
        for length in 0..message.len() {
            assert_eq!(client.read(&message[..length].to_vec()), None);
        }
    }
}
