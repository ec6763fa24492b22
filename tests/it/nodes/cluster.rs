//! Several nodes of one bridge: one configuration, one vault, one BPJS, one PostgreSQL; each node a process of the built
//! binary with its own name and port.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use super::server::Server;
use crate::bridge::{Bridge, FACILITY, PATIENCE, Setup, is_final, shipped_day, yesterday};

/// The facilities of every cluster; the first is the simulator's own.
pub(crate) const FACILITIES: [&str; 4] = [FACILITY, "0114A027", "0114A028", "0114A029"];
/// The database's name.
pub(crate) const DATABASE: &str = "jembatan";
/// How long a silent node is waited for; the shortest that may be configured.
pub(crate) const TERM: &str = "3s";

/// Has the database write down every move of an entry, one row a move, in a table of the test's own. The moves of a
/// lane happen under its facility's lock, so their numbers are their order, whichever node makes them. The instants of
/// `attempt` say less: an attempt bears the one at which its node began to look for work, before the claim, and what
/// stood in its way may have ended in between.
const WRITE_MOVES: &str = "CREATE TABLE moved (n BIGSERIAL PRIMARY KEY, delivery BIGINT NOT NULL, \
    state TEXT NOT NULL, leased BOOLEAN NOT NULL); \
    CREATE INDEX moved_of ON moved (delivery, n); \
    CREATE FUNCTION note_move() RETURNS trigger LANGUAGE plpgsql AS \
    'BEGIN INSERT INTO moved (delivery, state, leased) VALUES (NEW.seq, NEW.state, NEW.lease_token IS NOT NULL); \
    RETURN NULL; END'; \
    CREATE TRIGGER note_move AFTER INSERT OR UPDATE ON delivery FOR EACH ROW EXECUTE FUNCTION note_move()";
/// Every claim to send (`own`), beside each other entry of its lane (`other`) and how that one stood then (`stood`).
const SENT_BESIDE: &str = "FROM moved AS claim JOIN delivery AS own ON own.seq = claim.delivery \
    JOIN delivery AS other ON other.lane = own.lane AND other.seq <> own.seq \
    CROSS JOIN LATERAL (SELECT known.state, known.leased FROM moved AS known \
    WHERE known.delivery = other.seq AND known.n < claim.n ORDER BY known.n DESC LIMIT 1) AS stood \
    WHERE claim.state = 'sending'";

/// One node.
pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) port: u16,
    child: Option<Child>,
    starts: u32,
    config: Option<PathBuf>,
    pub(crate) env: Vec<(String, String)>,
}

/// All of them. [`Cluster::bridge`] asks the node that was chosen last.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    pub(crate) bridge: Bridge,
    pub(crate) server: Server,
    /// Of the bridge's own daemon, on SQLite.
    port: u16,
}

impl Cluster {
    /// Nodes of these names, not started yet, on an empty database.
    pub(crate) fn stopped(names: &[&'static str], setup: &Setup, settings: &[&str]) -> Self {
        let server = Server::up(settings);
        server.create(DATABASE);
        let mut bridge = Bridge::stopped(setup);
        more_facilities(&mut bridge);
        let node = |name: &&'static str| Node {
            name,
            port: crate::bridge::own_port(),
            child: None,
            starts: 0,
            config: None,
            env: vec![
                ("JEMBATAN__STORE__URL".to_owned(), server.url(DATABASE)),
                ("JEMBATAN__NODE__NAME".to_owned(), (*name).to_owned()),
                ("JEMBATAN__NODE__TERM".to_owned(), TERM.to_owned()),
            ],
        };
        let nodes = names.iter().map(node).collect();
        let port = bridge.port;
        Self { nodes, bridge, server, port }
    }

    /// Nodes that run, and have shared the facilities out.
    pub(crate) fn up(names: &[&'static str], setup: &Setup) -> Self {
        let mut cluster = Self::stopped(names, setup, &[]);
        for n in 0..names.len() {
            cluster.start(n);
        }
        cluster.settled();
        cluster
    }

    /// A node that reaches BPJS over another address.
    pub(crate) fn detour(&mut self, n: usize, over: SocketAddr) {
        let text = std::fs::read_to_string(self.bridge.config()).unwrap();
        let text = text.replace(&self.bridge.simulator_at.to_string(), &over.to_string());
        let path = self.bridge.home().join(format!("{}.toml", self.nodes[n].name));
        std::fs::write(&path, text).unwrap();
        self.nodes[n].config = Some(path);
    }

    /// Starts a node without waiting for it.
    pub(crate) fn spawn(&mut self, n: usize) {
        let home = self.bridge.home().to_owned();
        let (config, seen) = (self.bridge.config(), self.bridge.env.clone());
        let node = &mut self.nodes[n];
        let config = node.config.clone().unwrap_or(config);
        assert!(node.child.is_none(), "already started");
        node.starts += 1;
        let log = |kind: &str| File::create(home.join(format!("node-{}-{}.{kind}", node.name, node.starts))).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_jembatan"));
        command.arg("serve").arg("--config").arg(config).env("JEMBATAN_LOG", "info");
        command.env("JEMBATAN__HTTP__LISTEN", format!("127.0.0.1:{}", node.port));
        command.envs(seen).envs(node.env.iter().cloned());
        command.stdin(Stdio::null()).stdout(log("out")).stderr(log("err"));
        node.child = Some(command.spawn().unwrap());
    }

    /// Starts a node and waits until its API answers.
    pub(crate) fn start(&mut self, n: usize) {
        self.spawn(n);
        self.awake(n);
    }

    pub(crate) fn awake(&mut self, n: usize) {
        self.on(n);
        let bridge = &self.bridge;
        let answers = || bridge.raw("GET", "/health/live", "", None).is_some_and(|answer| answer.status == 200);
        self.until(&format!("node {} answers", self.nodes[n].name), || answers().then_some(()));
    }

    /// From now on the bridge's own daemon is asked: it is alone, on SQLite.
    pub(crate) fn alone(&mut self) -> &mut Bridge {
        self.bridge.port = self.port;
        &mut self.bridge
    }

    /// From now on this node is asked.
    pub(crate) fn on(&mut self, n: usize) -> &Bridge {
        self.bridge.port = self.nodes[n].port;
        &self.bridge
    }

    fn signal(&self, n: usize, signal: rustix::process::Signal) {
        let child = self.nodes[n].child.as_ref().expect("a node that runs");
        rustix::process::kill_process(rustix::process::Pid::from_child(child), signal).unwrap();
    }

    /// SIGSTOP: it stands still and does not know.
    pub(crate) fn freeze(&self, n: usize) {
        self.signal(n, rustix::process::Signal::STOP);
    }

    /// SIGCONT.
    pub(crate) fn thaw(&self, n: usize) {
        self.signal(n, rustix::process::Signal::CONT);
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self, n: usize) {
        if let Some(mut child) = self.nodes[n].child.take() {
            drop(child.kill());
            child.wait().unwrap();
        }
    }

    /// SIGTERM; it must end well.
    pub(crate) fn terminate(&mut self, n: usize) {
        self.signal(n, rustix::process::Signal::TERM);
        let mut child = self.nodes[n].child.take().unwrap();
        assert!(child.wait().unwrap().success());
    }

    /// Whether the process has ended by itself.
    pub(crate) fn has_ended(&mut self, n: usize) -> bool {
        self.nodes[n].child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some())
    }

    /// Everything a node said.
    pub(crate) fn logs(&self, n: usize) -> String {
        let node = &self.nodes[n];
        let file = |start: u32| self.bridge.home().join(format!("node-{}-{start}.err", node.name));
        (1..=node.starts).map(|start| std::fs::read_to_string(file(start)).unwrap_or_default()).collect()
    }

    /// Waits until `look` says so; says what the nodes said where it does not.
    pub(crate) fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let began = std::time::Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            if began.elapsed() > PATIENCE * 2 {
                let tail = |n: usize| {
                    let logs = self.logs(n);
                    let lines: Vec<&str> = logs.lines().collect();
                    lines[lines.len().saturating_sub(25)..].join("\n")
                };
                let all: Vec<String> = (0..self.nodes.len()).map(|n| format!("{}:\n{}", n, tail(n))).collect();
                panic!("never: {what}\n{}", all.join("\n"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Who owns what, as the database has it: facility and node, in order.
    pub(crate) fn owners(&self) -> Vec<(String, String)> {
        let rows = self.server.ask(
            DATABASE,
            "SELECT facility, coalesce(node, '') FROM facility_owner WHERE until_at > \
             extract(epoch FROM clock_timestamp()) * 1000 AND leaving = 0 ORDER BY facility",
        );
        let pair = |line: &str| line.split_once('|').map(|(facility, node)| (facility.to_owned(), node.to_owned()));
        rows.lines().filter_map(pair).collect()
    }

    /// How many facilities a node owns.
    pub(crate) fn owned(&self, n: usize) -> usize {
        self.owners().iter().filter(|(_, node)| *node == self.nodes[n].name).count()
    }

    /// Waits until every facility has an owner that runs, evenly.
    pub(crate) fn settled(&self) {
        let running: Vec<usize> = (0..self.nodes.len()).filter(|n| self.nodes[*n].child.is_some()).collect();
        let (least, most) = (FACILITIES.len() / running.len(), FACILITIES.len().div_ceil(running.len()));
        self.until("the facilities are shared out", || {
            let counts: Vec<usize> = running.iter().map(|n| self.owned(*n)).collect();
            let even = counts.iter().all(|count| (least..=most).contains(count));
            (even && counts.iter().sum::<usize>() == FACILITIES.len()).then_some(())
        });
    }

    /// Hands parts of a day in, each at the next of these nodes; what is not accepted is handed in again.
    pub(crate) fn hand_in(&mut self, day: &[Value], nodes: &[usize]) {
        for (n, part) in day.chunks(10).enumerate() {
            let mut left: Vec<Value> = part.to_vec();
            for round in 0..200 {
                let at = nodes[(n + round) % nodes.len()];
                let answers = self.on(at).submit_all(&left, 4);
                let accepted = |answer: &Option<crate::bridge::Answer>| {
                    answer.as_ref().is_some_and(|answer| {
                        assert!(matches!(answer.status, 200 | 202 | 503), "{answer:?}");
                        answer.status < 300
                    })
                };
                left = left
                    .into_iter()
                    .zip(&answers)
                    .filter(|(_, answer)| !accepted(answer))
                    .map(|(body, _)| body)
                    .collect();
                if left.is_empty() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(100));
            }
            assert!(left.is_empty(), "nobody accepted");
        }
    }

    /// Waits until everything is final, as this node sees it.
    pub(crate) fn all_final(&mut self, n: usize, count: usize) -> Vec<Value> {
        self.on(n);
        let bridge = &self.bridge;
        self.until("every entry is final", || {
            let all = bridge.deliveries();
            (all.len() >= count && all.iter().all(is_final)).then_some(all)
        })
    }

    /// Nodes that sent something, by the attempts' record.
    pub(crate) fn senders(&self) -> Vec<String> {
        let rows = self.server.ask(DATABASE, "SELECT DISTINCT node FROM attempt WHERE purpose = 'send' ORDER BY 1");
        rows.lines().map(str::to_owned).collect()
    }

    /// From now on every move of an entry is written down, for [`Cluster::in_turn`].
    pub(crate) fn write_moves(&self) {
        self.server.ask(DATABASE, WRITE_MOVES);
    }

    /// The order of a patient (docs/queue.md), over all nodes: whenever an entry was claimed to be sent, everything of
    /// its lane whose turn comes before was over, and nothing else of its lane was under way. For a day in which no
    /// person sets going again what had stopped.
    pub(crate) fn in_turn(&self) {
        let passed = format!(
            "SELECT own.facility, own.operation, own.seq, other.operation, other.seq, stood.state {SENT_BESIDE} \
             AND (stood.state IN ('sending', 'unanswered') OR stood.leased \
             OR (stood.state = 'waiting' AND (other.turn, other.seq) < (own.turn, own.seq)))"
        );
        assert_eq!(self.server.ask(DATABASE, &passed), "", "sent before its turn: what was sent, and what it passed");
        // The same question about those behind has answers: of several entries of one lane that were handed in
        // together, the first was sent while the others waited.
        let count = |sql: &str| self.server.ask(DATABASE, sql).parse::<u64>().unwrap();
        let several = count(
            "SELECT count(DISTINCT lane) FROM (SELECT lane FROM delivery GROUP BY lane, submission \
             HAVING count(*) > 1) AS several",
        );
        let waited = count(&format!(
            "SELECT count(DISTINCT own.lane) {SENT_BESIDE} AND stood.state = 'waiting' \
             AND (other.turn, other.seq) > (own.turn, own.seq)"
        ));
        assert!(several > 0 && waited >= several, "{waited} lanes in which one waited for another, of {several}");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for n in 0..self.nodes.len() {
            self.kill(n);
        }
    }
}

/// The other facilities, with the same credentials at the same BPJS, and a SIM that speaks for all.
fn more_facilities(bridge: &mut Bridge) {
    let mut text = std::fs::read_to_string(bridge.config()).unwrap();
    for code in &FACILITIES[1..] {
        text += &format!(
            "[[facility]]\ncode = \"{code}\"\nname = \"PKM {code}\"\ntimezone = \"Asia/Makassar\"\n[facility.pcare]\n\
             base_url = \"http://{}/pcare-rest\"\n",
            bridge.simulator_at
        );
    }
    std::fs::write(bridge.config(), text).unwrap();
    let theirs = bridge.simulator.credentials();
    let values = [
        ("cons_id", theirs.cons_id.expose()),
        ("secret_key", theirs.secret_key.expose()),
        ("pcare.user_key", theirs.pcare.expose()),
        ("pcare.username", theirs.username.expose()),
        ("pcare.password", theirs.password.expose()),
    ];
    for code in &FACILITIES[1..] {
        for (name, value) in values {
            bridge.cli(&["vault", "put", "--facility", code, name], &format!("{value}\n"));
        }
    }
    let mut arguments = vec!["client", "add", "sim-semua", "--json"];
    arguments.extend(FACILITIES.iter().flat_map(|code| ["--facility", code]));
    let grant: Value = serde_json::from_str(&bridge.cli(&arguments, "")).unwrap();
    bridge.sim = grant["token"].as_str().unwrap().to_owned();
}

/// The shipped day, its patients spread over the facilities. `step` thins it out.
pub(crate) fn spread_day(step: usize) -> Vec<Value> {
    let card = |body: &Value| {
        let entries = body["entries"].as_array().cloned().unwrap_or_default();
        entries.iter().find_map(|entry| entry["payload"]["noKartu"].as_str().map(str::to_owned))
    };
    let mut day: Vec<Value> = shipped_day(yesterday()).into_iter().step_by(step).collect();
    for body in &mut day {
        let digits: usize = card(body).map_or(0, |card| card.bytes().map(usize::from).sum());
        body["facility"] = json!(FACILITIES[digits % FACILITIES.len()]);
    }
    day
}

/// The same, with every visit at the simulator's own facility: BPJS names the facility in what a look-up of a visit finds,
/// and the simulator is one facility's. For tests in which answers are lost.
pub(crate) fn spread_day_in_doubt(step: usize) -> Vec<Value> {
    let mut day = spread_day(step);
    for body in &mut day {
        let entries = body["entries"].as_array().cloned().unwrap_or_default();
        if entries.iter().any(|entry| entry["operation"] == "pcare.kunjungan.add") {
            body["facility"] = json!(FACILITY);
        }
    }
    day
}

/// Entries of these submissions.
pub(crate) fn entries(day: &[Value]) -> usize {
    day.iter().filter_map(|one| one["entries"].as_array().map(Vec::len)).sum()
}
