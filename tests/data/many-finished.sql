-- {COUNT} delivered entries numbered from {FIRST}, accepted one every {STEP} ms before {NOW}; their payloads are gone, as
-- past the retention. Only for tests and measurements: the store itself never writes like this.
CREATE TEMP TABLE many AS WITH RECURSIVE many (n) AS
  (SELECT {FIRST} UNION ALL SELECT n + 1 FROM many WHERE n + 1 < {FIRST} + {COUNT})
  SELECT n, printf('01900000-0000-7000-8000-%012x', n) AS id, printf('01900000-0000-7000-9000-%012x', n) AS submission,
    printf('0114A02%d', 1 + n % 6) AS facility, {NOW} - ({LAST} - n) * {STEP} AS at FROM many;
INSERT INTO submission (id, client, facility, ref, body, patient, accepted_at, warnings)
  SELECT submission, 'sim', facility, 'lama-' || n, lower(hex(randomblob(16))), NULL, at, '[]' FROM temp.many;
INSERT INTO delivery (id, submission, position, entry_ref, facility, service, operation, lane, natural_key, service_date,
    accepted_at, rule, target, late, rank, turn, state, how, revision, due_at, marked, absent, attempts, stumbles, faults,
    remote, updated_at, retired)
  SELECT id, submission, 0, 'daftar', facility, 'pcare', 'pcare.pendaftaran.add', lower(hex(randomblob(16))),
    lower(hex(randomblob(16))), date(at / 1000, 'unixepoch'), at, 'entry.immediate', at + 900000,
    (at / 86400000 + 1) * 86400000 - 1, at + 900000, at, 'delivered', 'accepted', 2, at, 0, 0, 1, 0, 0, randomblob(80),
    at + 60000, 1 FROM temp.many;
INSERT INTO attempt (delivery, number, purpose, started_at, ended_at, credential_version, stamp, outcome, status, code)
  SELECT id, 1, 'send', at + 59000, at + 60000, 1, at / 1000, 'accepted', 201, 201 FROM temp.many;
INSERT INTO remote_id (key, owner) SELECT lower(hex(randomblob(16))), id FROM temp.many;
INSERT INTO change (delivery, facility, at) SELECT id, facility, at + 60000 FROM temp.many;
INSERT INTO tally (facility, service, state, how, count)
  SELECT facility, 'pcare', 'delivered', 'accepted', count(*) FROM temp.many WHERE true GROUP BY facility
  ON CONFLICT (facility, service, state, how) DO UPDATE SET count = tally.count + excluded.count;
DROP TABLE temp.many;
