//! A PostgreSQL of one test's own, from Debian's package: it may be stopped, killed and cut off without harm to others.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Where Debian puts the programs, newest first; a machine may have links on its path.
fn program(name: &str) -> PathBuf {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|all| all.filter_map(|one| Some(one.ok()?.path().join("bin").join(name))).collect())
        .unwrap_or_default();
    versions.sort();
    let found = versions.into_iter().rev().find(|path| path.is_file());
    found.expect("PostgreSQL is not installed: apt-get install postgresql")
}

/// The server and its folder.
pub(crate) struct Server {
    folder: tempfile::TempDir,
    child: Option<Child>,
    settings: Vec<String>,
}

impl Server {
    /// A fresh cluster that runs.
    pub(crate) fn up(settings: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("pg").tempdir_in("/tmp").unwrap();
        let server = Self { folder, child: None, settings: settings.iter().map(|one| (*one).to_owned()).collect() };
        let path = server.folder.path().display().to_string();
        if is_root() {
            assert!(Command::new("chown").args(["postgres", &path]).status().unwrap().success());
        }
        let data = server.data();
        let made = server
            .as_owner(&program("initdb"))
            .args(["-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-sync", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success(), "initdb");
        let mut server = server;
        server.start();
        server
    }

    /// A second server that follows this one, and may take over.
    pub(crate) fn standby(&self) -> Self {
        let folder = tempfile::Builder::new().prefix("pg").tempdir_in("/tmp").unwrap();
        let mut standby = Self { folder, child: None, settings: self.settings.clone() };
        let path = standby.folder.path().display().to_string();
        if is_root() {
            assert!(Command::new("chown").args(["postgres", &path]).status().unwrap().success());
        }
        let mut copy = standby.as_owner(&program("pg_basebackup"));
        copy.arg("-h").arg(self.folder.path()).args(["-U", "postgres", "-R", "-X", "stream", "-c", "fast", "-N", "-D"]);
        assert!(copy.arg(standby.data()).status().unwrap().success(), "pg_basebackup");
        standby.start();
        standby
    }

    /// Makes a standby the one that is written to.
    pub(crate) fn promote(&self) {
        let mut command = self.as_owner(&program("pg_ctl"));
        command.arg("-D").arg(self.data()).args(["-w", "promote"]).stdout(Stdio::null());
        assert!(command.status().unwrap().success(), "pg_ctl promote");
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A program as whoever may own a cluster: never root.
    fn as_owner(&self, program: &Path) -> Command {
        let mut command = if is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.folder.path());
        command
    }

    pub(crate) fn start(&mut self) {
        assert!(self.child.is_none());
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let mut command = self.as_owner(&program("postgres"));
        command.arg("-D").arg(self.data()).arg("-k").arg(self.folder.path());
        command.args(["-c", "listen_addresses="]);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        self.child = Some(child);
        let began = Instant::now();
        while self.try_ask("postgres", "SELECT 1").is_none() {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(began.elapsed() < Duration::from_secs(60), "PostgreSQL did not start: {log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Stops it at once, as a crash does: connections break, nothing is written any more.
    pub(crate) fn crash(&mut self) {
        self.end("immediate");
    }

    fn end(&mut self, mode: &str) {
        let Some(mut child) = self.child.take() else { return };
        let mut command = self.as_owner(&program("pg_ctl"));
        command.arg("-D").arg(self.data()).args(["-m", mode, "-w", "stop"]);
        drop(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status());
        drop(child.kill());
        drop(child.wait());
    }

    /// Makes an empty database.
    pub(crate) fn create(&self, name: &str) {
        self.ask("postgres", &format!("CREATE DATABASE {name}"));
    }

    /// What the program is told; the socket's folder is the host.
    pub(crate) fn url(&self, database: &str) -> String {
        let folder = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{folder}/{database}")
    }

    /// The same with another server that is asked where this one cannot be written to.
    pub(crate) fn url_with(&self, other: &Self, database: &str) -> String {
        let folder = |server: &Self| server.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{},{}/{database}", folder(self), folder(other))
    }

    /// Asks a question over a connection of its own; one line a row, columns divided by `|`.
    pub(crate) fn ask(&self, database: &str, sql: &str) -> String {
        self.try_ask(database, sql).unwrap_or_else(|| panic!("psql failed: {sql}"))
    }

    /// The same, or nothing where there is no answer.
    pub(crate) fn try_ask(&self, database: &str, sql: &str) -> Option<String> {
        let output = Command::new(program("psql"))
            .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-h"])
            .arg(self.folder.path())
            .args(["-d", database, "-c", sql])
            .output()
            .unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
    }

    /// So many connections of others that do nothing for some seconds.
    pub(crate) fn crowd(&self, database: &str, count: usize, seconds: u32) -> Vec<Child> {
        let one = |_| {
            Command::new(program("psql"))
                .args(["-X", "-q", "-U", "postgres", "-h"])
                .arg(self.folder.path())
                .args(["-d", database, "-c", &format!("SELECT pg_sleep({seconds})")])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap()
        };
        (0..count).map(one).collect()
    }

    /// As [`Server::cut`], some seconds later, over a connection that is made now: later there may be none left.
    pub(crate) fn cut_later(&self, database: &str, which: &str, seconds: u32) -> Child {
        let sql = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{database}' \
             AND pid <> pg_backend_pid() AND {which}"
        );
        let child = Command::new(program("psql"))
            .args(["-X", "-q", "-U", "postgres", "-h"])
            .arg(self.folder.path())
            .args(["-d", database, "-c", &format!("SELECT pg_sleep({seconds})"), "-c", &sql])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = format!("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep({seconds})'");
        while self.ask("postgres", &begun) == "0" {
            std::thread::sleep(Duration::from_millis(10));
        }
        child
    }

    /// Ends every connection of a database but the asker's.
    pub(crate) fn cut(&self, database: &str, which: &str) -> usize {
        self.cut_from(database, database, which)
    }

    /// The same, asked over another database: this one may let nobody in.
    pub(crate) fn cut_from(&self, asked: &str, database: &str, which: &str) -> usize {
        let sql = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{database}' \
             AND pid <> pg_backend_pid() AND {which}"
        );
        self.ask(asked, &sql).parse().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end("immediate");
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
