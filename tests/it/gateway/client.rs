//! A SIM that speaks BPJS: it signs, sends and opens by itself and knows nothing of the bridge but its base URL.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jembatan::clock::Clock;
use jembatan::protocol::json::Limits;
use jembatan::protocol::seal;
use jembatan::protocol::sign::{Stamp, signature};
use jembatan::secret::{ConsId, SecretKey};
use serde_json::{Value, json};

use crate::bridge::{Bridge, FACILITY, PATIENCE, Setup};

/// Local credentials, as `client add --gateway --json` printed them.
#[derive(Debug, Clone)]
pub(crate) struct Local(pub(crate) Value);

/// An answer, opened.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) code: Value,
    pub(crate) message: String,
    /// Opened where it was sealed.
    pub(crate) response: Value,
    /// Whether it was sealed.
    pub(crate) sealed: bool,
    pub(crate) headers: BTreeMap<String, String>,
}

/// A bridge with a gateway client.
pub(crate) fn up() -> (Bridge, Local) {
    with(&Setup::default(), "5s")
}

/// A bridge set up so, whose gateway waits so long.
pub(crate) fn with(setup: &Setup, wait: &str) -> (Bridge, Local) {
    let mut bridge = Bridge::stopped(setup);
    bridge.env.push(("JEMBATAN__GATEWAY__WAIT".to_owned(), wait.to_owned()));
    bridge.start();
    let local = Local::added(&bridge, "sim-lama");
    (bridge, local)
}

impl Local {
    /// A new gateway client; a running daemon notices by itself.
    pub(crate) fn added(bridge: &Bridge, name: &str) -> Self {
        let out = bridge.cli(&["client", "add", name, "--facility", FACILITY, "--gateway", "--json"], "");
        Self(serde_json::from_str(&out).unwrap())
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.0[name].as_str().unwrap()
    }

    /// The five headers as a client makes them now.
    pub(crate) fn headers(&self) -> Vec<(String, String)> {
        self.headers_at(Stamp::at(Clock::system().now()))
    }

    pub(crate) fn headers_at(&self, stamp: Stamp) -> Vec<(String, String)> {
        let (cons, secret) = (ConsId::new(self.text("cons_id")), SecretKey::new(self.text("secret_key")));
        let login = format!("{}:{}:095", self.text("username"), self.text("password"));
        let own = |name: &str, value: String| (name.to_owned(), value);
        vec![
            own("X-cons-id", self.text("cons_id").to_owned()),
            own("X-timestamp", stamp.to_string()),
            own("X-signature", signature(&cons, &secret, stamp)),
            own("X-authorization", format!("Basic {}", STANDARD.encode(login))),
            own("user_key", self.text("user_key").to_owned()),
        ]
    }

    pub(crate) fn get(&self, bridge: &Bridge, path: &str) -> Told {
        self.call(bridge, "GET", path, None)
    }

    pub(crate) fn post(&self, bridge: &Bridge, path: &str, body: &Value) -> Told {
        self.call(bridge, "POST", path, Some(body))
    }

    pub(crate) fn call(&self, bridge: &Bridge, method: &str, path: &str, body: Option<&Value>) -> Told {
        let stamp = Stamp::at(Clock::system().now());
        let mut headers = self.headers_at(stamp);
        if body.is_some() {
            headers.push(("Content-Type".to_owned(), "text/plain".to_owned()));
        }
        let url = format!("/ws/{path}");
        self.read(stamp, bridge.send(method, &url, &headers, body.map(Value::to_string)))
    }

    /// Reads an answer to a request signed at `stamp`.
    pub(crate) fn read(&self, stamp: Stamp, (status, headers, text): (u16, BTreeMap<String, String>, String)) -> Told {
        if text.is_empty() {
            return Told { status, code: json!(status), message: text, response: Value::Null, sealed: false, headers };
        }
        let envelope: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {status} {text}"));
        let meta = envelope.get("metaData").unwrap_or_else(|| &envelope["metadata"]);
        assert!(meta.is_object(), "{text}");
        let (cons, secret) = (ConsId::new(self.text("cons_id")), SecretKey::new(self.text("secret_key")));
        // As clients do: what does not open came in the clear (V-Claim's delete of a SEP).
        let sealed = envelope["response"].as_str().filter(|sealed| !sealed.is_empty());
        let opened = sealed.and_then(|sealed| seal::open(&cons, &secret, stamp, sealed, &Limits::default()).ok());
        Told {
            status,
            code: meta["code"].clone(),
            message: meta["message"].as_str().unwrap().to_owned(),
            sealed: opened.is_some(),
            response: opened.unwrap_or_else(|| envelope["response"].clone()),
            headers,
        }
    }

    /// Repeats a call, as a SIM does, until it is answered with something else than a receipt.
    pub(crate) fn until_done(&self, bridge: &Bridge, method: &str, path: &str, body: Option<&Value>) -> Told {
        let began = Instant::now();
        loop {
            let told = self.call(bridge, method, path, body);
            if told.code != 202 && told.code != "202" {
                return told;
            }
            assert!(began.elapsed() < PATIENCE, "still a receipt: {told:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// What a list row or an object says under `field`.
pub(crate) fn id_of(told: &Told) -> String {
    let row = told.response.as_array().map_or(&told.response, |rows| &rows[0]);
    row["message"].as_str().unwrap_or_else(|| panic!("no id: {told:?}")).to_owned()
}
