//! The library of `tests/preload`, compiled once for this run, and its knobs for a daemon.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bridge::Bridge;

/// Compiles the library into `folder`; none where the machine has no C compiler.
pub(crate) fn library(folder: &Path) -> PathBuf {
    let library = folder.join("libdisk.so");
    if !library.exists() {
        let source = crate::harness::project("tests/preload/disk.c");
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-Wall", "-shared", "-fPIC", "-o"]).arg(&library).arg(source).args(["-ldl", "-pthread"]);
        let done = cc.status().expect("a C compiler: apt-get install gcc libc6-dev");
        assert!(done.success(), "tests/preload/disk.c does not compile");
    }
    library
}

/// The environment that puts the disk of this bridge behind the library.
pub(crate) fn disk(bridge: &Bridge, rules: &str) -> Vec<(String, String)> {
    let library = library(bridge.home());
    let own = |name: &str, value: String| (name.to_owned(), value);
    vec![
        own("LD_PRELOAD", library.display().to_string()),
        own("DISK_PATH", bridge.state().display().to_string()),
        own("DISK_RULES", rules.to_owned()),
        own("DISK_CONTROL", bridge.home().join("disk").display().to_string()),
        own("DISK_STATS", bridge.home().join("disk-stats").display().to_string()),
    ]
}

/// Changes the disk under a running daemon; empty: all is well again.
pub(crate) fn now(bridge: &Bridge, rules: &str) {
    let fresh = bridge.home().join("disk.new");
    fs::write(&fresh, rules).unwrap();
    fs::rename(fresh, bridge.home().join("disk")).unwrap();
}
