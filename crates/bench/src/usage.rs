//! What a process used, from Linux's `/proc`.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

/// The unit of the times in `/proc/PID/stat`. Linux shows them to programs in hundredths of a second on every common
/// architecture, whatever the kernel's own clock is; `getconf CLK_TCK` tells.
const CLOCK_TICK: Duration = Duration::from_millis(10);

/// CPU time of all threads so far, in user and kernel mode.
pub(crate) fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let file = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&file).with_context(|| file.clone())?;
    let ticks = cpu_ticks(&stat).with_context(|| format!("{file} is not as expected"))?;
    Ok(CLOCK_TICK * ticks)
}

/// How long [`nanos_each`] goes on: long, measured in hundredths of a second.
pub(crate) const REPEAT: Duration = Duration::from_secs(1);

/// ns of this process's CPU for each time that something is done; it must succeed each time, and nothing else may run.
pub(crate) fn nanos_each(mut act: impl FnMut(usize) -> bool) -> anyhow::Result<f64> {
    let pid = std::process::id();
    let before = cpu_time(pid)?;
    let started = Instant::now();
    let mut count = 0_u32;
    while started.elapsed() < REPEAT {
        for _ in 0..100 {
            ensure!(act(count as usize), "something did not succeed");
            count += 1;
        }
    }
    let cpu = cpu_time(pid)?.saturating_sub(before);
    Ok(cpu.as_secs_f64() * 1e9 / f64::from(count))
}

/// Memory that is resident now, in KiB.
pub(crate) fn resident_kib(pid: u32) -> anyhow::Result<u32> {
    let file = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&file).with_context(|| file.clone())?;
    resident(&status).with_context(|| format!("{file} is not as expected"))
}

/// `utime` and `stime`, fields 14 and 15 of proc(5). Field 2, the program's name, may hold anything, a `)` included.
fn cpu_ticks(stat: &str) -> Option<u32> {
    let (_, from_field_3) = stat.rsplit_once(") ")?;
    let mut fields = from_field_3.split(' ').skip(14 - 3);
    let user: u32 = fields.next()?.parse().ok()?;
    let system: u32 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn resident(status: &str) -> Option<u32> {
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    value.trim().strip_suffix(" kB")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_linux_writes() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 1234 66 5 6 20 0 3 0 99 1000 10";
        assert_eq!(cpu_ticks(stat), Some(1300));
        assert_eq!(cpu_ticks("7 (jeton) S 1"), None);
        let status = "Name:\tjeton\nVmHWM:\t   9999 kB\nVmRSS:\t   2048 kB\n";
        assert_eq!(resident(status), Some(2048));
    }

    #[test]
    fn this_process_uses_something() {
        let pid = std::process::id();
        assert!(cpu_time(pid).is_ok());
        assert!(resident_kib(pid).unwrap() > 100);
    }
}
