//! A PostgreSQL of our own, from Debian's package, on a Unix socket in a temporary directory.
//!
//! Two kinds. [`database`] gives an empty database on a server that all test processes of one run share: the first starts
//! it, and it stops by itself when nobody has used it for a while. [`Server::start`] gives a server to oneself, for tests that kill it.
//! Without PostgreSQL these tests fail; they are never skipped.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// What every server runs with: nothing of a test's data has to survive the machine.
const SETTINGS: &[&str] = &[
    "listen_addresses=",
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=64MB",
    "max_connections=200",
    "jit=off",
    "max_wal_size=256MB",
    "log_min_messages=warning",
];
/// Starting may take so long on a busy machine.
const LONGEST: Duration = Duration::from_secs(60);

/// Stops the shared server once nobody has held `alive` at two looks; whoever starts it holds `start`.
const KEEPER: &str = r#"
"$@" & pid=$!
idle=0
while kill -0 $pid 2>/dev/null; do
  sleep 5
  if flock -n -x alive true; then idle=$((idle + 1)); else idle=0; fi
  if [ $idle -ge 2 ] && flock -n -x start flock -n -x alive kill -INT "$(head -n 1 data/postmaster.pid)"; then break; fi
done
wait $pid
"#;

fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
    found.extend(std::env::var_os("PATH").iter().flat_map(std::env::split_paths));
    found.retain(|folder| folder.join("postgres").exists() && folder.join("initdb").exists());
    found.into_iter().max().expect("PostgreSQL is not there: install Debian's package postgresql")
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").expect("who am I").uid() == 0
}

/// A command as a user under which PostgreSQL runs: it refuses root.
fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program);
    command
}

fn done(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn owned_folder(folder: &Path) {
    std::fs::create_dir_all(folder).expect("a folder");
    owned(folder);
}

fn owned(path: &Path) {
    if is_root() {
        done(Command::new("chown").arg("postgres:").arg(path));
    }
}

/// One place per checkout: its shared server and the cluster that all are copied from.
fn base() -> PathBuf {
    let mut hasher = DefaultHasher::new();
    env!("CARGO_MANIFEST_DIR").hash(&mut hasher);
    let owner = std::fs::metadata("/proc/self").expect("who am I").uid();
    std::env::temp_dir().join(format!("jembatan-pg-{owner}-{:08x}", hasher.finish() & 0xffff_ffff))
}

/// The empty cluster, made once. The caller holds `start`.
fn template(base: &Path) -> PathBuf {
    let (template, half) = (base.join("template"), base.join("template.half"));
    if !template.exists() {
        if half.exists() {
            std::fs::remove_dir_all(&half).expect("what was left half");
        }
        let mut initdb = as_postgres(&programs().join("initdb"));
        done(initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N", "-D"]).arg(&half));
        std::fs::rename(&half, &template).expect("the template");
    }
    template
}

fn start_lock(base: &Path) -> File {
    owned_folder(base);
    let lock = File::options().create(true).truncate(false).write(true).open(base.join("start")).expect("the lock");
    lock.lock().expect("the lock of starting");
    lock
}

fn answers(folder: &Path) -> bool {
    UnixStream::connect(folder.join(".s.PGSQL.5432")).is_ok()
}

fn wait_for(folder: &Path) {
    let began = Instant::now();
    while !answers(folder) {
        assert!(began.elapsed() < LONGEST, "PostgreSQL in {} does not start", folder.display());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn copied(template: &Path, data: &Path) {
    if data.exists() {
        std::fs::remove_dir_all(data).expect("an old cluster");
    }
    done(Command::new("cp").arg("-a").arg(template).arg(data));
}

fn postgres(folder: &Path) -> Vec<std::ffi::OsString> {
    let mut words: Vec<std::ffi::OsString> = Vec::new();
    if is_root() {
        words.extend(["runuser", "-u", "postgres", "--"].map(Into::into));
    }
    words.push(programs().join("postgres").into());
    words.extend(["-D".into(), folder.join("data").into(), "-k".into(), folder.into()]);
    words.extend(SETTINGS.iter().flat_map(|setting| ["-c".into(), (*setting).into()]));
    words
}

/// The shared server's folder; held for as long as this process lives.
fn shared() -> &'static Path {
    static SHARED: OnceLock<(PathBuf, File)> = OnceLock::new();
    let (folder, _alive) = SHARED.get_or_init(|| {
        let base = base();
        let start = start_lock(&base);
        let alive = File::options().create(true).truncate(false).write(true).open(base.join("alive")).expect("a file");
        alive.lock_shared().expect("the lock of those alive");
        if !answers(&base) {
            copied(&template(&base), &base.join("data"));
            let mut keeper = Command::new("setsid");
            keeper.args(["-f", "sh", "-c", KEEPER, "keeper"]).args(postgres(&base)).current_dir(&base);
            done(keeper.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()));
            wait_for(&base);
        }
        drop(start);
        (base, alive)
    });
    folder
}

fn url(folder: &Path, name: &str) -> String {
    let host = folder.display().to_string().replace('/', "%2F");
    format!("postgres://postgres@{host}/{name}")
}

/// Runs statements, one after the other, on a connection of their own.
pub fn run(url: &str, statements: &[&str]) {
    let (url, statements): (String, Vec<String>) =
        (url.to_owned(), statements.iter().map(|one| (*one).to_owned()).collect());
    let ran = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let began = Instant::now();
            let (client, connection) = loop {
                match tokio_postgres::connect(&url, tokio_postgres::NoTls).await {
                    Ok(connected) => break connected,
                    // It answers before it takes anybody in.
                    Err(error) => assert!(began.elapsed() < LONGEST, "{error}"),
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            };
            tokio::spawn(connection);
            for statement in statements {
                client.batch_execute(&statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
            }
        });
    });
    ran.join().expect("statements of a test");
}

/// A database of one test; gone after it.
#[derive(Debug)]
pub struct Database {
    folder: PathBuf,
    name: String,
}

impl Database {
    fn new(folder: &Path) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let admin = url(folder, "postgres");
        // One that a killed process of the same number left.
        run(&admin, &[&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"), &format!("CREATE DATABASE {name}")]);
        Self { folder: folder.to_owned(), name }
    }

    /// Where it is, as `store.url` names it.
    #[must_use]
    pub fn url(&self) -> String {
        url(&self.folder, &self.name)
    }

    /// Runs statements in it.
    pub fn run(&self, statements: &[&str]) {
        run(&self.url(), statements);
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if answers(&self.folder) {
            run(&url(&self.folder, "postgres"), &[&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)]);
        }
    }
}

/// An empty database on the shared server.
#[must_use]
pub fn database() -> Database {
    Database::new(shared())
}

/// A server to oneself.
#[derive(Debug)]
pub struct Server {
    folder: tempfile::TempDir,
    child: Option<Child>,
    settings: Vec<String>,
}

impl Server {
    /// Starts one with an empty cluster.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[], &[])
    }

    /// Starts one with files of its own in its cluster (`pg_hba.conf`, certificates …) and settings besides the usual.
    #[must_use]
    pub fn start_with(files: &[(&str, &str)], settings: &[&str]) -> Self {
        let base = base();
        let start = start_lock(&base);
        let folder = tempfile::Builder::new().prefix("jembatan-pg-").tempdir().expect("a folder");
        owned_folder(folder.path());
        copied(&template(&base), &folder.path().join("data"));
        drop(start);
        for (name, text) in files {
            let path = folder.path().join("data").join(name);
            std::fs::write(&path, text).expect("a file of the cluster");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("its mode");
            owned(&path);
        }
        let settings = settings.iter().map(|one| (*one).to_owned()).collect();
        let mut server = Self { folder, child: None, settings };
        server.again();
        server
    }

    /// Starts it again after [`Server::kill`] or [`Server::stop`].
    pub fn again(&mut self) {
        let words = postgres(self.folder.path());
        let (program, arguments) = words.split_first().expect("a program");
        let mut command = Command::new(program);
        command.args(arguments).args(self.settings.iter().flat_map(|setting| ["-c", setting]));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.spawn().expect("PostgreSQL"));
        wait_for(self.folder.path());
    }

    fn signal(&mut self, signal: &str) {
        let Some(mut child) = self.child.take() else { return };
        let pid = std::fs::read_to_string(self.folder.path().join("data/postmaster.pid")).unwrap_or_default();
        if let Some(pid) = pid.lines().next() {
            done(Command::new("kill").args([signal, pid]));
        }
        child.wait().expect("its end");
    }

    /// As a power cut does it: nothing is tidied up.
    pub fn kill(&mut self) {
        self.signal("-QUIT");
    }

    /// As an operator does it: connections are cut, then everything is written out.
    pub fn stop(&mut self) {
        self.signal("-INT");
    }

    /// Where a database of this name is, over its socket and as its superuser.
    #[must_use]
    pub fn url(&self, name: &str) -> String {
        url(self.folder.path(), name)
    }

    /// An empty database on it.
    #[must_use]
    pub fn database(&self) -> Database {
        Database::new(self.folder.path())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.signal("-QUIT");
    }
}
