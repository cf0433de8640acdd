//! The child process of a server, and what is read from it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, ReadBuf};
use tokio::process::{ChildStdin, ChildStdout};

use crate::excerpt::Excerpt;
use crate::process::{Endings, Group};
use crate::program::Program;

/// How long a server has to end by itself once its input is closed.
const GRACE: Duration = Duration::from_millis(500);
/// How long is waited for the last words of a server that ended.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// A server that is a child process.
#[derive(Debug)]
pub(crate) struct Process {
    group: Group,
    said: Arc<Mutex<Excerpt>>,
    hearing: tokio::task::JoinHandle<()>,
    broken: Arc<OnceLock<String>>,
}

/// The two pipes of a server.
pub(crate) type Pipes = (BoundedLines<ChildStdout>, ChildStdin);

impl Process {
    pub(crate) fn start(
        program: &Program,
        words: &[String],
        most: usize,
        endings: &Endings,
    ) -> Result<(Self, Pipes), String> {
        let name = &program.command;
        let words: Vec<_> = words.iter().map(Into::into).collect();
        let mut command = program.command(&words).ok_or_else(|| {
            format!("the program {name:?} is not on this host, or not executable")
        })?;
        command.stdin(std::process::Stdio::piped());
        let mut group = Group::spawn(&mut command, endings).map_err(|error| {
            format!("the program {name:?} could not be started: {}", error.kind())
        })?;
        let pipes = group.child().and_then(|child| {
            Some((child.stdin.take()?, child.stdout.take()?, child.stderr.take()?))
        });
        let (stdin, stdout, mut stderr) = pipes.ok_or("the program has no pipes")?;
        let said = Arc::new(Mutex::new(Excerpt::default()));
        let heard = Arc::clone(&said);
        let hearing = tokio::spawn(async move {
            let mut chunk = vec![0; 8 << 10];
            while let Ok(length @ 1..) = stderr.read(&mut chunk).await {
                let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
                heard.push(chunk.get(..length).unwrap_or_default());
            }
        });
        let broken = Arc::new(OnceLock::new());
        let stdout = BoundedLines { inner: stdout, length: 0, most, broken: Arc::clone(&broken) };
        Ok((Self { group, said, hearing, broken }, (stdout, stdin)))
    }

    /// Why the connection is gone: what we found wrong, or the last words of the server.
    pub(crate) async fn reason(&mut self) -> String {
        if let Some(broken) = self.broken.get() {
            return broken.clone();
        }
        let _ = tokio::time::timeout(LAST_WORDS, &mut self.hearing).await;
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner).text();
        match said.trim() {
            "" => "the server ended without a word".to_owned(),
            _ => format!("the server ended; it said: {}", crate::text::tail(&said)),
        }
    }

    /// Ends the server, whose input is closed already.
    pub(crate) async fn end(self) {
        let _ = tokio::time::timeout(GRACE, self.group.exited()).await;
        let _ = self.group.end().await;
        self.hearing.abort();
    }
}

/// Lines up to a length: one that is longer breaks the connection, because whoever waits for the
/// answer in it would wait for ever.
#[derive(Debug)]
pub(crate) struct BoundedLines<Inner> {
    inner: Inner,
    length: usize,
    most: usize,
    broken: Arc<OnceLock<String>>,
}

impl<Inner: AsyncRead + Unpin> AsyncRead for BoundedLines<Inner> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.inner).poll_read(context, buffer);
        for byte in buffer.filled().get(before..).unwrap_or_default() {
            self.length = if *byte == b'\n' { 0 } else { self.length + 1 };
            if self.length > self.most {
                let most = self.most;
                let reason = format!(
                    "the server sent a message of more than {most} bytes; raise `output_bytes` in \
                     its declaration"
                );
                let _ = self.broken.set(reason);
                return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
            }
        }
        read
    }
}
