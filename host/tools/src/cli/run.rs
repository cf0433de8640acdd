//! One run of a program: what it writes is collected, and it ends with the call.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use crate::excerpt::Excerpt;
use crate::process::{Endings, Group};
use crate::{OutputSink, OutputStream};

/// How long output is still read when the program has exited but a child of its holds the pipe.
const DRAIN: Duration = Duration::from_millis(300);
const CHUNK: usize = 64 << 10;

/// Bounds of one run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) timeout: Duration,
    pub(crate) output_bytes: usize,
}

/// How a run ended.
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Excerpt,
}

pub(crate) enum RunError {
    Spawn(io::Error),
    Io(io::Error),
    TimedOut,
    TooLong,
}

/// Runs a command that has its standard output and error piped.
pub(crate) async fn run(
    command: &mut Command,
    bounds: Bounds,
    output: Option<&OutputSink>,
    endings: &Endings,
) -> Result<Finished, RunError> {
    let mut group = Group::spawn(command, endings).map_err(RunError::Spawn)?;
    let collected = tokio::time::timeout(bounds.timeout, collect(&mut group, bounds, output)).await;
    match collected {
        Ok(Ok((stdout, stderr))) => {
            let status = group.finish().await.map_err(RunError::Io)?;
            Ok(Finished { status, stdout, stderr })
        }
        failed => {
            // The caller hears of it when everything is gone.
            let _ = group.end().await;
            Err(failed
                .map_or(RunError::TimedOut, |failed| failed.err().unwrap_or(RunError::TooLong)))
        }
    }
}

async fn collect(
    group: &mut Group,
    bounds: Bounds,
    output: Option<&OutputSink>,
) -> Result<(Vec<u8>, Excerpt), RunError> {
    let child = group.child().ok_or_else(|| RunError::Io(io::Error::other("no child")))?;
    let pipes = (child.stdout.take(), child.stderr.take());
    let (Some(mut stdout), Some(mut stderr)) = pipes else {
        return Err(RunError::Io(io::Error::other("no pipes")));
    };
    let mut result = Vec::new();
    let mut said = Excerpt::default();
    {
        let hear = |stream, bytes: &[u8]| {
            if let Some(output) = output {
                output(stream, bytes);
            }
        };
        let both = async {
            let read_result = read(&mut stdout, |bytes| {
                if result.len() + bytes.len() > bounds.output_bytes {
                    return Err(RunError::TooLong);
                }
                result.extend_from_slice(bytes);
                hear(OutputStream::Stdout, bytes);
                Ok(())
            });
            let read_said = read(&mut stderr, |bytes| {
                said.push(bytes);
                hear(OutputStream::Stderr, bytes);
                Ok(())
            });
            tokio::try_join!(read_result, read_said).map(|_| ())
        };
        tokio::pin!(both);
        tokio::select! {
            done = &mut both => {
                done?;
                // Both pipes are closed; the program itself may have more to do.
                group.exited().await.map_err(RunError::Io)?;
            }
            exited = group.exited() => {
                exited.map_err(RunError::Io)?;
                if let Ok(done) = tokio::time::timeout(DRAIN, both).await {
                    done?;
                }
            }
        }
    }
    Ok((result, said))
}

async fn read(
    pipe: &mut (impl AsyncRead + Unpin),
    mut take: impl FnMut(&[u8]) -> Result<(), RunError>,
) -> Result<(), RunError> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = pipe.read(&mut chunk).await.map_err(RunError::Io)?;
        match chunk.get(..length) {
            None | Some([]) => return Ok(()),
            Some(bytes) => take(bytes)?,
        }
    }
}
