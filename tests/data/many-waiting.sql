-- {COUNT} entries that wait, numbered from {FIRST}, accepted one every {STEP} ms before {NOW}, each of a patient of its own.
-- Their payloads are noise, so they are for counting, listing and walking past, not for sending.
CREATE TEMP TABLE many AS WITH RECURSIVE many (n) AS
  (SELECT {FIRST} UNION ALL SELECT n + 1 FROM many WHERE n + 1 < {FIRST} + {COUNT})
  SELECT n, printf('01910000-0000-7000-8000-%012x', n) AS id, printf('01910000-0000-7000-9000-%012x', n) AS submission,
    printf('0114A02%d', 1 + n % 6) AS facility, {NOW} - ({LAST} - n) * {STEP} AS at FROM many;
INSERT INTO submission (id, client, facility, ref, body, patient, accepted_at, warnings)
  SELECT submission, 'sim', facility, 'baru-' || n, lower(hex(randomblob(16))), randomblob(120), at, '[]' FROM temp.many;
INSERT INTO delivery (id, submission, position, entry_ref, facility, service, operation, lane, natural_key, service_date,
    accepted_at, rule, target, late, last, rank, turn, state, revision, due_at, marked, absent, attempts, stumbles, faults,
    updated_at)
  SELECT id, submission, 0, 'daftar', facility, 'pcare', 'pcare.pendaftaran.add', lower(hex(randomblob(16))),
    lower(hex(randomblob(16))), date(at / 1000, 'unixepoch'), at, 'claim.entry', at + 900000,
    (at / 86400000 + 1) * 86400000 - 1, at + 15552000000, at + 900000, at, 'waiting', 0, at, 0, 0, 0, 0, 0, at
    FROM temp.many;
INSERT INTO entry_body (delivery, original) SELECT id, randomblob(700) FROM temp.many;
INSERT INTO tally (facility, service, state, how, count)
  SELECT facility, 'pcare', 'waiting', '', count(*) FROM temp.many WHERE true GROUP BY facility
  ON CONFLICT (facility, service, state, how) DO UPDATE SET count = tally.count + excluded.count;
DROP TABLE temp.many;
