//! A cgroup for each child, made by the parent.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::walls::CgroupLimits;

/// Groups of this program: the process that has made it, and a number.
const PREFIX: &str = "pcm-sandbox-";

static NEXT: AtomicU64 = AtomicU64::new(0);

/// How long the system takes to notice that the last process is gone.
const RETRIES: u32 = 20;
const RETRY: Duration = Duration::from_millis(2);

/// A cgroup: bounds on the memory and the tasks of one child, with all that it starts.
///
/// It is removed on drop, when the child has ended.
#[derive(Debug)]
pub struct Cgroup {
    /// One folder, or one for each controller.
    folders: Vec<PathBuf>,
}

impl Cgroup {
    /// Makes a group with these bounds below the one that this process is in, or, where the system has
    /// the second version of cgroups, beside it. The error says why that is not permitted here; a child
    /// runs without as well.
    pub fn make(limits: &CgroupLimits) -> io::Result<Self> {
        let places = Places::find()?;
        let name =
            format!("{PREFIX}{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        match places {
            Places::First { memory, tasks } => Self::first(&name, &memory, &tasks, limits),
            Places::Second(candidates) => Self::second(&name, &candidates, limits),
        }
    }

    /// One folder for each controller.
    fn first(name: &str, memory: &Path, tasks: &Path, limits: &CgroupLimits) -> io::Result<Self> {
        remove_left(&[memory, tasks]);
        let mut group = Self { folders: Vec::new() };
        group.folder(memory, name)?;
        if let Some(bytes) = limits.memory {
            group.bound_memory(bytes)?;
        }
        let folder = group.folder(tasks, name)?;
        if let Some(tasks) = limits.tasks {
            fs::write(folder.join("pids.max"), tasks.to_string())?;
        }
        Ok(group)
    }

    /// The first place that permits it.
    fn second(name: &str, places: &[PathBuf], limits: &CgroupLimits) -> io::Result<Self> {
        let mut outcome = Err(io::Error::other("no cgroup controllers are delegated here"));
        for place in places {
            outcome = Self::second_in(place, name, limits);
            if outcome.is_ok() {
                break;
            }
        }
        outcome
    }

    fn second_in(place: &Path, name: &str, limits: &CgroupLimits) -> io::Result<Self> {
        remove_left(&[place]);
        let given = fs::read_to_string(place.join("cgroup.subtree_control"))?;
        let has = |controller| given.split_ascii_whitespace().any(|given| given == controller);
        if !has("memory") || !has("pids") {
            // Refused where the group has processes of its own, unless it is the root.
            fs::write(place.join("cgroup.subtree_control"), "+memory +pids")?;
        }
        // To move a child from a sibling takes the right to write here.
        fs::OpenOptions::new().write(true).open(place.join("cgroup.procs"))?;
        let mut group = Self { folders: Vec::new() };
        let folder = group.folder(place, name)?;
        if let Some(bytes) = limits.memory {
            group.bound_memory(bytes)?;
        }
        if let Some(tasks) = limits.tasks {
            fs::write(folder.join("pids.max"), tasks.to_string())?;
        }
        Ok(group)
    }

    fn folder(&mut self, place: &Path, name: &str) -> io::Result<PathBuf> {
        let folder = place.join(name);
        if !self.folders.contains(&folder) {
            fs::create_dir(&folder)?;
            self.folders.push(folder.clone());
        }
        Ok(folder)
    }

    /// Bounds the memory, in place of what bounded it before.
    pub fn bound_memory(&self, bytes: u64) -> io::Result<()> {
        let bytes = bytes.to_string();
        let write = |name: &str, value: &str| -> io::Result<bool> {
            let found =
                self.folders.iter().map(|folder| folder.join(name)).find(|file| file.exists());
            found.map_or(Ok(false), |file| fs::write(file, value).map(|()| true))
        };
        if write("memory.limit_in_bytes", &bytes)? {
            // Memory and swap together. Not there when swap is not counted.
            write("memory.memsw.limit_in_bytes", &bytes)?;
        } else if write("memory.max", &bytes)? {
            // A child that is out of memory ends as a whole, and does not swap.
            write("memory.swap.max", "0")?;
            write("memory.oom.group", "1")?;
        } else {
            return Err(io::Error::other("the cgroup does not count memory"));
        }
        Ok(())
    }

    /// Puts a process into the group, with the children that it has. To be called right after the child
    /// was started: memory that it has by then is not counted.
    pub fn add(&self, process: u32) -> io::Result<()> {
        self.put(process)?;
        // From here on new children begin in the group. A worker's inner process may be older.
        let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"))?;
        for child in children.split_ascii_whitespace() {
            self.put(child.parse().map_err(|_| io::ErrorKind::InvalidData)?)?;
        }
        Ok(())
    }

    /// Ends all that is in it, and what they start meanwhile.
    pub fn kill(&self) {
        const ROUNDS: u32 = 16;
        for folder in &self.folders {
            if fs::write(folder.join("cgroup.kill"), "1").is_ok() {
                continue;
            }
            // Before Linux 5.14, and in the first version, one by one.
            for _ in 0..ROUNDS {
                let processes = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
                let mut found = false;
                for process in processes.split_ascii_whitespace().filter_map(|it| it.parse().ok()) {
                    found = true;
                    let _ = Pid::from_raw(process).map(|it| kill_process(it, Signal::KILL));
                }
                if !found {
                    break;
                }
            }
        }
    }

    fn put(&self, process: u32) -> io::Result<()> {
        self.folders
            .iter()
            .try_for_each(|folder| fs::write(folder.join("cgroup.procs"), process.to_string()))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        for folder in &self.folders {
            for _ in 0..RETRIES {
                match fs::remove_dir(folder) {
                    Err(error) if error.kind() == io::ErrorKind::ResourceBusy => {
                        thread::sleep(RETRY);
                    }
                    // A group that stays is removed by the next program that looks.
                    _ => break,
                }
            }
        }
    }
}

/// Removes groups of programs that could not do it themselves. Once per process. One that is in use is not
/// removed: the system refuses it.
fn remove_left(places: &[&Path]) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for entry in places.iter().filter_map(|place| fs::read_dir(place).ok()).flatten().flatten()
        {
            let name = entry.file_name();
            let maker = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('-').next());
            let is_left = maker.is_some_and(|maker| !Path::new("/proc").join(maker).exists());
            if is_left {
                let _ = fs::remove_dir(entry.path());
            }
        }
    });
}

/// Where groups can be made.
enum Places {
    /// The first version: a hierarchy for each controller.
    First { memory: PathBuf, tasks: PathBuf },
    /// The second version: own group, and the one around it.
    Second(Vec<PathBuf>),
}

impl Places {
    fn find() -> io::Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo")?;
        let groups = fs::read_to_string("/proc/self/cgroup")?;
        Self::read(&mounts, &groups)
            .ok_or_else(|| io::Error::other("this system has no cgroups for memory and tasks"))
    }

    /// `groups` are lines `number:controllers:path`.
    fn read(mounts: &str, groups: &str) -> Option<Self> {
        let group = |controller: &str| {
            groups.lines().find_map(|line| {
                let (_, line) = line.split_once(':')?;
                let (controllers, path) = line.split_once(':')?;
                controllers.split(',').any(|found| found == controller).then_some(path)
            })
        };
        let place = |controller: &str| {
            let path = group(controller)?;
            mounts
                .lines()
                .filter_map(Mount::read)
                .find_map(|mount| mount.has(controller).then(|| mount.place(path)).flatten())
        };
        if let (Some(memory), Some(tasks)) = (place("memory"), place("pids")) {
            return Some(Self::First { memory, tasks });
        }
        // Its one hierarchy has no named controllers.
        let path = group("")?;
        let mounts = mounts.lines().filter_map(Mount::read);
        let (mount, own) = mounts
            .filter(|mount| mount.kind == "cgroup2")
            .find_map(|mount| mount.place(path).map(|own| (mount, own)))?;
        let around = own.parent().filter(|around| around.starts_with(mount.point));
        let around = around.map(Path::to_owned);
        Some(Self::Second([Some(own), around].into_iter().flatten().collect()))
    }
}

/// A line of `mountinfo`: `id parent device root point options [fields] - kind source options`.
struct Mount<'a> {
    root: &'a str,
    point: &'a str,
    kind: &'a str,
    options: &'a str,
}

impl<'a> Mount<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let (mount, system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let mut system = system.split(' ');
        let (root, point) = (mount.next()?, mount.next()?);
        Some(Self { root, point, kind: system.next()?, options: system.nth(1)? })
    }

    fn has(&self, controller: &str) -> bool {
        self.kind == "cgroup" && self.options.split(',').any(|option| option == controller)
    }

    /// Where the group at `path` is mounted. None if this mount does not reach it.
    fn place(&self, path: &str) -> Option<PathBuf> {
        let below = Path::new(path).strip_prefix(self.root).ok()?;
        Some(Path::new(self.point).join(below))
    }
}

#[cfg(test)]
#[expect(clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    const FIRST: &str = "\
31 23 0:27 / /sys/fs/cgroup/memory rw,relatime shared:5 - cgroup cgroup rw,memory
32 23 0:28 /box /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
33 23 0:29 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

    #[test]
    fn of_the_first_version_each_controller_has_its_place() {
        let groups = "9:pids:/box/own\n4:cpu,memory:/own\n0::/\n";
        let Some(Places::First { memory, tasks }) = Places::read(FIRST, groups) else {
            panic!("the first version")
        };
        assert_eq!(memory, Path::new("/sys/fs/cgroup/memory/own"));
        assert_eq!(tasks, Path::new("/sys/fs/cgroup/pids/own"));
    }

    #[test]
    fn a_group_that_is_not_mounted_here_is_no_place() {
        assert!(Places::read(FIRST, "9:pids:/elsewhere\n4:memory:/own\n").is_none());
        assert!(Places::read("", "0::/\n").is_none());
        assert!(Places::read("33 23 0:29 /", "0:").is_none());
    }

    #[test]
    fn of_the_second_version_there_is_the_own_group_and_the_one_around_it() {
        let mounts = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
        let second = |groups: &str| match Places::read(mounts, groups) {
            Some(Places::Second(places)) => places,
            _ => panic!("the second version"),
        };
        let own = PathBuf::from("/sys/fs/cgroup/user/own.scope");
        assert_eq!(second("0::/user/own.scope\n"), [own, "/sys/fs/cgroup/user".into()]);
        // Nothing is above the root.
        assert_eq!(second("0::/\n"), [PathBuf::from("/sys/fs/cgroup/")]);
    }
}
