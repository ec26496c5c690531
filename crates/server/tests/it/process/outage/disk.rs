//! A disk of the data's own, which can be filled, freed and made read-only.
//!
//! A disk can be mounted by root, if the machine lets it. Elsewhere a limit on the size of the server's files plays the
//! full disk, and the tests say so; `cargo xtask test` says it in its closing lines.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::super::{
    scene::ALLOWED,
    server::{Home, Server},
};

/// The size of a mounted disk: more than a test needs, and filled in a moment.
const SIZE: &str = "48M";

/// Where the data is.
pub(super) enum Disk {
    /// On a disk in memory, mounted here.
    Memory(PathBuf),
    /// On a file system in a file, mounted here.
    File(PathBuf),
    /// On the disk that everything else is on.
    Shared,
}

impl Disk {
    /// A disk that can be filled.
    pub(super) fn fillable(home: &Home) -> Self {
        let place = place(home);
        let mount = ["-t", "tmpfs", "-o", &format!("size={SIZE}"), "tmpfs"];
        if run("mount", &mount, &place) { Self::Memory(place) } else { Self::shared() }
    }

    /// A disk that becomes read-only by itself, as one does whose file system found an error.
    pub(super) fn failing(home: &Home) -> Self {
        let (place, image) = (place(home), home.path().join("image"));
        File::create(&image).and_then(|file| file.set_len(64 << 20)).expect("a file");
        let mount = ["-o", "loop,errors=remount-ro", &image.to_string_lossy()];
        let is_mounted = run("mkfs.ext4", &["-q", "-F"], &image) && run("mount", &mount, &place);
        if is_mounted { Self::File(place) } else { Self::shared() }
    }

    #[expect(clippy::print_stderr, reason = "what is tried otherwise is told")]
    fn shared() -> Self {
        eprintln!(
            "no disk may be mounted here: a limit on the size of the server's files plays the full one"
        );
        Self::Shared
    }

    /// A server over the data.
    pub(super) async fn serve(&self, home: &Home) -> Server {
        let server = home.command(&["serve", "--listen", "127.0.0.1:0"]);
        // A write beyond the limit fails like one on a full disk, unless its signal ends the process first.
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(server.get_program());
        command.args(server.get_args()).current_dir(home.path()).stdin(Stdio::null()).envs([ALLOWED]);
        for (name, value) in server.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Server::spawn(command).await
    }

    /// Leaves no room for another byte.
    pub(super) fn fill(&self, server: &Server) {
        let Self::Memory(place) = self else { return limit(server, "0:unlimited") };
        let mut ballast = File::create(place.join("ballast")).expect("a file");
        // In small pieces at the end, so that nothing is left.
        for size in [1 << 20, 4096] {
            let piece = vec![0; size];
            let full = loop {
                if let Err(error) = ballast.write_all(&piece) {
                    break error;
                }
            };
            assert_eq!(full.kind(), ErrorKind::StorageFull);
        }
    }

    /// Makes room again.
    pub(super) fn free(&self, server: &Server) {
        let Self::Memory(place) = self else { return limit(server, "unlimited:unlimited") };
        fs::remove_file(place.join("ballast")).expect("the ballast");
    }

    /// Has the disk take nothing more, under a running server.
    pub(super) fn fail(&self, server: &Server) {
        match self {
            Self::File(place) => assert!(run("mount", &["-o", "remount,abort"], place), "it is ours"),
            Self::Memory(_) | Self::Shared => self.fill(server),
        }
    }

    /// Puts a disk that failed in order again, when nobody has files open on it any more.
    pub(super) fn repair(&self, home: &Home) {
        let Self::File(place) = self else { return };
        let image = home.path().join("image");
        assert!(run("umount", &[], place), "nobody uses it");
        // 1 says that it found errors and corrected them (fsck(8)).
        let check = Command::new("e2fsck").args(["-p", "-f"]).arg(&image).stdout(Stdio::null()).status();
        assert!(check.is_ok_and(|status| matches!(status.code(), Some(0 | 1))), "it can be put in order");
        assert!(run("mount", &["-o", "loop,errors=remount-ro", &image.to_string_lossy()], place));
    }

    /// Mounts it so that nothing can be written, or so that it can.
    pub(super) fn remount(&self, how: &str) -> bool {
        match self {
            Self::Memory(place) | Self::File(place) => {
                run("mount", &["-o", &format!("remount,{how}")], place)
            }
            Self::Shared => false,
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Self::Memory(place) | Self::File(place) = self {
            // Also where a server of a test that failed still has files open.
            run("umount", &["--lazy"], place);
        }
    }
}

/// The folder of the data.
fn place(home: &Home) -> PathBuf {
    let place = home.path().join("data");
    fs::create_dir_all(&place).expect("a folder");
    place
}

/// Limits the size of a running server's files (see setrlimit(2)): `SOFT:HARD` in bytes.
fn limit(server: &Server, sizes: &str) {
    let pid = format!("--pid={}", server.pid());
    let is_set = Command::new("prlimit").args([&pid, &format!("--fsize={sizes}")]).status();
    assert!(is_set.is_ok_and(|status| status.success()), "prlimit of util-linux sets a limit");
}

fn run(program: &str, args: &[&str], last: &Path) -> bool {
    let mut command = Command::new(program);
    command.args(args).arg(last).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
