//! The queue's part of `/openapi.json`.

use serde_json::{Value, json};

use crate::store::antrean::{BookingState, Origin};

/// Names and schemas.
pub(super) fn schemas() -> Vec<(String, Value)> {
    let object = |required: &[&str], properties: Value| json!({ "type": "object", "additionalProperties": false, "required": required, "properties": properties });
    let text = json!({ "type": "string" });
    let day = json!({ "type": "string", "format": "date" });
    let card = json!({ "type": "string", "pattern": "^[0-9]{13}$" });
    let whole = json!({ "type": "integer" });
    let clock = json!({ "type": "string", "pattern": "^[0-9]{2}:[0-9]{2}$" });
    let hours = json!({ "type": "string", "pattern": "^[0-9]{2}:[0-9]{2} ?- ?[0-9]{2}:[0-9]{2}$" });
    let states: Vec<&str> = BookingState::ALL.iter().map(|state| state.word()).collect();
    let session = object(
        &["kodepoli", "namapoli", "kodedokter", "namadokter", "jampraktek", "kuota"],
        json!({ "kodepoli": text, "namapoli": text, "kodedokter": whole, "namadokter": text, "jampraktek": hours,
                "kuota": whole, "buka": clock, "tutup": clock, "awalan": text, "keterangan": text }),
    );
    let weekdays = json!({ "type": "array", "items": { "type": "integer", "minimum": 1, "maximum": 7 } });
    let list = [
        (
            "Schedule",
            object(
                &["facility", "from", "jadwal"],
                json!({ "facility": text, "from": day, "to": day, "days": weekdays, "jadwal": { "type": "array", "maxItems": 200, "items": session } }),
            ),
        ),
        (
            "NewBooking",
            object(
                &["facility", "kodepoli", "tanggalperiksa"],
                json!({ "facility": text, "kodepoli": text, "tanggalperiksa": day, "kodedokter": whole, "jampraktek": hours,
                        "ref": text, "nomorkartu": card, "nik": text, "norm": text, "nohp": text, "nama": text, "keluhan": text }),
            ),
        ),
        ("Booking", booking(&states)),
        ("BookingState", object(&["state"], json!({ "state": { "enum": states }, "reason": text }))),
        (
            "Call",
            object(
                &["facility", "kodepoli", "nomorantrean"],
                json!({ "facility": text, "kodepoli": text, "nomorantrean": text, "tanggalperiksa": day, "kodedokter": whole, "jampraktek": hours }),
            ),
        ),
        ("KnownPatients", known_patients(&text, &card)),
        ("RegistrationAnswer", object(&[], json!({ "norm": text, "reason": text }))),
    ];
    list.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

fn known_patients(text: &Value, card: &Value) -> Value {
    let patient = json!({ "type": "object", "additionalProperties": false, "required": ["nomorkartu", "norm"],
                          "properties": { "nomorkartu": card, "norm": { "type": ["string", "null"] } } });
    json!({ "type": "object", "additionalProperties": false, "required": ["facility", "pasien"],
            "properties": { "facility": text, "pasien": { "type": "array", "maxItems": 1000, "items": patient } } })
}

fn booking(states: &[&str]) -> Value {
    let text = json!({ "type": "string" });
    let maybe = json!({ "type": ["string", "null"] });
    let instant = json!({ "type": "string", "format": "date-time" });
    let origins: Vec<&str> = Origin::ALL.iter().map(|origin| origin.word()).collect();
    json!({
        "type": "object",
        "properties": {
            "id": text, "facility": text, "state": { "enum": states }, "origin": { "enum": origins }, "ref": maybe,
            "tanggalperiksa": { "type": "string", "format": "date" }, "kodepoli": text, "namapoli": text,
            "kodedokter": { "type": "integer" }, "namadokter": text, "jampraktek": text,
            "nomorantrean": text, "angkaantrean": { "type": "integer" },
            "person": { "type": ["object", "null"], "additionalProperties": text }, "reason": maybe,
            "booked_at": instant, "updated_at": instant
        }
    })
}
