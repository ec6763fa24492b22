-- Times are milliseconds since 1970 UTC; days are yyyy-mm-dd at the facility. "sealed" columns are AES-256-GCM records
-- bound to facility, column and row. The named constraints repeat the state diagram of queue/transition.rs.

CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE submission (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  client TEXT NOT NULL,
  facility TEXT NOT NULL,
  ref TEXT NOT NULL,
  body TEXT NOT NULL,              -- keyed hash of the canonical body
  patient BLOB,                    -- sealed
  accepted_at INTEGER NOT NULL,
  warnings TEXT NOT NULL,
  CONSTRAINT one_submission_per_client_facility_and_ref UNIQUE (ref, facility, client)
) STRICT;

CREATE TABLE delivery (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  submission TEXT NOT NULL REFERENCES submission (id),
  position INTEGER NOT NULL,
  entry_ref TEXT NOT NULL,
  facility TEXT NOT NULL,
  service TEXT NOT NULL,
  operation TEXT NOT NULL,
  lane TEXT NOT NULL,              -- keyed hash of the patient (or visit, or itself)
  natural_key TEXT,                -- keyed hash
  occurred_at INTEGER,
  service_date TEXT,
  accepted_at INTEGER NOT NULL,
  rule TEXT NOT NULL,
  target INTEGER,
  late INTEGER,
  last INTEGER,
  mark TEXT,                       -- the SIM's own mark: telekonsultasi
  rank INTEGER NOT NULL,           -- dispatch order: the target, or the acceptance where there is none
  turn INTEGER NOT NULL,           -- order in the lane, with seq: the acceptance, or the beginning of a day ahead of it
  opens INTEGER,                   -- that beginning; null if it was not dated ahead when it was accepted

  state TEXT NOT NULL,
  how TEXT,
  revision INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  blocked_kind TEXT,
  blocked_id TEXT,
  marked INTEGER NOT NULL,
  question TEXT,
  doubt_since INTEGER,
  absent INTEGER NOT NULL,
  absent_begun INTEGER,
  absent_boot TEXT,
  past_last INTEGER NOT NULL DEFAULT 0, -- set going by a person after its last date
  attempts INTEGER NOT NULL,
  stumbles INTEGER NOT NULL,
  faults INTEGER NOT NULL,
  fault TEXT,
  crashes INTEGER NOT NULL DEFAULT 0, -- the process died while it was in flight (queue/crash.rs)
  lease_token INTEGER,
  lease_until INTEGER,
  lease_purpose TEXT,
  why_code TEXT,
  why_who TEXT,
  why_meaning TEXT,
  why_next TEXT,
  why_message BLOB,                -- sealed
  remote BLOB,                     -- sealed
  updated_at INTEGER NOT NULL,
  retired INTEGER NOT NULL DEFAULT 0, -- its payload was destroyed after its time

  CONSTRAINT an_entry_stands_once_in_its_submission UNIQUE (submission, entry_ref),
  CONSTRAINT state_is_one_of_ours CHECK (state IN
    ('waiting', 'sending', 'delivered', 'unanswered', 'refused', 'held', 'expired', 'cancelled')),
  CONSTRAINT delivered_says_how CHECK ((state = 'delivered') = (how IS NOT NULL)),
  CONSTRAINT how_is_one_of_ours CHECK (how IS NULL OR how IN ('accepted', 'already_there', 'adopted')),
  CONSTRAINT sending_is_leased CHECK (state <> 'sending' OR lease_purpose IS 'send'),
  CONSTRAINT only_unfinished_is_leased CHECK (lease_token IS NULL OR state IN ('waiting', 'sending', 'unanswered')),
  CONSTRAINT a_lease_is_whole CHECK ((lease_token IS NULL) = (lease_until IS NULL)
    AND (lease_token IS NULL) = (lease_purpose IS NULL)),
  CONSTRAINT a_send_lease_means_sending CHECK (lease_purpose IS NOT 'send' OR state = 'sending'),
  CONSTRAINT only_waiting_is_blocked CHECK (blocked_kind IS NULL OR state = 'waiting'),
  CONSTRAINT blocked_names_a_row CHECK ((blocked_kind IS NULL) = (blocked_id IS NULL)),
  CONSTRAINT blocked_is_not_leased CHECK (blocked_kind IS NULL OR lease_token IS NULL),
  CONSTRAINT only_delivered_clears_the_mark CHECK (state <> 'delivered' OR marked = 0),
  CONSTRAINT cancelled_was_never_in_doubt CHECK (state <> 'cancelled' OR marked = 0),
  CONSTRAINT expired_is_not_in_doubt CHECK (state <> 'expired' OR marked = 0),
  CONSTRAINT unanswered_knows_its_question CHECK (state <> 'unanswered' OR question IS NOT NULL),
  CONSTRAINT a_stop_says_why CHECK (state NOT IN ('refused', 'held', 'expired') OR why_code IS NOT NULL)
) STRICT;

-- Each of these costs every entry something: what uses it is said, and tests/plans.rs holds the statements to it.
-- Dispatch order: claims.
CREATE INDEX delivery_due ON delivery (facility, service, late, rank, seq)
  WHERE state IN ('waiting', 'unanswered') AND blocked_kind IS NULL AND lease_token IS NULL;
-- When a lane has something to do; how long the oldest has been due.
CREATE INDEX delivery_next ON delivery (facility, service, due_at)
  WHERE state IN ('waiting', 'unanswered') AND blocked_kind IS NULL AND lease_token IS NULL;
-- Order per patient.
CREATE INDEX delivery_lane ON delivery (lane, turn, seq) WHERE state IN ('waiting', 'sending', 'unanswered');
CREATE INDEX delivery_leased ON delivery (lease_until) WHERE lease_token IS NOT NULL;
-- Those that a crash throws suspicion on.
CREATE INDEX delivery_suspect ON delivery (facility, service, crashes, rank) WHERE crashes > 0;
-- Dates at risk, blocked entries and those in hand included: health, forecast.
CREATE INDEX delivery_unfinished ON delivery (facility, service, late, rank, seq)
  WHERE state IN ('waiting', 'sending', 'unanswered');
CREATE INDEX delivery_last ON delivery (marked, last) WHERE state = 'waiting' AND last IS NOT NULL AND past_last = 0;
-- What came in during an outage.
CREATE INDEX delivery_accepted ON delivery (facility, service, accepted_at);
-- Journals and books by day of service; a patient's visits and last turn; the SIM's marks.
CREATE INDEX delivery_day ON delivery (facility, service_date);
CREATE INDEX delivery_patient ON delivery (lane, opens, turn);
CREATE INDEX delivery_mark ON delivery (facility, service_date) WHERE mark IS NOT NULL;
-- Listings; the oldest unfinished.
CREATE INDEX delivery_state ON delivery (state, seq);
-- The gateway's keys.
CREATE INDEX delivery_natural_key ON delivery (natural_key) WHERE natural_key IS NOT NULL;
-- Payloads that are still there of what is over.
CREATE INDEX delivery_retiring ON delivery (state, updated_at) WHERE state IN ('delivered', 'cancelled') AND retired = 0;

-- Payloads apart from the narrow rows that the queue walks.
CREATE TABLE entry_body (
  delivery TEXT PRIMARY KEY REFERENCES delivery (id),
  original BLOB,                   -- sealed
  current BLOB                     -- sealed; null while nothing was amended
) STRICT, WITHOUT ROWID;

CREATE TABLE prerequisite (
  child TEXT NOT NULL REFERENCES delivery (id),
  parent TEXT NOT NULL REFERENCES delivery (id),
  PRIMARY KEY (child, parent)
) STRICT, WITHOUT ROWID;
CREATE INDEX prerequisite_parent ON prerequisite (parent);

CREATE TABLE attempt (
  token INTEGER PRIMARY KEY AUTOINCREMENT,
  delivery TEXT NOT NULL REFERENCES delivery (id),
  number INTEGER NOT NULL,
  purpose TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER,
  credential_version INTEGER NOT NULL,
  stamp INTEGER,
  outcome TEXT,                    -- null: no end was recorded, so it is unanswered, never failed
  status INTEGER,
  code INTEGER,
  detail BLOB,                     -- sealed
  answer BLOB,                     -- sealed: BPJS's message and response as opened, for a client that asks again
  CONSTRAINT attempts_are_numbered UNIQUE (delivery, number),
  CONSTRAINT an_end_has_an_outcome CHECK ((ended_at IS NULL) = (outcome IS NULL))
) STRICT;

-- Promise 2: one remote id, one owner. The key is a keyed hash of facility, operation, scope and id.
CREATE TABLE remote_id (
  key TEXT PRIMARY KEY,
  owner TEXT NOT NULL REFERENCES delivery (id)
) STRICT, WITHOUT ROWID;

-- Adds whose thing at BPJS a delivered delete or cancel took away: the next call of the same key is another entry.
CREATE TABLE released (
  delivery TEXT PRIMARY KEY REFERENCES delivery (id),
  by TEXT NOT NULL REFERENCES delivery (id)
) STRICT, WITHOUT ROWID;

-- Numbers that stand for BPJS's until there is one. The key is a keyed hash of client, facility and number.
CREATE TABLE provisional_id (
  key TEXT PRIMARY KEY,
  delivery TEXT NOT NULL REFERENCES delivery (id),
  name TEXT NOT NULL,              -- of the id, as the catalogue spells it
  value TEXT NOT NULL,             -- made up here: says nothing of a patient
  CONSTRAINT an_id_has_one_provisional_number UNIQUE (delivery, name)
) STRICT, WITHOUT ROWID;

-- One feed for everything, so that one cursor is enough: each row names a delivery, a booking or a registration.
CREATE TABLE change (
  cursor INTEGER PRIMARY KEY AUTOINCREMENT,
  delivery TEXT REFERENCES delivery (id),
  booking TEXT REFERENCES antrean_booking (id),
  registration TEXT REFERENCES antrean_registration (id),
  facility TEXT NOT NULL,
  at INTEGER NOT NULL,
  CONSTRAINT a_change_names_one_thing CHECK
    ((delivery IS NOT NULL) + (booking IS NOT NULL) + (registration IS NOT NULL) = 1)
) STRICT;
CREATE INDEX change_facility ON change (facility, cursor);

-- Counts without counting.
CREATE TABLE tally (
  facility TEXT NOT NULL,
  service TEXT NOT NULL,
  state TEXT NOT NULL,
  how TEXT NOT NULL,
  count INTEGER NOT NULL CONSTRAINT no_negative_count CHECK (count >= 0),
  PRIMARY KEY (facility, service, state, how)
) STRICT, WITHOUT ROWID;

CREATE TABLE pause (
  facility TEXT PRIMARY KEY,       -- '*': all sending
  reason TEXT NOT NULL,
  actor TEXT NOT NULL,
  since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE lane_stop (
  facility TEXT NOT NULL,
  service TEXT NOT NULL,
  message BLOB NOT NULL,           -- sealed
  since INTEGER NOT NULL,
  credential_version INTEGER NOT NULL,
  PRIMARY KEY (facility, service)
) STRICT, WITHOUT ROWID;

CREATE TABLE circuit (
  facility TEXT NOT NULL,
  service TEXT NOT NULL,
  open INTEGER NOT NULL,
  since INTEGER NOT NULL,
  PRIMARY KEY (facility, service)
) STRICT, WITHOUT ROWID;

CREATE TABLE outage (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  facility TEXT NOT NULL,
  service TEXT NOT NULL,
  opened_at INTEGER NOT NULL,
  closed_at INTEGER,
  cause TEXT NOT NULL,
  verdict TEXT NOT NULL CONSTRAINT verdict_is_one_of_ours CHECK (verdict IN ('none', 'us', 'network', 'bpjs')),
  evidence TEXT NOT NULL,
  opened_by TEXT NOT NULL,
  closed_by TEXT,
  accepted INTEGER NOT NULL DEFAULT 0,
  affected INTEGER NOT NULL DEFAULT 0,
  late INTEGER NOT NULL DEFAULT 0,
  class TEXT CONSTRAINT class_is_one_of_ours CHECK (class IN ('ordinary', 'force_majeure')),
  class_by TEXT,                   -- who says so, and why
  CONSTRAINT a_closed_outage_says_by_whom CHECK ((closed_at IS NULL) = (closed_by IS NULL))
) STRICT;
CREATE UNIQUE INDEX one_open_outage_per_service ON outage (facility, service) WHERE closed_at IS NULL;

-- Maintenance that was announced ahead (Lampiran X angka 3).
CREATE TABLE outage_plan (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  facility TEXT NOT NULL,          -- '*': all
  from_at INTEGER NOT NULL,
  to_at INTEGER NOT NULL,
  verdict TEXT NOT NULL CONSTRAINT plan_verdict_is_one_of_ours CHECK (verdict IN ('none', 'us', 'network', 'bpjs')),
  reason TEXT NOT NULL,
  actor TEXT NOT NULL,
  announced_at INTEGER NOT NULL,
  withdrawn_at INTEGER,            -- who and why: the security log
  CONSTRAINT a_plan_ends_after_it_begins CHECK (to_at > from_at)
) STRICT;

CREATE TABLE reconciliation (
  id TEXT PRIMARY KEY,
  facility TEXT NOT NULL,
  from_day TEXT NOT NULL,
  to_day TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  finished_at INTEGER NOT NULL,
  counts TEXT NOT NULL,
  report BLOB NOT NULL             -- sealed
) STRICT;
CREATE INDEX reconciliation_by_time ON reconciliation (started_at);

-- What dates obligations, recorded by a person: a change of vendor, force majeure, a leaver …
CREATE TABLE obligation_event (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  facility TEXT NOT NULL,          -- '*': the agreement
  at INTEGER NOT NULL,
  until INTEGER,
  remark TEXT NOT NULL,
  actor TEXT NOT NULL,
  recorded_at INTEGER NOT NULL,
  CONSTRAINT an_event_does_not_end_before_it_begins CHECK (until IS NULL OR until >= at)
) STRICT;

-- Duties of the agreement that somebody marked as done.
CREATE TABLE obligation_done (
  id TEXT PRIMARY KEY,             -- rule, occurrence and place
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  remark TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Days wanted and days done, so that a restart goes on where it was. run: '' is the schedule, else the period asked for.
CREATE TABLE reconciliation_day (
  facility TEXT NOT NULL,
  run TEXT NOT NULL,
  day TEXT NOT NULL,
  cause TEXT NOT NULL,
  wanted_at INTEGER NOT NULL,
  finished_at INTEGER,
  id TEXT,
  report BLOB,                     -- sealed; a period's days until the period is whole
  PRIMARY KEY (facility, run, day),
  CONSTRAINT a_finished_day_names_its_report CHECK ((finished_at IS NULL) = (id IS NULL))
) STRICT, WITHOUT ROWID;

-- How each difference was settled; a later line about the same item goes before an earlier one.
CREATE TABLE settlement (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  reconciliation TEXT NOT NULL REFERENCES reconciliation (id),
  item INTEGER NOT NULL,
  how TEXT NOT NULL CONSTRAINT settled_is_one_of_ours CHECK (how IN
    ('adopted', 'entered', 'cancelled', 'corrected', 'accepted', 'other')),
  reason BLOB NOT NULL,            -- sealed
  actor TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX settlement_of ON settlement (reconciliation, seq);

-- Kept for outages (keep/): reference lists ...
CREATE TABLE kept_list (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  facility TEXT NOT NULL,
  operation TEXT NOT NULL,
  service TEXT NOT NULL,
  scope TEXT NOT NULL,             -- keyed hash of the other arguments
  arguments BLOB NOT NULL,         -- sealed: the other arguments
  frame BLOB NOT NULL,             -- sealed: the answer without its rows
  as_of INTEGER NOT NULL,
  CONSTRAINT a_list_is_kept_once UNIQUE (facility, operation, scope)
) STRICT;

-- ... how much of each was read with which words ...
CREATE TABLE kept_term (
  list INTEGER NOT NULL REFERENCES kept_list (id) ON DELETE CASCADE,
  term TEXT NOT NULL,              -- keyed hash of the words
  words BLOB NOT NULL,             -- sealed
  upto INTEGER NOT NULL,
  count INTEGER,
  complete INTEGER NOT NULL,
  begun_at INTEGER NOT NULL,
  as_of INTEGER NOT NULL,
  PRIMARY KEY (list, term),
  CONSTRAINT what_is_complete_is_whole CHECK (complete = 0 OR count IS NULL OR upto >= count)
) STRICT, WITHOUT ROWID;

-- ... their rows (some name people, so all are sealed) ...
CREATE TABLE kept_row (
  list INTEGER NOT NULL REFERENCES kept_list (id) ON DELETE CASCADE,
  key TEXT NOT NULL,               -- keyed hash
  place INTEGER NOT NULL,
  body BLOB NOT NULL,              -- sealed
  as_of INTEGER NOT NULL,
  PRIMARY KEY (list, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX kept_row_by_age ON kept_row (as_of);

-- ... and members' standing, by keyed hashes of card and NIK.
CREATE TABLE kept_member (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  facility TEXT NOT NULL,
  family TEXT NOT NULL,
  card TEXT,
  nik TEXT,
  body BLOB NOT NULL,              -- sealed
  as_of INTEGER NOT NULL,
  CONSTRAINT a_member_has_a_number CHECK (card IS NOT NULL OR nik IS NOT NULL)
) STRICT;
CREATE INDEX kept_member_by_card ON kept_member (facility, family, card) WHERE card IS NOT NULL;
CREATE INDEX kept_member_by_nik ON kept_member (facility, family, nik) WHERE nik IS NOT NULL;
CREATE INDEX kept_member_by_age ON kept_member (as_of);

-- The security log: each row's hash covers the row before it.
CREATE TABLE audit (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  actor TEXT NOT NULL,
  action TEXT NOT NULL,
  object TEXT NOT NULL,
  detail TEXT NOT NULL,
  hash TEXT NOT NULL
) STRICT;

-- Antrean FKTP, called by Mobile JKN. The hours of a doctor on one day, as the SIM set them last.
CREATE TABLE antrean_session (
  facility TEXT NOT NULL,
  day TEXT NOT NULL,
  poli TEXT NOT NULL,
  doctor INTEGER NOT NULL,
  hours TEXT NOT NULL,             -- jampraktek without blanks: 08:00-12:00
  poli_name TEXT NOT NULL,
  doctor_name TEXT NOT NULL,
  quota INTEGER NOT NULL CONSTRAINT no_negative_quota CHECK (quota >= 0),
  opens TEXT,                      -- hh:mm at the facility, for bookings made on the day itself
  closes TEXT NOT NULL,
  prefix TEXT NOT NULL,
  remark TEXT NOT NULL,
  called TEXT,                     -- the number called last
  PRIMARY KEY (facility, day, poli, doctor, hours)
) STRICT, WITHOUT ROWID;
CREATE INDEX antrean_session_poli ON antrean_session (facility, poli);

-- Outlives cancellations and retention: no number is given twice.
CREATE TABLE antrean_counter (
  facility TEXT NOT NULL,
  day TEXT NOT NULL,
  poli TEXT NOT NULL,
  prefix TEXT NOT NULL,
  last INTEGER NOT NULL,
  PRIMARY KEY (facility, day, poli, prefix)
) STRICT, WITHOUT ROWID;

CREATE TABLE antrean_booking (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  facility TEXT NOT NULL,
  day TEXT NOT NULL,
  poli TEXT NOT NULL,
  poli_name TEXT NOT NULL,
  doctor INTEGER NOT NULL,
  doctor_name TEXT NOT NULL,
  hours TEXT NOT NULL,
  card TEXT,                       -- keyed hash; null without a card, and past the retention
  ref TEXT,                        -- the SIM's own, for repeats
  number INTEGER NOT NULL,
  label TEXT NOT NULL,             -- prefix and number
  origin TEXT NOT NULL CONSTRAINT origin_is_one_of_ours CHECK (origin IN ('mobile_jkn', 'sim')),
  state TEXT NOT NULL CONSTRAINT booking_state_is_one_of_ours CHECK (state IN
    ('booked', 'called', 'served', 'absent', 'cancelled')),
  person BLOB,                     -- sealed; null past the retention
  reason BLOB,                     -- sealed
  booked_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  CONSTRAINT a_number_is_given_once UNIQUE (facility, day, poli, label)
) STRICT;
CREATE UNIQUE INDEX one_booking_per_card_poli_and_day ON antrean_booking (facility, card, poli, day)
  WHERE state <> 'cancelled' AND card IS NOT NULL;
CREATE UNIQUE INDEX one_booking_per_reference ON antrean_booking (facility, ref) WHERE ref IS NOT NULL;
CREATE INDEX antrean_booking_old ON antrean_booking (day) WHERE person IS NOT NULL;
CREATE INDEX antrean_booking_state ON antrean_booking (state, seq);

-- Whom the SIM knows: nothing but the number of the record.
CREATE TABLE antrean_patient (
  facility TEXT NOT NULL,
  card TEXT NOT NULL,              -- keyed hash
  norm BLOB NOT NULL,              -- sealed
  PRIMARY KEY (facility, card)
) STRICT, WITHOUT ROWID;

CREATE TABLE antrean_registration (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  facility TEXT NOT NULL,
  card TEXT,                       -- keyed hash; null past the retention
  state TEXT NOT NULL CONSTRAINT registration_state_is_one_of_ours CHECK (state IN ('waiting', 'accepted', 'refused')),
  body BLOB,                       -- sealed; null past the retention
  answer BLOB,                     -- sealed: the number of the record, or why not
  asked_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX one_waiting_registration_per_card ON antrean_registration (facility, card) WHERE state = 'waiting';
CREATE INDEX antrean_registration_card ON antrean_registration (facility, card, seq);
CREATE INDEX antrean_registration_old ON antrean_registration (updated_at) WHERE body IS NOT NULL;
CREATE INDEX antrean_registration_state ON antrean_registration (state, seq);
