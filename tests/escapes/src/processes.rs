//! Programs that a session started and that should have ended with it.

use std::fs;
use std::time::{Duration, Instant};

use tokio::time::sleep;

/// What the cases start to see whether it is left: nobody else sleeps that long.
const LEFT: &[u8] = b"sleep\03141.59\0";
/// How long whoever ends a session may take to end what it has started.
const PATIENCE: Duration = Duration::from_secs(5);

/// How many of them there are, after they had time to end.
pub(crate) async fn left_behind() -> usize {
    let begin = Instant::now();
    while begin.elapsed() < PATIENCE {
        if count() == 0 {
            return 0;
        }
        sleep(Duration::from_millis(50)).await;
    }
    count()
}

fn count() -> usize {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let is_left = |folder: fs::DirEntry| {
        // A process that ends meanwhile is none.
        fs::read(folder.path().join("cmdline")).is_ok_and(|words| words == LEFT)
    };
    processes.filter_map(|folder| is_left(folder).then_some(())).count()
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_program_that_is_left_is_counted() -> io::Result<()> {
        let mut left = Command::new("sleep").arg("3141.59").spawn()?;
        while fs::read(format!("/proc/{}/cmdline", left.id())).is_ok_and(|words| words != LEFT) {}
        let counted = count();
        left.kill()?;
        left.wait()?;
        assert_eq!((counted, count()), (1, 0));
        Ok(())
    }
}
