//! A process that is measured, and what the kernel tells of it.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};

use super::timing;

/// What the kernel counts processor time in (`USER_HZ`: a hundredth of a second on every Linux there is).
const TICKS_PER_SECOND: f64 = 100.0;

/// A process that listens, ended when this is dropped.
pub(super) struct Process {
    child: Child,
    pub(super) address: SocketAddr,
    pub(super) cpu: Cpu,
}

impl Process {
    /// Starts a program that writes `listening on http://ADDRESS` to standard error, which goes into `log`.
    pub(super) fn start(mut command: Command, log: &Path) -> Result<Self> {
        let file = fs::File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
        let child = command.spawn().context("cannot start a server")?;
        let cpu = Cpu(child.id());
        let unknown = SocketAddr::from(([127, 0, 0, 1], 0));
        // From here on the process is ended whatever happens.
        let mut process = Self { child, address: unknown, cpu };
        for _ in 0..600 {
            if let Some(address) = address_in(&fs::read_to_string(log)?) {
                process.address = address;
                return Ok(process);
            }
            if let Some(status) = process.child.try_wait()? {
                bail!("a server ended ({status}): {}", fs::read_to_string(log)?);
            }
            timing::pause(Duration::from_millis(50));
        }
        bail!("a server did not get ready: {}", fs::read_to_string(log)?)
    }

    /// The most memory that it ever had, in MB (10^6 bytes).
    pub(super) fn peak_memory(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()).context("no VmHWM in /proc")?;
        Ok(kib.parse::<f64>()? * 1024.0 / 1e6)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address_in(log: &str) -> Option<SocketAddr> {
    let (_, rest) = log.split_once("listening on http://")?;
    // Without the line's end it may not be written whole yet.
    rest.split_once('\n')?.0.trim().parse().ok()
}

/// The processor time of a process.
pub(super) struct Cpu(u32);

impl Cpu {
    /// Seconds in the program and in the kernel for it, so far.
    pub(super) fn seconds(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).context("a server is gone")?;
        // proc(5): the 14th and 15th field; the 2nd may hold blanks, but ends with the last bracket.
        let (_, rest) = stat.rsplit_once(") ").context("/proc/PID/stat")?;
        let ticks = rest.split_whitespace().skip(11).take(2).map(str::parse::<f64>);
        let mut sum = 0.0;
        for tick in ticks {
            sum += tick?;
        }
        Ok(sum / TICKS_PER_SECOND)
    }
}
