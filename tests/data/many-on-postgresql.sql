-- {FINISHED} delivered entries whose payloads are gone, as past the retention, and {WAITING} that wait, each of a patient of
-- its own, accepted one every {STEP} ms before {NOW}. The same rows as in many-finished.sql and many-waiting.sql. Only for
-- tests and measurements: the store itself never writes like this.
CREATE TEMP TABLE many AS SELECT done, n, (CASE WHEN done THEN '01900000' ELSE '01910000' END) || '-0000-7000-8000-' || lpad(to_hex(n), 12, '0') AS id,
    (CASE WHEN done THEN '01900000' ELSE '01910000' END) || '-0000-7000-9000-' || lpad(to_hex(n), 12, '0') AS submission,
    '0114A02' || (1 + n % 6) AS facility, {NOW} - ((CASE WHEN done THEN {FINISHED} ELSE {WAITING} END) - n) * {STEP}::bigint AS at
  FROM (SELECT true AS done, generate_series(0, {FINISHED} - 1) AS n UNION ALL
        SELECT false, generate_series(0, {WAITING} - 1)) AS numbers;
INSERT INTO submission (id, client, facility, ref, body, patient, accepted_at, warnings)
  SELECT submission, 'sim', facility, (CASE WHEN done THEN 'lama-' ELSE 'baru-' END) || n, md5(random()::text), NULL, at, '[]'
    FROM many ORDER BY done DESC, n;
INSERT INTO delivery (id, submission, position, entry_ref, facility, service, operation, lane, natural_key, service_date,
    accepted_at, rule, target, late, last, rank, turn, state, how, revision, due_at, marked, absent, attempts, stumbles, faults,
    updated_at, retired)
  SELECT id, submission, 0, 'daftar', facility, 'pcare', 'pcare.pendaftaran.add', md5(random()::text),
    md5(random()::text), to_char(to_timestamp(at / 1000.0) AT TIME ZONE 'UTC', 'YYYY-MM-DD'), at, 'claim.entry', at + 900000,
    (at / 86400000 + 1) * 86400000 - 1, CASE WHEN done THEN NULL ELSE at + 15552000000 END, at + 900000, at,
    CASE WHEN done THEN 'delivered' ELSE 'waiting' END, CASE WHEN done THEN 'accepted' END, 2, at, 0, 0,
    CASE WHEN done THEN 1 ELSE 0 END, 0, 0, at + 60000, CASE WHEN done THEN 1 ELSE 0 END FROM many ORDER BY done DESC, n;
INSERT INTO attempt (delivery, number, purpose, started_at, ended_at, credential_version, stamp, outcome, status, code)
  SELECT id, 1, 'send', at + 59000, at + 60000, 1, at / 1000, 'accepted', 201, 201 FROM many WHERE done ORDER BY n;
INSERT INTO remote_id (key, owner) SELECT md5(random()::text), id FROM many WHERE done;
INSERT INTO change (cursor, delivery, facility, at)
  SELECT row_number() OVER (ORDER BY n), id, facility, at + 60000 FROM many WHERE done ORDER BY n;
INSERT INTO entry_body (delivery, original) SELECT id, NULL FROM many WHERE NOT done;
INSERT INTO tally (facility, service, state, how, count)
  SELECT facility, 'pcare', CASE WHEN done THEN 'delivered' ELSE 'waiting' END, CASE WHEN done THEN 'accepted' ELSE '' END,
    count(*) FROM many GROUP BY facility, done;
DROP TABLE many;
