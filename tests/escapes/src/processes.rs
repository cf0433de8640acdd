//! Programs that a session started and that should have ended with it.

use std::fs;
use std::process;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

/// How long whoever ends a session may take to end what it has started.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the programs sleep that the cases start to see whether they are left. Nobody else sleeps that
/// long: the digits behind the point are the number of this process.
pub(crate) fn span() -> String {
    format!("3141.{}", process::id())
}

/// How many of them there are, after they had time to end. They end now.
pub(crate) async fn left_behind() -> usize {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if sleepers().is_empty() {
            return 0;
        }
        sleep(Duration::from_millis(50)).await;
    }
    let left = sleepers();
    for process in &left {
        let _ = kill_process(*process, Signal::KILL); // it may have ended just now
    }
    left.len()
}

fn sleepers() -> Vec<Pid> {
    let command = format!("sleep\0{}\0", span());
    let sleeps = |folder: &fs::DirEntry| {
        // A process that ends meanwhile is none.
        fs::read(folder.path().join("cmdline")).is_ok_and(|words| words == command.as_bytes())
    };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten().filter(sleeps);
    let number = |folder: fs::DirEntry| folder.file_name().to_str()?.parse().ok();
    processes.filter_map(number).filter_map(Pid::from_raw).collect()
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::process::Command;

    use super::*;

    #[tokio::test]
    async fn a_program_that_is_left_is_counted_and_ends() -> io::Result<()> {
        assert_eq!(left_behind().await, 0);
        let mut left = Command::new("sleep").arg(span()).spawn()?;
        while sleepers().is_empty() {
            sleep(Duration::from_millis(1)).await; // for a moment it has no words
        }
        assert_eq!(left_behind().await, 1);
        left.wait()?;
        assert_eq!(left_behind().await, 0);
        Ok(())
    }
}
