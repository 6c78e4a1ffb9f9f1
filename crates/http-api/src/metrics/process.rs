//! This process, as Linux tells it in `/proc`. Elsewhere, or where a file cannot be read, the figure is left out.

use std::fs;

use super::exposition::{Exposition, Seconds};

/// Linux tells CPU times in units of 10 ms (`USER_HZ`), on every architecture that Jeton is built for.
const NANOS_PER_TICK: u64 = 10_000_000;

/// Adds what is known.
pub(super) fn write(text: &mut Exposition) {
    if let Some(nanos) = cpu_nanos(&read("stat")) {
        let help = "CPU time that the process has used, in seconds.";
        text.counter("process_cpu_seconds_total", help, Seconds(nanos));
    }
    if let Some(bytes) = resident_bytes(&read("status")) {
        let help = "Memory that the process has in RAM, in bytes.";
        text.gauge("process_resident_memory_bytes", help, bytes);
    }
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        // Reading the folder takes a descriptor itself.
        let open = entries.count().saturating_sub(1);
        text.gauge("process_open_fds", "Open file descriptors.", open);
    }
    if let Some(most) = max_descriptors(&read("limits")) {
        let help = "The most file descriptors that the process may open.";
        text.gauge("process_max_fds", help, most);
    }
}

fn read(name: &str) -> String {
    fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default()
}

/// The 14th and 15th field of `stat`: time in user and in kernel mode. The second field is a name in parentheses that may
/// hold anything.
fn cpu_nanos(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let kernel: u64 = fields.next()?.parse().ok()?;
    Some((user + kernel) * NANOS_PER_TICK)
}

/// `VmRSS` of `status`, which is in units of 1024 bytes.
fn resident_bytes(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_ascii_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// The soft limit in `limits`.
fn max_descriptors(limits: &str) -> Option<u64> {
    let mut lines = limits.lines();
    let line = lines.find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_linux_writes() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 120 0 0 0 150 25 0 0 20 0 9 0 100 1 2 3";
        assert_eq!(cpu_nanos(stat), Some(1_750_000_000));
        let status = "Name:\tjeton\nVmHWM:\t   9 kB\nVmRSS:\t   2048 kB\n";
        assert_eq!(resident_bytes(status), Some(2 * 1024 * 1024));
        let limits = "Limit   Soft Limit  Hard Limit  Units\nMax open files  1024  4096  files\n";
        assert_eq!(max_descriptors(limits), Some(1024));
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        for text in ["", "7", "7 (a) S 1", "VmRSS:", "Max open files unlimited"] {
            let read = (cpu_nanos(text), resident_bytes(text), max_descriptors(text));
            assert_eq!(read, (None, None, None), "{text}");
        }
    }
}
