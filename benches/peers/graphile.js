// graphile-worker on the same server: jobs a second that do nothing, each acknowledged durably. Told by benches/postgres.rs:
// how many, and `default` (each job fetched and completed by itself) or `batched` (fetched and completed many at a time).
// The server is found through PGHOST, PGUSER and PGDATABASE.
const { Pool } = require('pg');
const { run, runMigrations } = require('graphile-worker');
const [jobs, mode] = [Number(process.argv[2]), process.argv[3]];
const quiet = { worker: { concurrentJobs: 10 } };
const batched = { worker: { concurrentJobs: 10, localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } };
const { Logger } = require('graphile-worker');
const logger = new Logger(() => () => {});
(async () => {
  const pgPool = new Pool({ max: 16 });
  pgPool.on('error', () => {});
  pgPool.on('connect', client => client.on('error', () => {}));
  await runMigrations({ pgPool, logger });
  await pgPool.query("SELECT graphile_worker.add_job('nothing', json_build_object('n', n)) FROM generate_series(1, $1) AS n", [jobs]);
  let done = 0, finished;
  const all = new Promise(resolve => { finished = resolve; });
  const began = process.hrtime.bigint();
  const runner = await run({
    pgPool, logger, noHandleSignals: true, preset: mode === 'batched' ? batched : quiet,
    taskList: { nothing: () => { done += 1; if (done === jobs) finished(); } },
  });
  await all;
  await runner.stop();
  const took = Number(process.hrtime.bigint() - began) / 1e9;
  const left = await pgPool.query('SELECT count(*)::int AS left FROM graphile_worker.jobs');
  if (left.rows[0].left !== 0) throw new Error(`${left.rows[0].left} jobs left`);
  await pgPool.end();
  console.log(jobs / took);
})().catch(error => { console.error(error); process.exit(1); });
