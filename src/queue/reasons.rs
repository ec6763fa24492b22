//! Why a delivery stands where it stands, in words for people (Indonesian), for the moves of [`super::transition`].

use super::delivery::{DeliveryId, HeldCode, Progress, Why};
use crate::catalogue::{Refusal, Who};
use crate::secret::Private;

pub(super) const fn held_texts(code: HeldCode) -> (&'static str, Who, &'static str) {
    match code {
        HeldCode::Ambiguous => (
            "Tidak dapat dipastikan apakah entri ini sudah ada di BPJS.",
            Who::Registration,
            "Periksa di aplikasi BPJS, lalu 'resolve': adopt dengan nomornya bila ada, absent bila tidak ada.",
        ),
        HeldCode::Prerequisite => (
            "Entri yang mendahuluinya belum sampai di BPJS.",
            Who::Registration,
            "Selesaikan entri yang mendahuluinya; entri ini berjalan lagi dengan sendirinya.",
        ),
        HeldCode::Operator => {
            ("Ditahan oleh petugas.", Who::It, "Lepaskan dengan 'release' bila alasannya sudah selesai.")
        }
        HeldCode::Approval => {
            ("Menunggu persetujuan puskesmas.", Who::Registration, "Periksa, lalu setujui dengan 'release'.")
        }
        HeldCode::ReproducibleFault => (
            "BPJS menjawab dengan kesalahan yang sama lima kali, sedangkan entri lain diterima.",
            Who::It,
            "Periksa isi entri, perbaiki dengan 'amend', atau laporkan ke BPJS beserta pesannya.",
        ),
        HeldCode::Unreadable => (
            "Isi entri ini di basis data rusak dan tidak dapat dibuka; ia tidak dikirim.",
            Who::It,
            "Periksa di aplikasi BPJS; pulihkan basis data dari cadangan dengan kuncinya, atau serahkan ulang entri ini dari SIM lalu 'cancel'.",
        ),
        HeldCode::Crashed => (
            "Program berhenti mendadak tiga kali sewaktu mengerjakan entri ini, jadi entri ini disisihkan; yang lain berjalan terus.",
            Who::It,
            "Bila proses dimatikan orang (kill -9) atau kehabisan memori (journalctl -k), entri ini tidak bersalah: 'retry'. \
             Selain itu laporkan kepada pembuat program beserta log; periksa di aplikasi BPJS, lalu 'resolve', atau 'retry' \
             setelah program diperbarui.",
        ),
    }
}

impl Why {
    /// Of a delivery whose own row is damaged.
    #[must_use]
    pub fn unreadable_row() -> Self {
        let (meaning, who, next) = held_texts(HeldCode::Unreadable);
        let (meaning, next) = (meaning.to_owned(), next.to_owned());
        Self { code: HeldCode::Unreadable.word().to_owned(), message: Private::default(), meaning, who, next }
    }
}

/// Whether its row is damaged and nobody has been told yet: it must be held before anything is done with it.
#[must_use]
pub fn is_damaged(progress: &Progress) -> bool {
    !progress.state.is_final() && progress.why.as_ref().is_some_and(|why| why.code == HeldCode::Unreadable.word())
}

pub(super) fn why_of(refusal: &Refusal) -> Why {
    Why {
        code: refusal.rule.clone(),
        message: refusal.message.clone(),
        meaning: refusal.meaning.clone(),
        who: refusal.who,
        next: refusal.next.clone(),
    }
}

pub(super) fn owned_by(owner: DeliveryId) -> Why {
    Why {
        code: "owned".to_owned(),
        message: Private::new(owner.to_string()),
        meaning: "Entri yang sama di BPJS sudah dimiliki pengantaran lain dari jembatan ini.".to_owned(),
        who: Who::Registration,
        next: format!("Bandingkan dengan pengantaran {owner}; batalkan yang ganda atau perbaiki isinya."),
    }
}

/// BPJS said yes, and its ids do not open.
pub(super) fn unread(why: &str) -> Why {
    Why {
        code: "accepted_unread".to_owned(),
        message: Private::new(why.to_owned()),
        meaning: "BPJS menerima entri ini, tetapi nomornya dalam jawaban tidak terbaca.".to_owned(),
        who: Who::It,
        next: "Tidak ada: jembatan mencari nomornya di BPJS dan tidak mengirim ulang.".to_owned(),
    }
}
