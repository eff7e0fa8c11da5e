//! Cores and memory as Linux tells them, and what a control group leaves of the latter.

use std::fs;
use std::path::Path;

/// Bytes of memory.
pub(super) struct Memory {
    pub(super) free: u64,
    pub(super) all: u64,
    /// A control group allows less than the machine has.
    pub(super) is_limited: bool,
}

/// The machine's cores that are on.
pub(super) fn cores() -> Option<usize> {
    count(&fs::read_to_string("/sys/devices/system/cpu/online").ok()?)
}

/// Counts a list such as `0-3,8`.
fn count(list: &str) -> Option<usize> {
    let counts = list.trim().split(',').map(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<usize>().ok()?, last.parse::<usize>().ok()?);
        Some(last.checked_sub(first)? + 1)
    });
    counts.sum()
}

pub(super) fn memory() -> Option<Memory> {
    let told = fs::read_to_string("/proc/meminfo").ok()?;
    let (all, free) = (field(&told, "MemTotal:")?, field(&told, "MemAvailable:")?);
    let Some((limit, used)) = group() else { return Some(Memory { free, all, is_limited: false }) };
    let is_limited = limit < all;
    let (all, left) = (limit.min(all), limit.saturating_sub(used));
    Some(Memory { free: free.min(left), all, is_limited })
}

fn field(told: &str, name: &str) -> Option<u64> {
    let line = told.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Limit and use of the process's control group, where it has a limit (version 2).
fn group() -> Option<(u64, u64)> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let folder = Path::new("/sys/fs/cgroup").join(path);
    let number = |name: &str| fs::read_to_string(folder.join(name)).ok()?.trim().parse().ok();
    Some((number("memory.max")?, number("memory.current")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores_are_counted() {
        assert_eq!(count("0-3,8\n"), Some(5));
        assert_eq!(count("0\n"), Some(1));
        assert_eq!(count("3-0\n"), None);
        assert_eq!(count(""), None);
    }

    #[test]
    fn memory_is_read_in_bytes() {
        let told = "MemTotal:       16 kB\nMemFree: 1 kB\nMemAvailable:   8 kB\n";
        assert_eq!((field(told, "MemTotal:"), field(told, "MemAvailable:")), (Some(16_384), Some(8_192)));
        assert_eq!(field(told, "Swap:"), None);
        assert!(memory().is_some_and(|memory| memory.all > 0 && memory.free <= memory.all));
    }
}
