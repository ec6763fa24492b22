//! The shipped day of a puskesmas lands entirely.

use super::*;

const DAY: &str = include_str!("../../cli/demo/hari-puskesmas.jsonl");

fn target(operation: &str) -> &'static str {
    match operation {
        "pcare.pendaftaran.add" => "pendaftaran",
        "pcare.kunjungan.add" => "kunjungan/v1",
        "pcare.tindakan.add" => "tindakan",
        "pcare.obat.add" => "obat/kunjungan",
        "pcare.mcu.add" => "MCU",
        "pcare.kelompok.kegiatan.add" => "kelompok/kegiatan",
        "pcare.kelompok.peserta.add" => "kelompok/peserta",
        other => panic!("{other} is not in the day"),
    }
}

/// Sends one submission in order, filling in what earlier entries were given.
async fn send(client: &Client, submission: &Value) -> usize {
    let (mut visit, mut activity) = (Value::Null, Value::Null);
    let entries = submission["entries"].as_array().unwrap();
    for entry in entries {
        let operation = entry["operation"].as_str().unwrap();
        let mut body = entry["payload"].clone();
        for (field, given) in [("noKunjungan", &visit), ("eduId", &activity)] {
            if body.get(field).is_some_and(Value::is_null) {
                body[field] = given.clone();
            }
        }
        let got = client.call("POST", target(operation), Some(body)).await;
        assert_eq!(got.status, 201, "{} {operation}: {got:?}", submission["ref"]);
        match operation {
            "pcare.kunjungan.add" => visit = got.response[0]["message"].clone(),
            "pcare.kelompok.kegiatan.add" => activity = got.response["message"].clone(),
            _ => {}
        }
    }
    entries.len()
}

#[tokio::test]
async fn all_727_entries_of_the_shipped_day_are_accepted() {
    let client = client();
    let day = DAY.replace("{tgl}", TODAY).replace("{hari}", "2026-11-21").replace("{besok}", "22-11-2026");
    let mut entries = 0;
    for line in day.lines() {
        entries += send(&client, &serde_json::from_str(line).unwrap()).await;
    }
    assert_eq!((day.lines().count(), entries), (200, 727));
    let kinds = ["pendaftaran", "kunjungan", "tindakan", "obat", "mcu", "kegiatan", "peserta_kegiatan"];
    let landed: Vec<usize> = kinds.iter().map(|kind| client.landed(kind)).collect();
    assert_eq!(landed, [199, 175, 42, 283, 12, 1, 15]);
    assert_eq!(landed.iter().sum::<usize>(), 727);
}
