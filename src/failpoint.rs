//! Named places at which a test may kill, stall or fail the process: at every durable step and in every loop.
//!
//! For tests only, never to be shipped: without the cargo feature `failpoints` (off by default) `failpoint!` expands to
//! nothing, not even the name is in the binary. With it the environment arms: `JEMBATAN_FAILPOINT=name:n:action`, several
//! separated by commas; `n` counts the passes of this process from 1, `*` means every one. Actions: `kill` (SIGKILL to
//! itself), `abort`, `panic`, `stall` (this task or thread never goes on), `error` (the step fails, where it can) and
//! `break` (for the control of the harness: the named rule is broken). `JEMBATAN_FAILPOINT_TRACE=file` appends a line a pass.
//! `JEMBATAN_POISON=marker:action` makes every entry whose name has the marker kill whoever works on it,
//! `JEMBATAN_POISON_CLAIM` whoever claims it, `JEMBATAN_POISON_DOOR` whoever reads it before it is accepted.
//! What it does not do: decide, or touch anything when nothing is armed.

/// A named place. `failpoint!("name")` in a thread or between two awaits, `failpoint!(await "name")` where a stall must
/// hold up one task alone, `failpoint!("name", statement)` where a step can be made to fail or be broken,
/// `failpoint!(during "name", future)` while a future is under way.
macro_rules! failpoint {
    (during $name:literal, $work:ident) => {
        #[cfg(feature = "failpoints")]
        let $work = crate::failpoint::meanwhile($name, $work);
    };
    (await $name:literal) => {
        #[cfg(feature = "failpoints")]
        crate::failpoint::reach($name).await;
    };
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        crate::failpoint::pass($name);
    };
    ($name:literal, $then:stmt) => {
        #[cfg(feature = "failpoints")]
        if crate::failpoint::is_broken($name) {
            $then
        }
    };
}

#[cfg(feature = "failpoints")]
pub use armed::{
    BREAKS, LOOPS, STEPS, is_broken, meanwhile, pass, poisoned, poisoned_at_claim, poisoned_at_the_door, reach,
};

#[cfg(feature = "failpoints")]
mod armed {
    use std::collections::HashMap;
    use std::fs::File;
    use std::future::Future;
    use std::io::Write as _;
    use std::sync::{LazyLock, Mutex, PoisonError};
    use std::time::Duration;

    /// Around every durable step. `written`: inside the transaction, before its commit.
    pub const STEPS: &[&str] = &[
        "open.created",
        "migrate.written",
        "migrate.applied",
        "start.beside",
        "start.named",
        "commit.before",
        "commit.after",
        "checkpoint.before",
        "checkpoint.after",
        "accept.written",
        "accept.committed",
        "accept.answer",
        "gateway.accepted",
        "gateway.answer",
        "claim.written",
        "claim.committed",
        "send.before",
        "send.waiting",
        "send.answered",
        "lookup.before",
        "lookup.answered",
        "record.written",
        "record.committed",
        "reclaim.written",
        "reclaim.committed",
        "distrust.paused",
        "distrust.written",
        "expire.written",
        "redate.written",
        "act.written",
        "retire.written",
        "audit.written",
        "days.written",
        "reconciliation.before",
        "reconciliation.written",
        "settle.written",
        "outage.written",
    ];

    /// At the head of every loop that must not stand still.
    pub const LOOPS: &[&str] = &[
        "loop.writer",
        "loop.api",
        "loop.push",
        "loop.leases",
        "loop.overdue",
        "loop.outages",
        "loop.schedule",
        "loop.housekeeping",
        "loop.prefetch",
    ];

    /// A rule that a control breaks, so that the harness shows that it would notice.
    pub const BREAKS: &[&str] = &["break.answer_before_commit"];

    /// Long enough that a request has left, short enough that a slow answer has not come.
    const LEFT: Duration = Duration::from_millis(30);

    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Action {
        Kill,
        Abort,
        Panic,
        Stall,
        Error,
        Break,
    }

    struct Armed {
        /// Pass and action by name; pass 0 is every one.
        points: HashMap<String, (u64, Action)>,
        passes: Mutex<HashMap<&'static str, u64>>,
        trace: Option<Mutex<File>>,
    }

    static ARMED: LazyLock<Armed> = LazyLock::new(|| {
        let spec = std::env::var("JEMBATAN_FAILPOINT").unwrap_or_default();
        let points = spec.split(',').filter(|one| !one.is_empty()).map(|one| {
            read(one).unwrap_or_else(|| {
                // A point that is misspelled would make a test pass for nothing.
                drop(writeln!(std::io::stderr(), "JEMBATAN_FAILPOINT: {one}: no such point or action"));
                std::process::exit(2)
            })
        });
        let file = std::env::var_os("JEMBATAN_FAILPOINT_TRACE");
        let file = file.and_then(|path| File::options().create(true).append(true).open(path).ok());
        Armed { points: points.collect(), passes: Mutex::default(), trace: file.map(Mutex::new) }
    });

    fn read(one: &str) -> Option<(String, (u64, Action))> {
        let mut parts = one.split(':');
        let (name, pass, action) = (parts.next()?, parts.next()?, parts.next()?);
        let known = STEPS.iter().chain(LOOPS).chain(BREAKS).any(|known| *known == name);
        let action = match action {
            "kill" => Action::Kill,
            "abort" => Action::Abort,
            "panic" => Action::Panic,
            "stall" => Action::Stall,
            "error" => Action::Error,
            "break" => Action::Break,
            _ => return None,
        };
        let pass = if pass == "*" { 0 } else { pass.parse().ok()? };
        (known && parts.next().is_none()).then(|| (name.to_owned(), (pass, action)))
    }

    /// Counts the pass; what is to be done at it, if anything.
    fn now(name: &'static str) -> Option<Action> {
        if ARMED.points.is_empty() && ARMED.trace.is_none() {
            return None;
        }
        if let Some(trace) = &ARMED.trace {
            let mut trace = trace.lock().unwrap_or_else(PoisonError::into_inner);
            drop(trace.write_all(format!("{name}\n").as_bytes()));
        }
        let mut passes = ARMED.passes.lock().unwrap_or_else(PoisonError::into_inner);
        let pass = passes.entry(name).or_insert(0);
        *pass += 1;
        let (at, action) = ARMED.points.get(name)?;
        (*at == 0 || *at == *pass).then_some(*action)
    }

    #[expect(clippy::panic, reason = "it is what the test ordered")]
    fn die(name: &str, action: Action) {
        match action {
            Action::Kill => {
                let own = rustix::process::getpid();
                // A signal to oneself arrives before the call returns; else nothing more is done here.
                rustix::process::kill_process(own, rustix::process::Signal::KILL).unwrap_or_default();
                rest();
            }
            Action::Abort => std::process::abort(),
            Action::Panic => panic!("failpoint {name}"),
            Action::Stall | Action::Error | Action::Break => {}
        }
    }

    fn rest() -> ! {
        loop {
            std::thread::park();
        }
    }

    /// Passes a point; a stall holds the thread.
    pub fn pass(name: &'static str) {
        match now(name) {
            None => {}
            Some(Action::Stall) => rest(),
            Some(action) => die(name, action),
        }
    }

    /// Passes a point; a stall holds this task alone.
    pub async fn reach(name: &'static str) {
        match now(name) {
            None => {}
            Some(Action::Stall) => std::future::pending().await,
            Some(action) => die(name, action),
        }
    }

    /// Whether the step is to fail, or the rule to be broken, at this pass.
    #[must_use]
    pub fn is_broken(name: &'static str) -> bool {
        match now(name) {
            None => false,
            Some(Action::Error | Action::Break) => true,
            Some(Action::Stall) => rest(),
            Some(action) => {
                die(name, action);
                false
            }
        }
    }

    /// A marker in the name of an entry, and what happens to whoever meets it.
    type Poison = LazyLock<Option<(String, Action)>>;

    fn poison_of(variable: &str) -> Option<(String, Action)> {
        let spec = std::env::var(variable).ok()?;
        let (marker, action) = spec.split_once(':')?;
        let action = match action {
            "abort" => Action::Abort,
            "panic" => Action::Panic,
            "kill" => Action::Kill,
            "hang" => Action::Stall,
            _ => std::process::exit(2),
        };
        Some((marker.to_owned(), action))
    }

    fn meet(poison: &Poison, name: &str) {
        if let Some((marker, action)) = &**poison
            && name.contains(marker)
        {
            // Not the task alone: whoever runs it stands still.
            if *action == Action::Stall {
                rest();
            }
            die(name, *action);
        }
    }

    /// An entry that kills whoever works on it: `JEMBATAN_POISON=marker:action` arms every entry whose name has the marker.
    pub fn poisoned(name: &str) {
        static POISON: Poison = LazyLock::new(|| poison_of("JEMBATAN_POISON"));
        meet(&POISON, name);
    }

    /// An entry that kills the claim that opens it, inside its transaction.
    pub fn poisoned_at_claim(name: &str) {
        static POISON: Poison = LazyLock::new(|| poison_of("JEMBATAN_POISON_CLAIM"));
        meet(&POISON, name);
    }

    /// An entry that kills the intake that checks it.
    pub fn poisoned_at_the_door(name: &str) {
        static POISON: Poison = LazyLock::new(|| poison_of("JEMBATAN_POISON_DOOR"));
        meet(&POISON, name);
    }

    /// Runs `work`; the point is passed once it has been under way for a moment without an end.
    pub async fn meanwhile<F: Future>(name: &'static str, work: F) -> F::Output {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = tokio::time::sleep(LEFT) => {}
        }
        reach(name).await;
        work.await
    }
}
