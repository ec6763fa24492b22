//! What every document is made within: for whom, when, by whom, and how days and instants are written.
//!
//! Job: the facts, the footer and the signatures that documents share. Pure. What it does not do: read a clock.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::paper::{Cell, Fact, Signature};
use crate::config::Party;
use crate::contract::{month_name, zone_label};
use crate::secret::Private;

/// The surroundings of a document.
#[derive(Debug, Clone)]
pub struct Frame {
    /// kdProvider.
    pub facility: String,
    /// Its name.
    pub facility_name: String,
    /// Its zone.
    pub zone: TimeZone,
    /// When the document is made.
    pub now: Timestamp,
    /// Who asked for it.
    pub actor: String,
    /// The last entry of the security log then: number and hash.
    pub checkpoint: Option<(i64, String)>,
    /// Who signs, as far as the configuration says.
    pub parties: Parties,
}

/// The sides of the agreement as configured; what is not given is left blank on paper.
#[derive(Debug, Clone, Default)]
pub struct Parties {
    /// PIHAK KESATU.
    pub bpjs: Party,
    /// The health office.
    pub dinkes: Party,
    /// The facility.
    pub own: Party,
}

/// Days, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// First.
    pub from: Date,
    /// Last.
    pub to: Date,
}

/// `20 November 2026`.
#[must_use]
pub fn day(date: Date) -> String {
    format!("{} {} {}", date.day(), month_name(date), date.year())
}

impl Period {
    /// A month written `2026-11`; `None` if it is none.
    #[must_use]
    pub fn month(text: &str) -> Option<Self> {
        let from: Date = format!("{text}-01").parse().ok().filter(|_| text.len() == 7)?;
        Some(Self { from, to: from.last_of_month() })
    }

    /// Every day.
    pub fn days(self) -> impl Iterator<Item = Date> {
        self.from.series(1.day()).take_while(move |day| *day <= self.to)
    }

    /// Whether it holds the day.
    #[must_use]
    pub fn has(self, day: Date) -> bool {
        self.from <= day && day <= self.to
    }

    /// As people write it: a month by its name.
    #[must_use]
    pub fn words(self) -> String {
        if self.from == self.to {
            day(self.from)
        } else if self.from == self.from.first_of_month() && self.to == self.from.last_of_month() {
            format!("{} {}", month_name(self.from), self.from.year())
        } else {
            format!("{} sampai {}", day(self.from), day(self.to))
        }
    }
}

impl Frame {
    /// `20 November 2026 08.12 WITA`.
    #[must_use]
    pub fn instant(&self, at: Timestamp) -> String {
        let local = at.to_zoned(self.zone.clone());
        format!("{} {:02}.{:02} {}", day(local.date()), local.hour(), local.minute(), zone_label(&self.zone))
    }

    /// The day at the facility.
    #[must_use]
    pub fn date(&self, at: Timestamp) -> Date {
        at.to_zoned(self.zone.clone()).date()
    }

    /// Facility and period.
    #[must_use]
    pub fn facts(&self, period: Period) -> Vec<Fact> {
        vec![
            Fact::new("Nama Faskes", Cell::text(self.facility_name.clone())),
            Fact::new("Kode Faskes", Cell::text(self.facility.clone())),
            Fact::new("Periode", Cell::text(period.words())),
        ]
    }

    /// Who made it when, and the journal's checkpoint.
    #[must_use]
    pub fn footer(&self) -> Vec<String> {
        let made = format!("Dibuat oleh jembatan pada {} atas permintaan {}.", self.instant(self.now), self.actor);
        let none = || "Cap jurnal: log keamanan masih kosong pada saat itu.".to_owned();
        let cap = self.checkpoint.as_ref().map_or_else(none, |(seq, hash)| {
            let short: String = hash.chars().take(16).collect();
            format!("Cap jurnal {seq}:{short} (diperiksa dengan: jembatan audit verify --checkpoint {seq}:{short}).")
        });
        vec![made, cap]
    }

    /// Both parties with address and PIC, as a berita acara names them.
    #[must_use]
    pub fn parties(&self) -> Vec<Fact> {
        let given = |value: &Option<String>| value.clone().map_or(Cell::Blank, Cell::Text);
        let (bpjs, dinkes, own) = (&self.parties.bpjs, &self.parties.dinkes, &self.parties.own);
        let mut facts = vec![
            Fact::new("PIHAK KESATU", Cell::text("BPJS Kesehatan")),
            Fact::new("Kantor Cabang", given(&bpjs.name)),
        ];
        facts.extend(bpjs.address.clone().map(|address| Fact::new("Alamat PIHAK KESATU", Cell::Text(address))));
        facts.push(Fact::new("PIC integrasi PIHAK KESATU", pic(bpjs)));
        let name = own.name.as_ref().unwrap_or(&self.facility_name);
        facts.push(Fact::new("PIHAK KEDUA", Cell::Text(format!("{name} (kode faskes {})", self.facility))));
        facts.extend(own.address.clone().map(|address| Fact::new("Alamat PIHAK KEDUA", Cell::Text(address))));
        facts.push(Fact::new("PIC integrasi PIHAK KEDUA", pic(own)));
        if dinkes.name.is_some() {
            facts.push(Fact::new("Dinas Kesehatan", given(&dinkes.name)));
            facts.extend(dinkes.pic.as_ref().map(|_| Fact::new("PIC Dinas Kesehatan", pic(dinkes))));
        }
        facts
    }

    /// Both parties.
    #[must_use]
    pub fn both(&self) -> Vec<Signature> {
        let bpjs = &self.parties.bpjs;
        vec![
            Signature {
                role: "PIHAK KESATU".to_owned(),
                party: bpjs.name.clone().unwrap_or_else(|| "BPJS Kesehatan".to_owned()),
                under: signer(bpjs.head.as_ref(), bpjs.head_number.as_ref(), "Nama / NPP"),
            },
            self.facility_signs("PIHAK KEDUA"),
        ]
    }

    /// The facility's treasurer and its head: who answers for a claim.
    #[must_use]
    pub fn claimants(&self) -> Vec<Signature> {
        let own = &self.parties.own;
        let treasurer = Signature {
            role: "Bendahara".to_owned(),
            party: own.name.clone().unwrap_or_else(|| self.facility_name.clone()),
            under: signer(own.treasurer.as_ref(), own.treasurer_number.as_ref(), "Nama / NIP"),
        };
        vec![treasurer, self.facility_signs(self.head_position())]
    }

    /// The facility's head.
    #[must_use]
    pub fn head_signs(&self) -> Vec<Signature> {
        vec![self.facility_signs(self.head_position())]
    }

    fn head_position(&self) -> &str {
        self.parties.own.head_position.as_deref().unwrap_or("Kepala Puskesmas")
    }

    fn facility_signs(&self, role: &str) -> Signature {
        let own = &self.parties.own;
        Signature {
            role: role.to_owned(),
            party: own.name.clone().unwrap_or_else(|| self.facility_name.clone()),
            under: signer(own.head.as_ref(), own.head_number.as_ref(), "Nama / NIP"),
        }
    }
}

/// Below the line: the name with its number, or what is to be written there.
fn signer(name: Option<&Private<String>>, number: Option<&Private<String>>, blank: &str) -> String {
    match (name, number) {
        (Some(name), Some(number)) => format!("{} ({})", name.expose(), number.expose()),
        (Some(name), None) => name.expose().clone(),
        (None, _) => blank.to_owned(),
    }
}

/// Name, position and telephone of a PIC, or room for a pen.
fn pic(party: &Party) -> Cell {
    let Some(name) = &party.pic else { return Cell::Blank };
    let phone = party.pic_phone.as_ref().map(|phone| format!("telepon {}", phone.expose()));
    let parts = [Some(name.expose().clone()), party.pic_position.clone(), phone];
    Cell::Text(parts.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An invented facility.
    pub(in crate::report) fn frame() -> Frame {
        Frame {
            facility: "0114A026".into(),
            facility_name: "PKM Contoh".into(),
            zone: TimeZone::get("Asia/Makassar").unwrap(),
            now: "2026-12-05T02:00:00Z".parse().unwrap(),
            actor: "operator".into(),
            checkpoint: Some((12, "ab".repeat(32))),
            parties: Parties::default(),
        }
    }

    /// The same with every name given.
    pub(in crate::report) fn named() -> Frame {
        let some = |text: &str| Some(text.to_owned());
        let person = |text: &str| Some(Private::new(text.to_owned()));
        let bpjs = Party {
            name: some("BPJS Kesehatan Cabang Contoh"),
            address: some("Jalan Contoh 1"),
            head: person("BUDI CONTOH"),
            head_number: person("NPP 00001"),
            pic: person("ANI CONTOH"),
            pic_position: some("Staf TI"),
            pic_phone: person("0800-0000"),
            ..Party::default()
        };
        let own = Party {
            head: person("dr. EKA CONTOH"),
            head_position: some("Plt. Kepala Puskesmas"),
            treasurer: person("GITA CONTOH"),
            treasurer_number: person("NIP 0002"),
            ..Party::default()
        };
        let dinkes = Party { name: some("Dinas Kesehatan Contoh"), ..Party::default() };
        Frame { parties: Parties { bpjs, dinkes, own }, ..frame() }
    }

    #[test]
    fn names_stand_where_they_are_given_and_lines_where_not() {
        let said = |frame: &Frame, name: &str| {
            let facts = frame.parties();
            facts.into_iter().find(|fact| fact.name == name).map(|fact| fact.value)
        };
        let (named, blank) = (named(), frame());
        assert_eq!(
            said(&named, "PIC integrasi PIHAK KESATU").unwrap().shown(),
            "ANI CONTOH, Staf TI, telepon 0800-0000"
        );
        assert_eq!(said(&named, "PIC integrasi PIHAK KEDUA"), Some(Cell::Blank));
        assert_eq!(said(&named, "Kantor Cabang").unwrap().shown(), "BPJS Kesehatan Cabang Contoh");
        assert_eq!(said(&named, "Dinas Kesehatan").unwrap().shown(), "Dinas Kesehatan Contoh");
        assert_eq!((said(&blank, "Kantor Cabang"), said(&blank, "Dinas Kesehatan")), (Some(Cell::Blank), None));
        let under = |signs: Vec<Signature>| signs.into_iter().map(|one| one.under).collect::<Vec<_>>();
        assert_eq!(under(named.both()), ["BUDI CONTOH (NPP 00001)", "dr. EKA CONTOH"]);
        assert_eq!(under(blank.both()), ["Nama / NPP", "Nama / NIP"]);
        assert_eq!(under(named.claimants()), ["GITA CONTOH (NIP 0002)", "dr. EKA CONTOH"]);
        assert_eq!(named.head_signs()[0].role, "Plt. Kepala Puskesmas");
        let debugged = format!("{named:?}");
        assert!(
            !debugged.contains("CONTOH (") && !debugged.contains("EKA") && !debugged.contains("0800"),
            "{debugged}"
        );
    }

    #[test]
    fn a_month_is_written_by_its_name_and_days_as_a_span() {
        let month = Period::month("2024-02").unwrap();
        assert_eq!((month.words().as_str(), month.days().count()), ("Februari 2024", 29));
        let some = Period { from: month.from, to: Date::constant(2024, 2, 3) };
        assert_eq!(some.words(), "1 Februari 2024 sampai 3 Februari 2024");
        assert_eq!(Period::month("2024-2"), None);
        assert_eq!(Period::month("2024-13"), None);
    }

    #[test]
    fn the_checkpoint_is_number_and_sixteen_digits() {
        assert!(frame().footer()[1].contains(" 12:abababababababab "));
        assert!(frame().footer()[0].contains("5 Desember 2026 10.00 WITA"));
    }
}
