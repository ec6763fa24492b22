//! The gateway's keys: generations, what was released, provisional numbers.

use super::Tx;
use super::db::{OptionalExtension, params};
use super::rows::Parsed;
use crate::catalogue::{Kind, Operation, at};
use crate::queue::{Delivery, DeliveryId, State};
use crate::store::{NumberForm, ProvisionalId, Standing, StandingAsk, StoreError};

/// Digits and letters that nobody mistakes for one another (Crockford).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// How often another number is tried where one is taken.
const TRIES: u32 = 50;

impl Tx<'_> {
    pub(super) fn standing(self, ask: &StandingAsk) -> Result<Standing, StoreError> {
        let mut parts = vec![ask.client.as_str(), &ask.facility, &ask.operation];
        parts.extend(ask.key.expose().iter().map(String::as_str));
        let reference = format!("ws-{}", self.shared.sealer.index("gateway", &parts));
        let own = self.newest_of(ask, &reference)?;
        let generation = own.as_ref().map_or(0, |(generation, _)| *generation);
        let own = own.map(|(_, id)| self.delivery(id)).transpose()?.flatten();
        let natural = ask.natural.as_ref();
        let other = natural.map(|values| self.newest_by_natural_key(ask, values.expose())).transpose()?.flatten();
        let latest = own.into_iter().chain(other).max_by_key(|delivery| delivery.seq);
        let (released, superseded) = match &latest {
            Some(latest) => (self.is_released(latest.id)?, self.is_superseded(&ask.client, latest)?),
            None => (false, false),
        };
        Ok(Standing { reference, generation, latest, released, superseded })
    }

    /// The newest submission of the key itself: its generation and its only delivery.
    fn newest_of(self, ask: &StandingAsk, reference: &str) -> Result<Option<(u32, DeliveryId)>, StoreError> {
        // `+ 0`: by the names' index, whoever plans; with the plain order PostgreSQL may walk the submissions from the newest.
        let mut statement = self.connection.prepare_cached(
            "SELECT s.ref, d.id FROM submission s JOIN delivery d ON d.submission = s.id \
             WHERE s.client = ?1 AND s.facility = ?2 AND s.ref >= ?3 AND s.ref < ?4 ORDER BY s.seq + 0 DESC LIMIT 1",
        )?;
        // '-' begins the generation; '.' is the character after it.
        let (from, to) = (format!("{reference}-"), format!("{reference}."));
        let found = statement.query_row(params![ask.client, ask.facility, from, to], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Parsed<DeliveryId>>(1)?.0))
        });
        let Some((name, id)) = found.optional()? else { return Ok(None) };
        let generation = name.rsplit('-').next().and_then(|text| text.parse().ok());
        Ok(Some((generation.unwrap_or(1), id)))
    }

    /// The newest entry of this client with the same natural key, whichever way it came in.
    fn newest_by_natural_key(self, ask: &StandingAsk, values: &[String]) -> Result<Option<Delivery>, StoreError> {
        let key = self.natural_key(&ask.facility, &ask.operation, values);
        let mut statement = self.connection.prepare_cached(
            "SELECT d.id FROM delivery d JOIN submission s ON s.id = d.submission \
             WHERE d.natural_key = ?1 AND s.client = ?2 ORDER BY d.seq DESC LIMIT 1",
        )?;
        let found = statement.query_row([&key, &ask.client], |row| Ok(row.get::<_, Parsed<DeliveryId>>(0)?.0));
        found.optional()?.map(|id| self.delivery(id)).transpose().map(Option::flatten)
    }

    /// The keyed hash of a natural key: one facility's and one operation's.
    pub(super) fn natural_key(self, facility: &str, operation: &str, values: &[String]) -> String {
        let mut parts = vec![facility, operation];
        parts.extend(values.iter().map(String::as_str));
        self.shared.sealer.index("natural", &parts)
    }

    fn is_released(self, id: DeliveryId) -> Result<bool, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT EXISTS (SELECT 1 FROM released WHERE delivery = ?1)")?;
        Ok(statement.query_row([id.to_string()], |row| row.get(0))?)
    }

    fn is_superseded(self, client: &str, latest: &Delivery) -> Result<bool, StoreError> {
        let operation = self.shared.catalogue.operation(&latest.operation);
        let by = operation.and_then(|operation| match operation.kind {
            Kind::Edit => Some(operation.name.as_str()),
            Kind::Delete => operation.releases.as_deref(),
            Kind::Add | Kind::Read => None,
        });
        let Some(by) = by else { return Ok(false) };
        let mut statement = self.connection.prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM delivery d JOIN submission s ON s.id = d.submission \
             WHERE d.lane = ?1 AND d.seq > ?2 AND d.operation = ?3 AND s.client = ?4)",
        )?;
        Ok(statement.query_row(params![latest.lane.expose(), latest.seq, by, client], |row| row.get(0))?)
    }

    /// A delivered delete: what it took away is named, by the id it frees and by the natural key in its own payload.
    pub(super) fn release(
        self,
        delivery: &Delivery,
        frees: Option<&(String, Vec<String>, String)>,
    ) -> Result<(), StoreError> {
        let Some(operation) = self.shared.catalogue.operation(&delivery.operation) else { return Ok(()) };
        let made = operation.releases.as_ref().and_then(|name| self.shared.catalogue.operation(name));
        let Some(made) = made.filter(|_| operation.kind == Kind::Delete) else { return Ok(()) };
        if let Some((operation, scope, id)) = frees
            && let Some(owner) = self.owner(&delivery.facility, operation, scope, id)?
        {
            return self.mark_released(owner, delivery.id);
        }
        let Some(values) = self.natural_values(delivery, made)? else { return Ok(()) };
        let key = self.natural_key(&delivery.facility, &made.name, &values);
        let mut statement = self.connection.prepare_cached(
            "SELECT id FROM delivery WHERE natural_key = ?1 AND state = ?2 AND seq < ?3 ORDER BY seq DESC LIMIT 1",
        )?;
        let found = statement.query_row(params![key, State::Delivered.word(), delivery.seq], |row| {
            Ok(row.get::<_, Parsed<DeliveryId>>(0)?.0)
        });
        found.optional()?.map_or(Ok(()), |released| self.mark_released(released, delivery.id))
    }

    /// The natural key of `made` as the payload of a delete of it names it.
    fn natural_values(self, delivery: &Delivery, made: &Operation) -> Result<Option<Vec<String>>, StoreError> {
        if made.natural_key.is_empty() {
            return Ok(None);
        }
        let body = self.entry_body(delivery.id)?;
        let remote = delivery.progress.remote.expose();
        let value = |field: &String| {
            let handed_in = body.as_ref().and_then(|body| text(at(body.current.expose(), field)?));
            handed_in.or_else(|| remote.get(field).cloned())
        };
        Ok(made.natural_key.iter().map(value).collect())
    }

    fn mark_released(self, released: DeliveryId, by: DeliveryId) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("INSERT INTO released (delivery, by) VALUES (?1, ?2) ON CONFLICT (delivery) DO NOTHING")?
            .execute([released.to_string(), by.to_string()])?;
        Ok(())
    }

    // ---- provisional numbers ------------------------------------------------------------------------------------

    pub(super) fn provisional_ids(
        self,
        client: &str,
        delivery: DeliveryId,
        wanted: &[(String, NumberForm)],
    ) -> Result<Vec<(String, String)>, StoreError> {
        let Some(found) = self.delivery(delivery)? else { return Ok(Vec::new()) };
        let id = delivery.to_string();
        let number = |(name, form): &(String, NumberForm)| {
            let value = self
                .provisional_of(&id, name)?
                .map_or_else(|| self.new_provisional(client, &found.facility, &id, name, *form), Ok)?;
            Ok((name.clone(), value))
        };
        wanted.iter().map(number).collect()
    }

    fn provisional_of(self, delivery: &str, name: &str) -> Result<Option<String>, StoreError> {
        let mut statement =
            self.connection.prepare_cached("SELECT value FROM provisional_id WHERE delivery = ?1 AND name = ?2")?;
        statement.query_row([delivery, name], |row| row.get(0)).optional()
    }

    fn new_provisional(
        self,
        client: &str,
        facility: &str,
        delivery: &str,
        name: &str,
        form: NumberForm,
    ) -> Result<String, StoreError> {
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO provisional_id (key, delivery, name, value) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT (key) DO NOTHING",
        )?;
        for attempt in 0..TRIES {
            let chance = self.shared.sealer.index("provisional.value", &[delivery, name, &attempt.to_string()]);
            let value = format!("{}{}", form.prefix, tail(&chance, form.tail));
            let key = self.provisional_key(client, facility, &value);
            if insert.execute(params![key, delivery, name, value])? == 1 {
                return Ok(value);
            }
        }
        Err(StoreError::Database(format!("no free provisional number for {name}")))
    }

    fn provisional_key(self, client: &str, facility: &str, value: &str) -> String {
        self.shared.sealer.index("provisional", &[client, facility, value])
    }

    pub(super) fn provisional(
        self,
        [client, facility, value]: &[String; 3],
    ) -> Result<Option<ProvisionalId>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT p.name, p.delivery, s.ref, d.entry_ref FROM provisional_id p JOIN delivery d ON d.id = p.delivery \
             JOIN submission s ON s.id = d.submission WHERE p.key = ?1",
        )?;
        let found = statement.query_row([self.provisional_key(client, facility, value)], |row| {
            let reference = format!("{}/{}", row.get::<_, String>(2)?, row.get::<_, String>(3)?);
            Ok((row.get::<_, String>(0)?, row.get::<_, Parsed<DeliveryId>>(1)?.0, reference))
        });
        let Some((name, id, reference)) = found.optional()? else { return Ok(None) };
        Ok(self.delivery(id)?.map(|delivery| ProvisionalId { name, delivery, reference }))
    }
}

/// Letters and digits from the hexadecimal digits of a hash, one for each two.
fn tail(hash: &str, length: usize) -> String {
    let bytes =
        hash.as_bytes().chunks(2).filter_map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    bytes.take(length).map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()])).collect()
}

fn text(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) if !text.is_empty() => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
