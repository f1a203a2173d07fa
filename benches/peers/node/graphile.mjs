// graphile-worker: six chained jobs. LOCAL_QUEUE is the size of its local queue, which saves statements; off unless set.
import {Logger, makeWorkerUtils, run, runMigrations} from 'graphile-worker';
import pg from 'pg';
import {STEPS, clients, count, enqueueAll, mode, noted, oneByOne, payload, url, workUntilTold} from './common.mjs';

const quiet = new Logger(() => () => {});
const tasks = Object.fromEntries(STEPS.map((step, position) => [step, async (job, {addJob}) => {
  if (position === 0) noted.begun = performance.now();
  const next = STEPS[position + 1];
  if (next) await addJob(next, {id: job.id, prev: payload(job.id, step)});
  else noted.done++;
}]));

const pool = max => {
  const connections = new pg.Pool({connectionString: url, max});
  connections.on('error', () => {});
  return connections;
};

const work = concurrentJobs => {
  const worker = {
    connectionString: url, concurrentJobs, maxPoolSize: Math.min(concurrentJobs, 20) + 2, pollInterval: 2000,
    preparedStatements: true,
  };
  if (process.env.LOCAL_QUEUE) worker.localQueue = {size: Number(process.env.LOCAL_QUEUE)};
  return run({preset: {worker}, taskList: tasks, logger: quiet});
};

const add = utils => number => utils.addJob(STEPS[0], {id: number, prev: payload(number, 'in')});

if (mode === 'setup') {
  await runMigrations({connectionString: url});
} else if (mode === 'enqueue') {
  await enqueueAll(add(await makeWorkerUtils({pgPool: pool(clients)})));
} else if (mode === 'work') {
  const runner = await work(count);
  workUntilTold(() => runner.stop());
} else if (mode === 'lat') {
  const connections = pool(2);
  await work(4);
  const utils = await makeWorkerUtils({pgPool: pool(2)});
  const left = 'SELECT count(*)::int AS count FROM graphile_worker._private_jobs';
  await oneByOne(add(utils), async () => (await connections.query(left)).rows[0].count === 0);
}
