//! Whose containers are whose. A container says which process has started it; those whose process is gone
//! are removed by the next one that comes.

use std::collections::HashMap;
use std::fs;

use bollard::Docker;
use bollard::query_parameters::{ListContainersOptions, RemoveContainerOptions};

use crate::error::told;

/// All that is ours has it.
pub(crate) const LABEL: &str = "pcm-sandbox";
/// The process that has started a container.
pub(crate) const OWNER: &str = "pcm-sandbox.owner";
/// Somebody wanted to keep it.
pub(crate) const KEPT: &str = "pcm-sandbox.kept";

/// A process, wherever and whenever it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Owner {
    /// The start of the machine.
    boot: String,
    /// The namespace that its number is of.
    namespace: String,
    pid: u32,
    /// When it was started, in the machine's own measure.
    started: u64,
}

/// The labels of the containers of this process.
pub(crate) fn labels() -> HashMap<String, String> {
    let owner = Owner::of_this().map(|owner| (OWNER.to_owned(), owner.text()));
    let all = [(LABEL.to_owned(), "1".to_owned())];
    all.into_iter().chain(owner).collect()
}

/// Removes the containers of processes that are gone.
pub(crate) async fn reap(docker: &Docker) {
    let filters = HashMap::from([("label".to_owned(), vec![format!("{LABEL}=1")])]);
    let options = ListContainersOptions { all: true, filters: Some(filters), ..Default::default() };
    let listed = match docker.list_containers(Some(options)).await {
        Ok(listed) => listed,
        Err(error) => {
            tracing::warn!(error = told(&error), "containers cannot be listed");
            return;
        }
    };
    let Some(own) = Owner::of_this() else { return };
    for container in listed {
        let labels = container.labels.unwrap_or_default();
        let owner = labels.get(OWNER).and_then(|text| Owner::read(text));
        let is_left = owner.is_some_and(|owner| owner.is_gone(&own)) && !labels.contains_key(KEPT);
        if let (true, Some(id)) = (is_left, container.id) {
            remove(docker, &id).await;
        }
    }
}

/// Ends a container and removes it. One that is gone already, or going, is fine.
pub(crate) async fn remove(docker: &Docker, id: &str) {
    let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
    if let Err(error) = docker.remove_container(id, Some(options)).await {
        tracing::debug!(error = told(&error), "a container was not removed");
    }
}

impl Owner {
    fn of_this() -> Option<Self> {
        let pid = std::process::id();
        Some(Self {
            boot: fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().to_owned(),
            namespace: fs::read_link("/proc/self/ns/pid").ok()?.to_str()?.to_owned(),
            pid,
            started: started(pid)?,
        })
    }

    fn text(&self) -> String {
        let Self { boot, namespace, pid, started } = self;
        format!("{pid} {started} {namespace} {boot}")
    }

    fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let pid = words.next()?.parse().ok()?;
        let started = words.next()?.parse().ok()?;
        let (namespace, boot) = (words.next()?.to_owned(), words.next()?.to_owned());
        words.next().is_none().then_some(Self { boot, namespace, pid, started })
    }

    /// Whether the process is gone, as far as `own` can know: the numbers of another namespace say nothing.
    fn is_gone(&self, own: &Self) -> bool {
        if self.boot != own.boot {
            return true; // nothing of ours is started again with the machine
        }
        self.namespace == own.namespace && started(self.pid) != Some(self.started)
    }
}

/// When a process was started; None where there is none.
fn started(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name of the program, in parentheses, may have anything in it.
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_read_as_it_is_written() {
        let own = Owner::of_this().unwrap();
        assert_eq!(Owner::read(&own.text()), Some(own));
        for strange in ["", "1", "1 2 3", "x 2 3 4", "1 2 3 4 5"] {
            assert_eq!(Owner::read(strange), None, "{strange}");
        }
    }

    #[test]
    fn only_who_is_known_to_be_gone_is_gone() {
        let own = Owner::of_this().unwrap();
        assert!(!own.is_gone(&own));
        let another = Owner { started: own.started + 1, ..own.clone() };
        assert!(another.is_gone(&own), "its number is another process's now");
        let elsewhere = Owner { namespace: "pid:[1]".to_owned(), ..another.clone() };
        assert!(!elsewhere.is_gone(&own));
        let before = Owner { boot: "another".to_owned(), ..elsewhere };
        assert!(before.is_gone(&own));
    }
}
