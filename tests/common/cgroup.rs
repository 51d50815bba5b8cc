//! A control group whose processes the kernel freezes when they have used their share of a processor.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Removed when it is dropped, after its processes have ended.
pub struct CpuQuota {
    folder: PathBuf,
    is_v2: bool,
}

impl CpuQuota {
    const PERIOD_US: u32 = 100_000;

    /// None where this user cannot make one.
    pub fn of_percent(percent: u32) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("udpecho-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let quota = Self::PERIOD_US / 100 * percent;
        let roots = [("/sys/fs/cgroup", true), ("/sys/fs/cgroup/cpu", false)];
        roots.into_iter().find_map(|(root, is_v2)| {
            let folder = Path::new(root).join(&name);
            fs::create_dir(&folder).ok()?;
            let group = Self { folder, is_v2 };
            group.set_quota(&quota.to_string()).then_some(group)
        })
    }

    /// Ends the freezing.
    pub fn lift(&self) {
        assert!(self.set_quota(if self.is_v2 { "max" } else { "-1" }));
    }

    /// For a shell, which enters the group before it goes on.
    pub fn enter(&self) -> String {
        format!("echo $$ > {}/cgroup.procs", self.folder.display())
    }

    fn set_quota(&self, quota: &str) -> bool {
        let (file, text) = match self.is_v2 {
            true => ("cpu.max", format!("{quota} {}", Self::PERIOD_US)),
            false => ("cpu.cfs_quota_us", quota.to_owned()),
        };
        // Opened, not made: in a folder that is no control group there is none.
        let file = fs::File::options().write(true).open(self.folder.join(file));
        file.and_then(|mut file| std::io::Write::write_all(&mut file, text.as_bytes())).is_ok()
    }
}

impl Drop for CpuQuota {
    fn drop(&mut self) {
        // The kernel takes a moment to forget processes that have ended.
        for _ in 0..100 {
            if fs::remove_dir(&self.folder).is_ok() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}
