//! How one attempt ended: one value per attempt, wider than HTTP.

use std::time::Duration;

use jiff::Timestamp;

use super::delivery::DeliveryId;
use crate::catalogue::{Refusal, RemoteIds};
use crate::secret::Private;

/// What a 401 or 404 may be about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Suspicion {
    /// The text says that the login or its activation is refused.
    Credentials,
    /// The text says that the timestamp is too old or too new.
    Clock,
    /// The text is unknown: a probe decides.
    Unknown,
}

/// How one attempt to send ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// BPJS has it and assigned these ids.
    Accepted(Private<RemoteIds>),
    /// BPJS said yes, but the ids it assigned cannot be read: it has the entry, so it is never sent again unseen.
    AcceptedUnread {
        /// What is wrong with the answer, without its content.
        why: String,
    },
    /// BPJS says that it has such an entry already.
    AlreadyThere(Refusal),
    /// BPJS does not know what was to be changed or deleted.
    NotFound(Refusal),
    /// BPJS says no for good.
    Refused(Refusal),
    /// BPJS does not let us in.
    NotAuthorised(Refusal, Suspicion),
    /// BPJS asks for patience.
    RateLimited {
        /// Until when, if it said so.
        until: Option<Timestamp>,
    },
    /// An error of BPJS's own program, in its envelope: it may have landed.
    Fault(Refusal),
    /// The service or something before it answered with an error page: it may have landed.
    Unavailable {
        /// HTTP status.
        status: u16,
    },
    /// No byte of the request left this machine's connection: it may always be repeated.
    NotSent {
        /// Which layer failed.
        why: String,
    },
    /// Sent, no answer within the time.
    NoAnswer {
        /// How long was waited.
        after: Duration,
    },
    /// An answer that cannot be read: it may have landed.
    Unreadable {
        /// What is wrong with it, without its content.
        why: String,
    },
}

impl Outcome {
    /// The word in the attempt's record, logs and metrics.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Accepted(_) => "accepted",
            Self::AcceptedUnread { .. } => "accepted_unread",
            Self::AlreadyThere(_) => "already_there",
            Self::NotFound(_) => "not_found",
            Self::Refused(_) => "refused",
            Self::NotAuthorised(..) => "not_authorised",
            Self::RateLimited { .. } => "rate_limited",
            Self::Fault(_) => "fault",
            Self::Unavailable { .. } => "unavailable",
            Self::NotSent { .. } => "not_sent",
            Self::NoAnswer { .. } => "no_answer",
            Self::Unreadable { .. } => "unreadable",
        }
    }

    /// Whether it says that BPJS's service works (even if it said no).
    #[must_use]
    pub const fn shows_service_alive(&self) -> bool {
        match self {
            Self::Accepted(_)
            | Self::AcceptedUnread { .. }
            | Self::AlreadyThere(_)
            | Self::NotFound(_)
            | Self::Refused(_)
            | Self::NotAuthorised(..)
            | Self::RateLimited { .. }
            | Self::Fault(_) => true,
            Self::Unavailable { .. } | Self::NotSent { .. } | Self::NoAnswer { .. } | Self::Unreadable { .. } => false,
        }
    }
}

/// What a look-up at BPJS found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// It is there, free, with these ids.
    Found {
        /// Ids that BPJS assigned.
        ids: Private<RemoteIds>,
        /// Fields whose content differs (wire names, no values).
        differs: Vec<String>,
    },
    /// It is not there.
    Absent,
    /// It is there, but belongs to another delivery of ours.
    Owned {
        /// The owner.
        owner: DeliveryId,
    },
    /// What is there in its place is somebody else's for certain: another facility's, or made for another reason.
    Foreign(Refusal),
    /// It cannot be told (several candidates, or the same key with other content).
    Ambiguous {
        /// In Indonesian, without personal data.
        detail: String,
    },
    /// The look-up itself failed; ask again later.
    Failed {
        /// Why, without its content.
        why: String,
    },
}

impl Finding {
    /// The word in the attempt's record, logs and metrics.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Found { .. } => "found",
            Self::Absent => "absent",
            Self::Owned { .. } => "owned",
            Self::Foreign(_) => "foreign",
            Self::Ambiguous { .. } => "ambiguous",
            Self::Failed { .. } => "failed",
        }
    }
}
