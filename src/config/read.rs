//! From file and environment to [`Config`], collecting every mistake on the way.
//!
//! Job: merge the sources with the `config` crate, walk the result section by section, fall back to the default where a
//! value is wrong so that the walk can go on, and report whatever was wrong or left over. Invariants: a key that no section
//! asked for is a mistake; a value is echoed only if it is known not to be a secret. Neighbours: `value` parses, `error`
//! words it. What it does not do: hold defaults (`Default` of each section).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use config::{Environment, File, FileFormat, Source, Value, ValueKind};
use toml::de::{DeTable, DeValue};

use super::error::{ConfigErrors, Fault, Place, Problem};
use super::{
    AntreanInboundConfig, CatalogueConfig, Config, ContractConfig, EmptyStatus, Facility, GatewayConfig, HttpConfig,
    HttpLimits, KeepConfig, NodeConfig, PCARE_APP_CODE, Party, ReconcileConfig, RemoteConfig, RetentionConfig,
    ServiceConfig, StatusForm, StoreConfig, TlsConfig, UnknownPatient, VaultConfig, value,
};
use crate::secret::Private;

/// The contract profiles inside the binary (`contract::SHIPPED`; a test there holds the two together).
const SHIPPED_PROFILES: &[&str] = &["bontang-2024.toml", "empat-lawang-2020.toml", "pekalongan-2021.toml"];

/// See [`Config::load`].
pub(super) fn load(
    path: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigErrors> {
    let failed = |problems| ConfigErrors { path: path.to_owned(), problems };
    let text = std::fs::read_to_string(path).map_err(|error| failed(vec![whole(Fault::Unreadable(error.kind()))]))?;
    let (mut config, mut reader) = parse(&text, environment).map_err(|problem| failed(vec![problem]))?;
    config.resolve(path.parent().unwrap_or(Path::new("")));
    reader.check_files(&config);
    if reader.problems.is_empty() { Ok(config) } else { Err(failed(reader.problems)) }
}

const fn whole(fault: Fault) -> Problem {
    Problem { key: String::new(), value: None, place: Place::Nowhere, fault }
}

/// Everything but the file system. `Err` only if there is nothing to walk.
pub(super) fn parse(
    text: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<(Config, Reader), Problem> {
    let lines = lines(text)?;
    let environment = environment.into_iter().filter(|(name, _)| name.starts_with("JEMBATAN__")).collect();
    let merged = config::Config::builder()
        .add_source(File::from_str(text, FileFormat::Toml))
        .add_source(
            Environment::with_prefix("JEMBATAN").prefix_separator("__").separator("__").source(Some(environment)),
        )
        .build()
        .and_then(|merged| merged.collect())
        .map_err(|error| whole(Fault::Syntax(error.to_string())))?;
    let mut reader = Reader { lines, problems: Vec::new(), known: BTreeSet::new() };
    let mut root = Table { path: String::new(), place: Place::Nowhere, values: merged.into_iter().collect() };
    let config = reader.config(&mut root);
    Ok((config, reader))
}

/// The line of every key in the file.
fn lines(text: &str) -> Result<BTreeMap<String, usize>, Problem> {
    let line = |offset: usize| text.get(..offset).unwrap_or(text).matches('\n').count() + 1;
    let table = DeTable::parse(text).map_err(|error| Problem {
        place: error.span().map_or(Place::Nowhere, |span| Place::Line(line(span.start))),
        ..whole(Fault::Syntax(error.message().to_owned()))
    })?;
    let mut found = BTreeMap::new();
    collect_lines("", table.get_ref(), &line, &mut found);
    Ok(found)
}

fn collect_lines(path: &str, table: &DeTable<'_>, line: &impl Fn(usize) -> usize, found: &mut BTreeMap<String, usize>) {
    for (key, value) in table {
        let path = join(path, key.get_ref());
        found.insert(path.clone(), line(key.span().start));
        match value.get_ref() {
            DeValue::Table(inner) => collect_lines(&path, inner, line, found),
            DeValue::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let path = format!("{path}[{index}]");
                    found.insert(path.clone(), line(item.span().start));
                    if let DeValue::Table(inner) = item.get_ref() {
                        collect_lines(&path, inner, line, found);
                    }
                }
            }
            _scalar => {}
        }
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// One table that is being emptied key by key.
struct Table {
    path: String,
    place: Place,
    values: BTreeMap<String, Value>,
}

/// The walk: what was wrong, and which keys were asked for.
pub(super) struct Reader {
    lines: BTreeMap<String, usize>,
    pub(super) problems: Vec<Problem>,
    pub(super) known: BTreeSet<String>,
}

/// Whether a wrong value may be repeated in the message.
#[derive(Clone, Copy)]
enum Echo {
    Show,
    Hide,
}

impl Reader {
    fn config(&mut self, root: &mut Table) -> Config {
        let remote = self.section(root, "remote", Self::remote);
        let allow_local = remote.allow_local;
        let config = Config {
            http: self.section(root, "http", Self::http),
            store: self.section(root, "store", Self::store),
            vault: self.section(root, "vault", Self::vault),
            contract: self.section(root, "contract", Self::contract),
            remote,
            gateway: self.section(root, "gateway", Self::gateway),
            keep: self.section(root, "keep", Self::keep),
            catalogue: self.section(root, "catalogue", Self::catalogue),
            antrean_inbound: self.section(root, "antrean_inbound", Self::antrean_inbound),
            reconcile: self.section(root, "reconcile", Self::reconcile),
            node: self.section(root, "node", Self::node),
            retention: self.section(root, "retention", Self::retention),
            facilities: self.facilities(root, allow_local),
        };
        self.finish(root, "");
        config
    }

    fn http(&mut self, table: &mut Table) -> HttpConfig {
        let default = HttpConfig::default();
        let listen = self.read(table, "listen", value::listen, default.listen);
        let hosts = self.read(table, "hosts", value::names, default.hosts);
        let tls = table.values.contains_key("tls").then(|| self.section(table, "tls", Self::tls));
        self.known.insert("http.tls".to_owned());
        if tls.is_none() && !listen.ip().is_loopback() {
            self.report("http.listen", Some(format!("\"{listen}\"")), Fault::ListenNeedsTls);
        }
        HttpConfig { listen, hosts, tls, limits: self.limits_of(table, &default.limits) }
    }

    fn tls(&mut self, table: &mut Table) -> TlsConfig {
        TlsConfig {
            certificate: self.require(table, "certificate", value::path).unwrap_or_default(),
            key: self.require(table, "key", value::path).unwrap_or_default(),
        }
    }

    fn limits(&mut self, table: &mut Table, default: &HttpLimits) -> HttpLimits {
        HttpLimits {
            body: self.read(table, "body", value::size, default.body),
            connections: self.count(table, "connections", 1, 65_536, default.connections),
            connections_per_peer: self.count(table, "connections_per_peer", 1, 65_536, default.connections_per_peer),
            header_timeout: self.read(table, "header_timeout", value::timeout, default.header_timeout),
            read_timeout: self.read(table, "read_timeout", value::timeout, default.read_timeout),
        }
    }

    fn limits_of(&mut self, table: &mut Table, default: &HttpLimits) -> HttpLimits {
        self.section(table, "limits", |reader, table| reader.limits(table, default))
    }

    fn antrean_inbound(&mut self, table: &mut Table) -> AntreanInboundConfig {
        let default = AntreanInboundConfig::default();
        let listen = self.read(table, "listen", |given| value::listen(given).map(Some), default.listen);
        let tls = table.values.contains_key("tls").then(|| self.section(table, "tls", Self::tls));
        self.known.insert("antrean_inbound.tls".to_owned());
        if let Some(listen) = listen
            && tls.is_none()
            && !listen.ip().is_loopback()
        {
            self.report("antrean_inbound.listen", Some(format!("\"{listen}\"")), Fault::InboundNeedsTls);
        }
        AntreanInboundConfig {
            listen,
            tls,
            base_path: self.read(table, "base_path", value::base_path, default.base_path),
            limits: self.limits_of(table, &default.limits),
            token_lifetime: self.read(table, "token_lifetime", value::token_lifetime, default.token_lifetime),
            rate_per_second: self.read(table, "rate_per_second", value::rate, default.rate_per_second),
            failed_logins_per_minute: self.read(
                table,
                "failed_logins_per_minute",
                |given| value::number(given, 1, 10_000).map(|count| u32::try_from(count).unwrap_or(u32::MAX)),
                default.failed_logins_per_minute,
            ),
            status_form: self.read(
                table,
                "status_form",
                value::word(StatusForm::of_word, "v1, v2"),
                default.status_form,
            ),
            empty_status: self.read(
                table,
                "empty_status",
                value::word(EmptyStatus::of_word, "zeros, 200, 201"),
                default.empty_status,
            ),
            unknown_patient: self.read(
                table,
                "unknown_patient",
                value::word(UnknownPatient::of_word, "new, refuse, accept"),
                default.unknown_patient,
            ),
        }
    }

    fn store(&mut self, table: &mut Table) -> StoreConfig {
        let default = StoreConfig::default();
        StoreConfig {
            // It may carry the password of the database.
            url: self.value(table, "url", Echo::Hide, value::store_url).unwrap_or(default.url),
            // Somebody may have written the password itself here.
            password: self.value(table, "password", Echo::Hide, value::password_source),
            min_free: self.read(table, "min_free", value::size, default.min_free),
        }
    }

    fn node(&mut self, table: &mut Table) -> NodeConfig {
        let default = NodeConfig::default();
        NodeConfig {
            name: self.read(table, "name", |given| value::node_name(given).map(Some), default.name),
            term: self.read(table, "term", value::node_term, default.term),
        }
    }

    fn vault(&mut self, table: &mut Table) -> VaultConfig {
        let default = VaultConfig::default();
        VaultConfig {
            path: self.read(table, "path", value::path, default.path),
            // Somebody may have written the key itself here.
            key: self.value(table, "key", Echo::Hide, value::key_source).unwrap_or(default.key),
        }
    }

    fn contract(&mut self, table: &mut Table) -> ContractConfig {
        let default = ContractConfig::default();
        ContractConfig {
            profile: self.read(table, "profile", value::path, default.profile),
            next: self.read(table, "next", |given| value::path(given).map(Some), default.next),
            bpjs: self.section(table, "bpjs", |reader, table| reader.party(table, false)),
            dinkes: self.section(table, "dinkes", |reader, table| reader.party(table, false)),
        }
    }

    /// What concerns a person is not repeated in a message.
    fn party(&mut self, table: &mut Table, treasurer: bool) -> Party {
        let mut person = |key| self.value(table, key, Echo::Hide, value::line).map(Private::new);
        let (head, head_number) = (person("head"), person("head_number"));
        let (pic, pic_phone) = (person("pic"), person("pic_phone"));
        let [treasurer, treasurer_number] =
            ["treasurer", "treasurer_number"].map(|key| if treasurer { person(key) } else { None });
        let mut words = |key| self.value(table, key, Echo::Show, value::line);
        Party {
            name: words("name"),
            address: words("address"),
            head,
            head_position: words("head_position"),
            head_number,
            pic,
            pic_position: words("pic_position"),
            pic_phone,
            treasurer,
            treasurer_number,
        }
    }

    fn catalogue(&mut self, table: &mut Table) -> CatalogueConfig {
        CatalogueConfig { dir: self.read(table, "dir", |given| value::path(given).map(Some), None) }
    }

    fn remote(&mut self, table: &mut Table) -> RemoteConfig {
        let default = RemoteConfig::default();
        RemoteConfig {
            allow_local: self.read(table, "allow_local", value::boolean, default.allow_local),
            settle: self.read(table, "settle", |given| value::timeout(given).map(Some), default.settle),
            concurrency: self.count(table, "concurrency", 1, 64, default.concurrency),
            rate_per_second: self.read(table, "rate_per_second", value::rate, default.rate_per_second),
            connect_timeout: self.read(table, "connect_timeout", value::timeout, default.connect_timeout),
            request_timeout: self.read(table, "request_timeout", value::timeout, default.request_timeout),
            circuit_retry_max: self.read(table, "circuit_retry_max", value::timeout, default.circuit_retry_max),
            timezone: self.read(table, "timezone", value::time_zone, default.timezone),
            probe_interval: self.read(table, "probe_interval", value::timeout, default.probe_interval),
        }
    }

    fn gateway(&mut self, table: &mut Table) -> GatewayConfig {
        let default = GatewayConfig::default();
        GatewayConfig {
            enabled: self.read(table, "enabled", value::boolean, default.enabled),
            wait: self.read(table, "wait", value::duration, default.wait),
            repeat_window: self.read(table, "repeat_window", value::duration, default.repeat_window),
            timestamp_window: self.read(table, "timestamp_window", value::timeout, default.timestamp_window),
        }
    }

    fn keep(&mut self, table: &mut Table) -> KeepConfig {
        let default = KeepConfig::default();
        let days = |given: &Value| value::number(given, 1, 9131).map(|days| u32::try_from(days).unwrap_or(u32::MAX));
        let many = |given: &Value| value::number(given, 0, 100_000_000);
        KeepConfig {
            enabled: self.read(table, "enabled", value::boolean, default.enabled),
            refresh: self.read(table, "refresh", value::duration, default.refresh),
            pause: self.read(table, "pause", value::duration, default.pause),
            keywords: self.read(table, "keywords", value::names, default.keywords),
            reference_days: self.read(table, "reference_days", days, default.reference_days),
            eligibility_days: self.read(table, "eligibility_days", days, default.eligibility_days),
            max_rows: self.read(table, "max_rows", many, default.max_rows),
            max_members: self.read(table, "max_members", many, default.max_members),
            max_bytes: self.read(table, "max_bytes", value::size, default.max_bytes),
        }
    }

    fn reconcile(&mut self, table: &mut Table) -> ReconcileConfig {
        let default = ReconcileConfig::default();
        ReconcileConfig {
            daily: self.read(table, "daily", value::time_of_day, default.daily),
            after_outage: self.read(table, "after_outage", value::boolean, default.after_outage),
        }
    }

    fn retention(&mut self, table: &mut Table) -> RetentionConfig {
        let default = RetentionConfig::default();
        let small = |given: &Value, most: u64| {
            value::number(given, 1, most).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
        };
        RetentionConfig {
            payload_days: self.read(table, "payload_days", |given| small(given, 9131), default.payload_days),
        }
    }

    fn facilities(&mut self, root: &mut Table, allow_local: bool) -> Vec<Facility> {
        self.known.insert("facility".to_owned());
        let Some(given) = root.values.remove("facility") else { return Vec::new() };
        let place = self.place("facility", &given);
        let ValueKind::Array(items) = given.kind else {
            self.problems.push(Problem { key: "facility".into(), value: None, place, fault: Fault::Tables });
            return Vec::new();
        };
        let mut facilities: Vec<Facility> = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let path = format!("facility[{index}]");
            let Some(mut table) = self.open(path.clone(), item) else { continue };
            let Some(facility) = self.facility(&mut table, allow_local) else { continue };
            if facilities.iter().any(|other| other.code == facility.code) {
                let code = format!("\"{}\"", facility.code);
                self.report(&format!("{path}.code"), Some(code), Fault::FacilityTwice);
            }
            facilities.push(facility);
        }
        facilities
    }

    fn facility(&mut self, table: &mut Table, allow_local: bool) -> Option<Facility> {
        let code = self.require(table, "code", value::facility_code);
        let name = self.value(table, "name", Echo::Show, value::text);
        let timezone = self.require(table, "timezone", value::time_zone);
        let [pcare, vclaim, antrean_fktp, icare] =
            ["pcare", "vclaim", "antrean_fktp", "icare"].map(|key| self.service(table, key, allow_local));
        let party = self.section(table, "party", |reader, table| reader.party(table, true));
        let path = table.path.clone();
        self.finish(table, &path);
        let (code, timezone) = (code?, timezone?);
        Some(Facility {
            name: name.unwrap_or_else(|| code.clone()),
            code,
            timezone,
            party,
            pcare,
            vclaim,
            antrean_fktp,
            icare,
        })
    }

    fn service(&mut self, facility: &mut Table, key: &str, allow_local: bool) -> Option<ServiceConfig> {
        let path = join(&facility.path, key);
        self.known.insert(path.clone());
        let given = facility.values.remove(key)?;
        let mut table = self.open(path.clone(), given)?;
        // A URL with a password or a key in it is refused and must not be repeated.
        let secret = table.values.get("base_url").is_some_and(|url| url.to_string().contains(['@', '?', '#']));
        let echo = if secret { Echo::Hide } else { Echo::Show };
        self.demand(&table, "base_url");
        let base_url = self.value(&mut table, "base_url", echo, |given| value::base_url(given, allow_local));
        let app_code =
            (key == "pcare").then(|| self.read(&mut table, "app_code", value::app_code, PCARE_APP_CODE.to_owned()));
        self.finish(&mut table, &path);
        Some(ServiceConfig { base_url: base_url?, app_code })
    }

    /// Reads one section; an absent one is all defaults.
    fn section<T>(&mut self, parent: &mut Table, key: &str, read: impl FnOnce(&mut Self, &mut Table) -> T) -> T {
        let path = join(&parent.path, key);
        self.known.insert(path.clone());
        let empty = || Table { path: path.clone(), place: Place::Nowhere, values: BTreeMap::new() };
        let mut table = match parent.values.remove(key) {
            Some(given) => self.open(path.clone(), given).unwrap_or_else(empty),
            None => empty(),
        };
        let section = read(self, &mut table);
        self.finish(&mut table, &path);
        section
    }

    fn open(&mut self, path: String, given: Value) -> Option<Table> {
        let place = self.place(&path, &given);
        match given.kind {
            ValueKind::Table(values) => Some(Table { path, place, values: values.into_iter().collect() }),
            _no_table => {
                self.problems.push(Problem { key: path, value: None, place, fault: Fault::Table });
                None
            }
        }
    }

    /// Reports what nobody asked for.
    fn finish(&mut self, table: &mut Table, path: &str) {
        for (key, given) in std::mem::take(&mut table.values) {
            let full = join(path, &key);
            let place = self.place(&full, &given);
            let prefix = if path.is_empty() { String::new() } else { format!("{path}.") };
            let known: Vec<&str> = self
                .known
                .iter()
                .filter_map(|name| name.strip_prefix(prefix.as_str()))
                .filter(|name| !name.contains('.'))
                .collect();
            let fault = if looks_secret(&key) { Fault::Secret } else { Fault::Unknown(known.join(", ")) };
            self.problems.push(Problem { key: full, value: None, place, fault });
        }
    }

    fn read<T>(
        &mut self,
        table: &mut Table,
        key: &str,
        parse: impl FnOnce(&Value) -> Result<T, Fault>,
        default: T,
    ) -> T {
        self.value(table, key, Echo::Show, parse).unwrap_or(default)
    }

    fn count(&mut self, table: &mut Table, key: &str, least: u64, most: u64, default: usize) -> usize {
        let parse = |given: &Value| value::number(given, least, most).map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        self.read(table, key, parse, default)
    }

    fn require<T>(
        &mut self,
        table: &mut Table,
        key: &str,
        parse: impl FnOnce(&Value) -> Result<T, Fault>,
    ) -> Option<T> {
        self.demand(table, key);
        self.value(table, key, Echo::Show, parse)
    }

    fn demand(&mut self, table: &Table, key: &str) {
        if !table.values.contains_key(key) {
            let place = table.place;
            self.problems.push(Problem { key: join(&table.path, key), value: None, place, fault: Fault::Missing });
        }
    }

    fn value<T>(
        &mut self,
        table: &mut Table,
        key: &str,
        echo: Echo,
        parse: impl FnOnce(&Value) -> Result<T, Fault>,
    ) -> Option<T> {
        let path = join(&table.path, key);
        self.known.insert(path.clone());
        let given = table.values.remove(key)?;
        match parse(&given) {
            Ok(value) => Some(value),
            Err(fault) => {
                let value = match echo {
                    Echo::Show => shown(&given),
                    Echo::Hide => None,
                };
                let place = self.place(&path, &given);
                self.problems.push(Problem { key: path, value, place, fault });
                None
            }
        }
    }

    fn place(&self, path: &str, given: &Value) -> Place {
        if given.origin() == Some("the environment") {
            return Place::Environment;
        }
        // Only the environment can have put a key where the file has none.
        self.lines.get(path).map_or(Place::Environment, |line| Place::Line(*line))
    }

    fn report(&mut self, key: &str, value: Option<String>, fault: Fault) {
        let place = self.lines.get(key).map_or(Place::Nowhere, |line| Place::Line(*line));
        self.problems.push(Problem { key: key.to_owned(), value, place, fault });
    }

    /// Looks whether the files that are named exist.
    fn check_files(&mut self, config: &Config) {
        let mut files: Vec<(&str, &PathBuf)> = Vec::new();
        // Profiles that the binary carries need not be on disk.
        let shipped =
            |path: &PathBuf| path.file_name().is_some_and(|name| SHIPPED_PROFILES.iter().any(|own| name == *own));
        let named =
            [("contract.profile", Some(&config.contract.profile)), ("contract.next", config.contract.next.as_ref())];
        let profiles = named.into_iter().filter_map(|(key, path)| Some((key, path?)));
        files.extend(profiles.filter(|(_, path)| !shipped(path)));
        if let Some(tls) = &config.http.tls {
            files.extend([("http.tls.certificate", &tls.certificate), ("http.tls.key", &tls.key)]);
        }
        if let Some(tls) = &config.antrean_inbound.tls {
            files
                .extend([("antrean_inbound.tls.certificate", &tls.certificate), ("antrean_inbound.tls.key", &tls.key)]);
        }
        for (key, path) in files {
            let reported = self.problems.iter().any(|problem| problem.key == key);
            if !reported && !path.is_file() {
                self.report(key, Some(format!("\"{}\"", path.display())), Fault::FileAbsent);
            }
        }
    }
}

/// Keys that people may be tempted to put here.
fn looks_secret(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["password", "passwd", "secret", "user_key", "userkey", "cons_id", "consid", "username", "token", "kek"]
        .iter()
        .any(|word| key.contains(word))
}

/// A value for a message: short, on one line.
fn shown(given: &Value) -> Option<String> {
    match &given.kind {
        ValueKind::Table(_) | ValueKind::Array(_) | ValueKind::Nil => None,
        ValueKind::String(text) => {
            let short: String = text.chars().take(60).collect();
            Some(format!("{short:?}"))
        }
        _scalar => Some(given.to_string()),
    }
}
