//! Fingerprints and what stands in for them, accidents, internal referrals: the small parts around a SEP.
//!
//! Job: `SEP/FingerPrint/*`, `sep/JasaRaharja/*`, `sep/KllInduk/*`, `SEP/Internal/*`. Invariant: a right answer to the
//! random question counts as a fingerprint. Neighbours: `sep` asks who has verified. What it does not do: a reader.

use serde_json::{Value, json};

use super::{
    at, day_in_path, day_of, inside, listed, no_data, or_empty, or_null, people, reference, required, sep_view, world,
};
use crate::simulator::routes::Call;
use crate::simulator::world::{Done, Outcome, World};

/// `GET SEP/FingerPrint/Peserta/{noKartu}/TglPelayanan/{tgl}`.
pub(crate) fn status(world: &mut World, call: &Call<'_>) -> Outcome {
    let day = day_in_path(call.p(1))?;
    people::known(world, call.p(0))?;
    let seen = world.vclaim.fingers.contains(&(day, call.p(0).to_owned()));
    Ok(Done::Found(if seen {
        json!({ "kode": "1", "status": format!("Peserta telah melakukan validasi finger print pada tanggal {day}") })
    } else {
        json!({ "kode": "0", "status": "Peserta belum melakukan validasi finger print" })
    }))
}

/// `GET SEP/FingerPrint/List/Peserta/TglPelayanan/{tgl}`: who verified, with the SEP of that day.
pub(crate) fn list(world: &mut World, call: &Call<'_>) -> Outcome {
    let day = day_in_path(call.p(0))?;
    let seen = world.vclaim.fingers.iter().filter(|(on, _)| *on == day);
    let rows = seen.map(|(_, card)| {
        let mut seps = world.vclaim.seps.iter();
        let number = seps.find(|(_, sep)| sep.card == *card && sep.record.day == day).map(|(number, _)| number);
        json!({ "noKartu": card, "noSEP": number })
    });
    listed("list", rows.collect())
}

/// `GET SEP/FingerPrint/randomquestion/faskesterdaftar/nokapst/{noKartu}/tglsep/{tgl}`: three facilities, one the
/// member's own.
pub(crate) fn question(world: &mut World, call: &Call<'_>) -> Outcome {
    day_in_path(call.p(1))?;
    let (code, name) = people::known(world, call.p(0))?.home();
    let mut rows = vec![json!({ "kode": code, "nama": name })];
    for (code, name) in [("09020107", "PKM TETANGGA"), ("0114U163", "KLINIK CONTOH")] {
        rows.push(json!({ "kode": code, "nama": name }));
    }
    listed("faskes", rows)
}

/// `POST SEP/FingerPrint/randomanswer`: right if birthday and own facility are; then as good as a fingerprint.
pub(crate) fn answer(world: &mut World, call: &Call<'_>) -> Outcome {
    let said = inside(call.body, "t_sep")?;
    let person = people::known(world, &required(said, "noKartu")?)?;
    let day = day_of(said, "tglSep")?;
    let right = person.birthday() == or_empty(said, "tglLahir") && person.home().0 == or_empty(said, "ppkPst");
    if right {
        world.vclaim.fingers.insert((day, person.card));
    }
    Ok(Done::Changed(Value::String(if right { "True" } else { "False" }.to_owned())))
}

/// Whether a SEP is about a traffic accident.
fn accident(content: &Value) -> bool {
    matches!(at(content, "jaminan.lakaLantas").as_deref(), Some("1" | "2"))
}

/// `GET sep/JasaRaharja/Suplesi/{noKartu}/tglPelayanan/{tgl}`.
pub(crate) fn supplements(world: &mut World, call: &Call<'_>) -> Outcome {
    let day = day_in_path(call.p(1))?;
    let seps = world.vclaim.seps.iter().filter(|(_, sep)| sep.card == call.p(0) && sep.record.day <= day);
    let of_accident = seps.filter(|(_, sep)| sep.record.shows(&call.at) && accident(&sep.record.content));
    let rows = of_accident.map(|(number, sep)| {
        let content = &sep.record.content;
        let first = at(content, "jaminan.penjamin.suplesi.noSepSuplesi").unwrap_or_else(|| number.clone());
        json!({ "noRegister": sep.record.seq.to_string(), "noSep": number, "noSepAwal": first, "noSuratJaminan": "-",
            "tglKejadian": or_null(content, "jaminan.penjamin.tglKejadian"), "tglSep": sep.record.day.to_string() })
    });
    listed("jaminan", rows.collect())
}

/// `GET sep/KllInduk/List/{noKartu}`: accidents with the SEPs that follow them.
pub(crate) fn accidents(world: &mut World, call: &Call<'_>) -> Outcome {
    const FIRST: &str = "jaminan.penjamin.suplesi.noSepSuplesi";
    let of_card = || world.vclaim.seps.iter().filter(|(_, sep)| sep.card == call.p(0) && sep.record.shows(&call.at));
    let first = of_card().filter(|(_, sep)| accident(&sep.record.content) && at(&sep.record.content, FIRST).is_none());
    let rows = first.map(|(number, sep)| {
        let content = &sep.record.content;
        let later: Vec<&str> = of_card()
            .filter(|(_, other)| at(&other.record.content, FIRST).as_deref() == Some(number))
            .map(|(other, _)| other.as_str())
            .collect();
        let place = |field: &str| or_null(content, &format!("jaminan.penjamin.suplesi.lokasiLaka.{field}"));
        json!({ "noSEP": number, "tglKejadian": or_null(content, "jaminan.penjamin.tglKejadian"),
            "ppkPelSEP": sep.ppk, "kdProp": place("kdPropinsi"), "kdKab": place("kdKabupaten"),
            "kdKec": place("kdKecamatan"), "ketKejadian": or_null(content, "jaminan.penjamin.keterangan"),
            "noSEPSuplesi": if later.is_empty() { Value::Null } else { json!(later.join(", ")) } })
    });
    listed("list", rows.collect())
}

/// `GET SEP/Internal/{noSep}`: field names in small letters throughout, as printed.
pub(crate) fn internal(world: &mut World, call: &Call<'_>) -> Outcome {
    let (number, sep) = sep_view::shown(world, &call.at, call.p(0))?;
    let of_sep = world.vclaim.internal.iter().filter(|row| or_empty(&row.content, "noSep") == *number);
    let rows: Vec<Value> = of_sep.filter(|row| row.shows(&call.at)).map(|row| {
        let to = or_empty(&row.content, "kdPoliTuj");
        let doctor = or_empty(&row.content, "kdDokter");
        let diagnosis = or_empty(&sep.record.content, "diagAwal");
        json!({ "tujuanrujuk": to, "nmtujuanrujuk": reference::clinic(&to), "nmpoliasal": reference::clinic(&sep.poli),
            "tglrujukinternal": row.day.to_string(), "nosep": number, "nosepref": or_empty(&row.content, "noSepRef"),
            "ppkpelsep": sep.ppk, "nokapst": sep.card, "tglsep": sep.record.day.to_string(),
            "nosurat": or_empty(&row.content, "noSurat"), "flaginternal": "0", "kdpoliasal": sep.poli, "kdpolituj": to,
            "kdpenunjang": "0", "nmpenunjang": null, "diagppk": diagnosis, "kddokter": doctor,
            "nmdokter": reference::specialist(&doctor), "flagprosedur": null, "opsikonsul": "1", "flagsep": "False",
            "fuser": or_empty(&row.content, "user"), "fdate": row.day.to_string(),
            "nmdiag": reference::diagnosis(&diagnosis) })
    }).collect();
    if rows.is_empty() {
        return Err(no_data());
    }
    Ok(Done::Found(json!({ "count": rows.len().to_string(), "list": rows })))
}

/// `DELETE SEP/Internal/delete`, by SEP, letter, day and clinic.
pub(crate) fn delete_internal(world: &mut World, call: &Call<'_>) -> Outcome {
    let order = inside(call.body, "t_sep")?;
    let (number, letter) = (required(order, "noSep")?, required(order, "noSurat")?);
    let (day, to) = (day_of(order, "tglRujukanInternal")?, required(order, "kdPoliTuj")?);
    let before = world.vclaim.internal.len();
    world.vclaim.internal.retain(|row| {
        let same = |field: &str, wanted: &str| world::text(&row.content, field).as_deref() == Some(wanted);
        !(same("noSep", &number) && same("noSurat", &letter) && same("kdPoliTuj", &to) && row.day == day)
    });
    if world.vclaim.internal.len() == before { Err(no_data()) } else { Ok(Done::Changed(Value::String(letter))) }
}
